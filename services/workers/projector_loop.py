"""The loop of the projectors: assign partitions, project their records, and declare time where the end is reached."""

import gc
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Engine

from events.errors import Infrastructure, Unreachable
from projections.projector.derive import CACHE_FACTS
from projections.projector.projector import Batch, project_several
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import Checkpoint, PartitionLost
from projections.tables.database import UNAVAILABLE
from projections.tables.origin import progress_of
from services.database import failed_with
from services.log.base import LogReader
from services.runtime.backoff import Backoff

from .assigned_partitions import AssignedPartitions
from .partition_failures import PartitionFailures
from .partition_pool import Work
from .watermarks import Watermarks

DRAIN_SECONDS = 0.05
MILLISECOND = timedelta(milliseconds=1)
SLICE_SECONDS = 0.2
FEW_RECORDS = 100
"""Fewer records share a transaction, which costs more than they do, and use no thread: two slow each other."""

TURN_SECONDS = 0.005
"""The wait for a thread before the loop looks again for records to add to those that wait."""

BUSY_SECONDS = 0.05
"""The same while no thread is free: there is much to do then, and each poll costs a third of a millisecond."""

logger = structlog.get_logger()


class Loop:
    """
    Drives a projector for each partition of the log that is assigned to this process, for as long as it is.

    Args:
        engine: the database.
        rulebook: the rules to put in force.
        reader: reads the log.
        batch_records: the most records in one transaction.
        clock_margin_seconds: the largest difference between this machine's clock and the database's.
        cache_facts: the number of facts to keep in memory, all partitions together.
        tell_backfilled: whether to tell of the alerts that a new rule finds in old history.
    """

    def __init__(  # noqa: PLR0913 - all that the work needs, from the settings
        self,
        engine: Engine,
        rulebook: Rulebook,
        reader: LogReader,
        *,
        batch_records: int,
        clock_margin_seconds: float,
        cache_facts: int = CACHE_FACTS,
        tell_backfilled: bool = False,
    ) -> None:
        self.engine = engine
        self.reader = reader
        self.batch_records = batch_records
        self._assigned = AssignedPartitions(engine, rulebook, reader, cache_facts, tell_backfilled=tell_backfilled)
        self._watermarks = Watermarks(engine, reader, self._assigned.failures, clock_margin_seconds)
        self._backoff = Backoff()

    def drain(self, ends: Mapping[int, int], tell: Callable[[int], None] = lambda _: None) -> list[Checkpoint]:
        """
        Project until every partition has been read to its end and its time is declared, by this process or another.

        Args:
            ends: the offset after the last record, by partition.
            tell: called with the sum of the positions after each turn.

        Returns:
            the checkpoint of each partition.

        Raises:
            Infrastructure: if the clocks differ by more than the margin, or a partition cannot be read.
            Unreachable: if the log does not answer.
            SQLAlchemyError: if the database failed.
        """
        tune_collector()
        started = self._watermarks.clock() - self.reader.slack
        never = threading.Event()
        with self._assigned.pool:
            while True:
                try:
                    self._turn(DRAIN_SECONDS)
                except PartitionLost:
                    self._rejoin(never)
                self._raise_problem()
                checkpoints = progress_of(self.engine, self.reader.topic)
                tell(sum(checkpoint.position for checkpoint in checkpoints))
                # The watermark too: a partition without new records may hold a silence that is due.
                reached = [each for each in checkpoints if self._watermarks.has_reached(each, started)]
                positions = {checkpoint.partition: checkpoint.position for checkpoint in reached}
                if all(positions.get(partition, -1) >= end for partition, end in ends.items()):
                    return checkpoints

    def run(self, stop: threading.Event, poll_seconds: float, beat: Callable[[], None] = lambda: None) -> None:
        """
        Project until *stop* is set. After a lost partition, log or database it tries again without a limit.

        Args:
            stop: ends the loop.
            poll_seconds: the wait for records when there is nothing to do.
            beat: called every turn, as a sign of life.

        Raises:
            Infrastructure: if the clocks differ by more than the margin, or the log has other partitions than it had.
        """
        tune_collector()
        with self._assigned.pool:
            while not stop.is_set():
                beat()
                try:
                    self._turn(poll_seconds)
                    self._backoff.reset()
                except PartitionLost:
                    self._rejoin(stop)
                except UNAVAILABLE as problem:
                    self._assigned.drop_all()
                    self._pause(stop, "database_failed", failed_with(problem))
                except Unreachable as problem:
                    self._pause(stop, "log_unreachable", str(problem))

    def _turn(self, wait_seconds: float) -> None:
        """Assign new partitions, project the next records of each, and declare time where there are none."""
        self._assigned.assign_new()
        pool = self._assigned.pool
        if self._assigned.waiting:
            pool.wait(TURN_SECONDS if pool.is_free else BUSY_SECONDS)
        self._read(wait_seconds)
        self._assigned.collect_done()
        _dispatch(self._assigned)
        self._assigned.collect_done()
        self._watermarks.advance(self._assigned.idle())

    def _read(self, wait_seconds: float) -> None:
        """Add records to those that wait: a batch that begins later has more records, and each costs less."""
        waiting = self._assigned.waiting
        room = self.batch_records - sum(map(len, waiting.values()))
        if room <= 0:
            return
        for partition, records in self.reader.poll(0 if waiting else wait_seconds, room).items():
            if partition in self._assigned.by_number:
                waiting.setdefault(partition, []).extend(records)

    def _raise_problem(self) -> None:
        """Raise the problem that keeps a partition from being read to its end, if there is one."""
        if self._watermarks.unreachable is not None:
            raise self._watermarks.unreachable
        self._assigned.failures.raise_first()
        for partition, reason in self.reader.stopped.items():
            raise Infrastructure(reason, where=f"partition {partition}")

    def _rejoin(self, stop: threading.Event) -> None:
        """Return all partitions to the log and ask for new ones, because another projector has taken one."""
        self._assigned.drop_all()
        self.reader.rejoin()
        self._pause(stop, "projector_lost")

    def _pause(self, stop: threading.Event, event: str, error: str | None = None) -> None:
        """Log *event* and wait; the more failures in a row, the longer."""
        seconds = self._backoff.fail()
        logger.warning(event, pause_seconds=round(seconds, 2), **({"error": error} if error else {}))
        end = time.monotonic() + seconds
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            if self._assigned.by_number:
                stop.wait(min(left, SLICE_SECONDS))
            else:
                _wait_polling(self.reader, stop, min(left, SLICE_SECONDS))


