"""Where a key belongs: murmur2, as Java's and kafka-python's producers place keys."""

from collections.abc import Callable
from functools import lru_cache

from kafka.partitioner.default import murmur2

KEYS = 1 << 16


def partition_for(partitions: int) -> Callable[[bytes], int]:
    """Return the function from a key to its home among so many *partitions*."""

    # People come again and again.
    @lru_cache(KEYS)
    def home(key: bytes) -> int:
        place: int = (murmur2(key) & 0x7FFFFFFF) % partitions
        return place

    return home
