"""The partitions that the log has assigned to this process, each with a projector."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import Engine

from projections.ledger.chain import LogRecord
from projections.projector.projector import Projector
from projections.rules.rulebook import Rulebook
from services.log.base import LogReader

from .partition_failures import PartitionFailures
from .partition_pool import THREADS, PartitionPool

logger = structlog.get_logger()


@dataclass
class AssignedPartition:
    """
    A partition that the log has assigned to this process.

    Attributes:
        projector: the projector of the partition.
        declared: the clock when a watermark was last declared; None before.
    """

    projector: Projector
    declared: datetime | None = None


class AssignedPartitions:
    """
    The partitions of this process, with the records that wait for them and the tasks on them.

    Args:
        engine: the database.
        rulebook: the rules to put in force.
        reader: reads the log.
        cache_facts: the number of facts to keep in memory, all partitions together.
        tell_backfilled: whether to tell of the alerts that a new rule finds in old history.

    Attributes:
        by_number: the partitions.
        waiting: records that were read and that no task has, by partition. The first has waited longest.
        pool: the tasks.
        failures: the partitions that have failed over their data.
    """

    def __init__(
        self, engine: Engine, rulebook: Rulebook, reader: LogReader, cache_facts: int, *, tell_backfilled: bool = False
    ) -> None:
        self.by_number: dict[int, AssignedPartition] = {}
        self.waiting = dict[int, list[LogRecord]]()
        self.pool = PartitionPool(0 if engine.dialect.name == "sqlite" else THREADS)
        self.failures = PartitionFailures(lambda partition: self.drop([partition]))
        self._engine = engine
        self._rulebook = rulebook
        self._reader = reader
        self._cache_facts = cache_facts
        self._tell_backfilled = tell_backfilled

    def assign_new(self) -> None:
        """Make a projector for each partition that the log has newly assigned; forget the partitions it has taken."""
        numbers = self._reader.assigned()
        gone, new = self.by_number.keys() - numbers, numbers - self.by_number.keys()
        for partition in gone:
            # Another process has it by now. If the task could not write, that is correct.
            self.pool.discard(partition)
            self.waiting.pop(partition, None)
            del self.by_number[partition]
        for partition in sorted(new):
            if not self.failures.is_pausing(partition):
                with self.failures.isolate(partition):
                    self._assign(partition)
        if gone or new:
            for assigned in self.by_number.values():
                assigned.projector.set_cache_limit(self._cache_facts // len(self.by_number))

    def collect_done(self) -> None:
        """Collect the results of the tasks that are done."""
        for partition in self.pool.done:
            with self.failures.isolate(partition):
                self.pool.result(partition)

    def idle(self) -> dict[int, AssignedPartition]:
        """Return the partitions without a task and without a waiting record, in the order of their numbers."""
        numbers = sorted(self.by_number.keys() - self.pool.busy - self.waiting.keys())
        return {partition: self.by_number[partition] for partition in numbers}

    def drop(self, partitions: Iterable[int]) -> None:
        """Stop the work on *partitions*: wait for their tasks, and read no more of them until they are assigned."""
        for partition in [*partitions]:
            self.pool.discard(partition)
            self.waiting.pop(partition, None)
            self.by_number.pop(partition, None)
            self._reader.pause(partition)

    def drop_all(self) -> None:
        """Stop the work on all partitions, as `drop` does."""
        self.drop(self.by_number)

    def _assign(self, partition: int) -> None:
        projector = Projector(
            self._engine,
            self._rulebook,
            partition,
            topic=self._reader.topic,
            home=self._reader.home,
            cache_facts=self._cache_facts // (len(self.by_number) + 1),
            tell_backfilled=self._tell_backfilled,
        )
        position = projector.assign(datetime.now(UTC)).position
        self._reader.seek(partition, position)
        self.by_number[partition] = AssignedPartition(projector)
        logger.debug("partition_taken_up", partition=partition, position=position, epoch=projector.checkpoint.epoch)