def tune_collector() -> None:
    """Run Python's garbage collector rarely: this process does little else than to project."""
    # The cache is large, and so is a batch under work, and neither has cycles. The collector takes a quarter of the
    # time otherwise, and a twentieth at a tenth of these thresholds.
    gc.freeze()
    gc.set_threshold(1_000_000, 50, 100)


def _dispatch(assigned: AssignedPartitions) -> None:
    """Project a few waiting records in this thread, or submit many to free threads; busy partitions wait."""
    waiting, pool = assigned.waiting, assigned.pool
    ready = [partition for partition in waiting if partition not in pool.busy]
    if sum(len(waiting[partition]) for partition in ready) >= FEW_RECORDS:
        for partition in ready:
            if pool.is_free:
                pool.submit(partition, _work_on([partition], assigned))
    elif ready:
        pool.run(ready, _work_on(ready, assigned))


def _work_on(ready: Iterable[int], assigned: AssignedPartitions) -> Work:
    """Take the waiting records of the partitions *ready*, and return the work on them."""
    batches = [(assigned.by_number[partition].projector, assigned.waiting.pop(partition)) for partition in ready]
    return partial(_project, batches, assigned.failures)


def _project(batches: Sequence[Batch], failures: PartitionFailures) -> Mapping[int, Exception]:
    """Project *batches*; return the failures of single partitions."""
    started = datetime.now(UTC)
    failed = project_several(batches, started)
    took = datetime.now(UTC) - started
    counts = {projector.checkpoint.partition: len(records) for projector, records in batches}
    done = {partition: count for partition, count in counts.items() if partition not in failed}
    for partition in done:
        failures.clear(partition)
    logger.debug("batch_projected", records=done, took_ms=took // MILLISECOND)
    return failed


def _wait_polling(reader: LogReader, stop: threading.Event, seconds: float) -> None:
    """Wait by polling *reader*, of which nothing is read: other processes that share it do not wait for this one."""
    try:
        reader.poll(seconds, 1)
    except Unreachable:
        stop.wait(seconds)
