"""The parts that run until they are stopped: the projector loop, its pool, their supervisor."""
