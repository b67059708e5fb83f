"""The partition of a key: murmur2, as Java's and kafka-python's producers choose it."""

from collections.abc import Callable
from functools import lru_cache

from kafka.partitioner.default import murmur2

KEYS = 1 << 16


def partition_for(partitions: int) -> Callable[[bytes], int]:
    """Return the function from a key to its partition, for a topic of *partitions* partitions."""

    # The same people occur again and again.
    @lru_cache(KEYS)
    def home(key: bytes) -> int:
        partition: int = (murmur2(key) & 0x7FFFFFFF) % partitions
        return partition

    return home
