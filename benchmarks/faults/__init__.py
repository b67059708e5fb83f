"""
The program under faults: killed, frozen, cut off from broker and database, scaled up and down.

`python -m benchmarks.faults --runs N --seed S` starts a broker and a cluster of its own for each run. It publishes
invented facts, causes the faults of a schedule that is drawn from the seed, and waits until all work is done. Then it
compares the result with the published facts. Linux, Java and PostgreSQL's server are needed.
"""
