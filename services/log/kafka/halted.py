"""The partitions that are not read any further, and the times at which each is checked again."""

import time
from collections.abc import Callable, Iterable, Mapping

import structlog
from kafka.errors import KafkaError

from .halt_causes import HaltedPartition

LONGEST_SECONDS = 300.0

logger = structlog.get_logger()


class HaltedPartitions:
    """
    The halted partitions of one topic. After each check that fails, the pause before the next one is twice as long.

    Args:
        pause_seconds: the pause before the first check.
        still: returns the reason why a partition cannot be read now, or None if it can; raises `KafkaError`.
    """

    def __init__(self, pause_seconds: float, still: Callable[[int, HaltedPartition], str | None]) -> None:
        self._pause_seconds = pause_seconds
        self._still = still
        self._halted: dict[int, HaltedPartition] = {}
        # On the monotonic clock.
        self._check_at: dict[int, float] = {}
        self._pauses: dict[int, float] = {}

    def reasons(self) -> Mapping[int, str]:
        """Return the reason of each halted partition."""
        return {partition: halted.reason for partition, halted in self._halted.items()}

    def forget(self, partitions: Iterable[int]) -> None:
        """Remove *partitions*, which were revoked."""
        for partition in partitions:
            for by_partition in (self._halted, self._pauses, self._check_at):
                by_partition.pop(partition, None)

    def note_read(self, partitions: Iterable[int]) -> None:
        """Start again with the first pause for those of *partitions* that are not halted: records of them were read."""
        for partition in partitions:
            if partition not in self._halted:
                self._pauses.pop(partition, None)

    def halt(self, partition: int, cause: HaltedPartition) -> None:
        """Halt *partition* for *cause*."""
        self._halted[partition] = cause
        self._schedule_check(partition)
        logger.error("partition_stopped", partition=partition, reason=cause.reason)

    def check(self, partitions: Iterable[int]) -> None:
        """Check those of *partitions* that are due, and remove each that can be read after all."""
        for partition in [*partitions]:
            halted = self._halted.get(partition)
            if halted is None or halted.lasting or time.monotonic() < self._check_at[partition]:
                continue
            try:
                reason = self._still(partition, halted)
            except KafkaError:
                # The broker's failure says nothing about the partition.
                reason = halted.reason
            if reason is None:
                del self._halted[partition]
                logger.info("partition_goes_on", partition=partition, position=halted.position)
            else:
                self._halted[partition] = halted._replace(reason=reason)
                self._schedule_check(partition)

    def _schedule_check(self, partition: int) -> None:
        pause = self._pauses.get(partition, self._pause_seconds)
        self._pauses[partition] = min(2 * pause, LONGEST_SECONDS)
        self._check_at[partition] = time.monotonic() + pause
