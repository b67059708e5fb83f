"""
The program under everything that may befall it: killed, frozen, cut off from broker and database, scaled up and down.

`python -m benchmarks.faults --runs N --seed S` starts a broker and a cluster of its own for each run, publishes
invented facts, lets a schedule drawn from the seed go wrong, waits until all is quiet, and holds what is there
against what was published. Linux, Java and PostgreSQL's server are needed.
"""
