"""Watermarks of idle partitions: the clock, the ends of the log, and the declaring of time."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Engine

from events.errors import Infrastructure, Unreachable
from projections.tables.checkpoint import Checkpoint
from projections.tables.database import database_clock
from projections.tables.outbox import forwards_wait
from services.log.base import LogReader
from services.runtime.backoff import Backoff

from .assigned_partitions import AssignedPartition
from .partition_failures import PartitionFailures

DECLARE_SECONDS = 5.0

logger = structlog.get_logger()


class Watermarks:
    """
    Declares the watermarks of partitions that have been read to their ends.

    Args:
        engine: the database.
        reader: reads the log.
        failures: the failures of single partitions.
        clock_margin_seconds: the largest difference between this machine's clock and the database's.

    Attributes:
        unreachable: the reason why the log did not answer the last question for its ends; None if it did.
    """

    def __init__(
        self, engine: Engine, reader: LogReader, failures: PartitionFailures, clock_margin_seconds: float
    ) -> None:
        self.unreachable: Unreachable | None = None
        self._engine = engine
        self._reader = reader
        self._failures = failures
        self._margin = timedelta(seconds=clock_margin_seconds)
        self._backoff = Backoff()

    def advance(self, idle: Mapping[int, AssignedPartition]) -> None:
        """
        Declare watermarks of *idle* partitions where that changes an answer, and every few seconds for readers.

        Raises:
            Infrastructure: if the clocks differ by more than the margin.
            PartitionLost: if a partition was assigned to another projector.
            SQLAlchemyError: if the database failed.
        """
        wanted = [partition for partition, assigned in idle.items() if self._is_wanted(partition, assigned)]
        if not wanted or self._backoff.is_pausing:
            return
        # Read before the ends: a record accepted after that has a later stamp, apart from the slack of the clocks.
        now = self.clock()
        try:
            ends = self._reader.ends(wanted)
        except Unreachable as problem:
            self._ask_later(problem)
            return
        self._backoff.reset()
        self.unreachable = None
        for partition in wanted:
            with self._failures.isolate(partition):
                self._declare(idle[partition], now, ends[partition])

    def has_reached(self, checkpoint: Checkpoint, instant: datetime) -> bool:
        """Return whether the watermark is at *instant*, or the partition waits for records that a notifier forwards."""
        if checkpoint.watermark and checkpoint.watermark >= instant:
            return True
        with self._engine.connect() as conn:
            return forwards_wait(conn, checkpoint.partition)

    def clock(self) -> datetime:
        """
        Return the earlier of this machine's clock and the database's.

        Raises:
            Infrastructure: if they differ by more than the margin.
            SQLAlchemyError: if the database failed.
        """
        if self._engine.dialect.name == "sqlite":
            return datetime.now(UTC)
        with self._engine.connect() as conn:
            before = datetime.now(UTC)
            there = database_clock(conn)
            after = datetime.now(UTC)
        # A slow answer, for example because this process was paused, is from some instant in between.
        ahead, behind = before - there, there - after
        if max(ahead, behind) > self._margin:
            off = (ahead if ahead > behind else -behind).total_seconds()
            raise Infrastructure(
                f"this machine's clock is {off:+.1f} s off the database's",
                f"set the clocks, or CASETRAIL_CLOCK_MARGIN_SECONDS, now {self._margin.total_seconds()}",
            )
        return min(before, there)

    def _ask_later(self, problem: Unreachable) -> None:
        """Pause the questions for the ends, while records are still read."""
        seconds = self._backoff.fail()
        self.unreachable = problem
        logger.warning("log_unreachable", error=str(problem), pause_seconds=round(seconds, 2))

    def _is_wanted(self, partition: int, assigned: AssignedPartition) -> bool:
        now = datetime.now(UTC)
        if assigned.declared is None or abs(now - assigned.declared) >= timedelta(seconds=DECLARE_SECONDS):
            return True
        due = None
        with self._failures.isolate(partition):
            due = assigned.projector.next_due()
        return due is not None and due < now - self._reader.slack

    def _declare(self, assigned: AssignedPartition, now: datetime, end: int) -> None:
        checkpoint = assigned.projector.checkpoint
        partition = checkpoint.partition
        position = self._reader.next_offset(partition, checkpoint.position)
        if position != end:
            return
        until = now - self._reader.slack
        # A publisher may have been stamped before *now* and have committed since: then the end has moved.
        watermark = assigned.projector.advance_watermark(
            until,
            datetime.now(UTC),
            lambda conn, position: self._reader.still_ends_at(conn, partition, position),
            position=position,
        ).watermark
        if watermark is not None and watermark >= until:
            assigned.declared = now
            self._failures.clear(partition)
