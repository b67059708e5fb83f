"""The parts that run until they are stopped: the projector loop, its partitions and pool, and their supervisor."""
