"""The projectors' loop: take up the partitions that are ours, project them, let time pass where the end is reached."""

import gc
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Engine

from events.errors import Infrastructure, Unreachable
from projections.ledger.chain import LogRecord
from projections.projector.derive import CACHE_FACTS
from projections.projector.projector import Batch, Projector, project_several
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import Checkpoint, PartitionLost
from projections.tables.database import AWAY, database_clock
from projections.tables.origin import progress_of
from projections.tables.outbox import forwards_wait
from services.database import failed_with
from services.log.base import LogReader

from .partition_pool import THREADS, PartitionPool, Work

DECLARE_SECONDS = 5.0
DRAIN_SECONDS = 0.05
MILLISECOND = timedelta(milliseconds=1)
PAUSE_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SLICE_SECONDS = 0.2
FEW_RECORDS = 100
"""Fewer share a transaction, which costs more than what is in it, and wait for no hand: two hinder each other."""

TURN_SECONDS = 0.005
"""How long the loop waits for a hand before it looks again for records to add to those that wait."""

BUSY_SECONDS = 0.05
"""The same where no hand is free: there is much to do then, and to ask costs a third of a millisecond each time."""

log = structlog.get_logger()


@dataclass
class Held:
    """
    A partition that is ours.

    Attributes:
        projector: of it.
        declared: the clock when a watermark was last declared.
    """

    projector: Projector
    declared: datetime | None = None


@dataclass(frozen=True)
class Failure:
    """What a partition's data made fail, how often in a row, and from when (monotonic) on it is tried again."""

    problem: Exception
    times: int
    until: float


class Loop:
    """
    Drives a projector for each partition of the log that is ours, for as long as it is.

    Args:
        engine: the database.
        rulebook: the rules to put in force.
        source: the log.
        batch_records: the most records in one transaction.
        clock_margin_seconds: how far this machine's clock and the database's may differ.
        cache_facts: how many facts to keep in memory, all partitions together.
    """

    def __init__(  # noqa: PLR0913 - what the work needs, from the settings
        self,
        engine: Engine,
        rulebook: Rulebook,
        source: LogReader,
        *,
        batch_records: int,
        clock_margin_seconds: float,
        cache_facts: int = CACHE_FACTS,
    ) -> None:
        self.engine = engine
        self.rulebook = rulebook
        self.source = source
        self.batch_records = batch_records
        self.margin = timedelta(seconds=clock_margin_seconds)
        self.cache_facts = cache_facts
        self._hands = PartitionPool(0 if engine.dialect.name == "sqlite" else THREADS)
        self._held: dict[int, Held] = {}
        # Read and not begun: by partition, whose have waited longest first.
        self._waiting = dict[int, list[LogRecord]]()
        self._failed: dict[int, Failure] = {}
        self._failures = 0
        self._unanswered = 0
        self._ask_at = 0.0
        self._unreachable: Unreachable | None = None

    def drain(self, ends: Mapping[int, int], tell: Callable[[int], None] = lambda _: None) -> list[Checkpoint]:
        """
        Project until every partition has been read up to its end, whoever does it, let time pass, and return.

        Args:
            ends: the offset after the last record, by partition.
            tell: called with the sum of the positions, now and then.

        Returns:
            how far each partition has come.

        Raises:
            Infrastructure: if the clocks differ by more than the margin, or a partition cannot be read.
            Unreachable: if the log does not answer.
            SQLAlchemyError: if the database failed.
        """
        self._settle_in()
        started = self._clock() - self.source.slack
        never = threading.Event()
        with self._hands:
            while True:
                try:
                    self._step(DRAIN_SECONDS)
                except PartitionLost:
                    self._lose(never)
                self._give_up()
                done = progress_of(self.engine, self.source.topic)
                tell(sum(progress.position for progress in done))
                # The watermark too: a partition that holds nothing new may hold a silence that is due.
                reached = {each.partition for each in done if self._knows(each, started)}
                positions = {each.partition: each.position for each in done if each.partition in reached}
                if all(positions.get(partition, -1) >= end for partition, end in ends.items()):
                    return done

    def run(self, stop: threading.Event, poll_seconds: float, beat: Callable[[], None] = lambda: None) -> None:
        """
        Project until *stop* is set. A lost partition, log or database is taken up again, for as long as it takes.

        Args:
            stop: ends it.
            poll_seconds: how long to wait where there is nothing to do.
            beat: called every turn, as a sign of life.

        Raises:
            Infrastructure: if the clocks differ by more than the margin, or the log has other partitions than it had.
        """
        self._settle_in()
        with self._hands:
            while not stop.is_set():
                beat()
                try:
                    self._step(poll_seconds)
                    self._failures = 0
                except PartitionLost:
                    self._lose(stop)
                except AWAY as problem:
                    self._drop(self._held)
                    self._pause(stop, "database_failed", failed_with(problem))
                except Unreachable as problem:
                    self._pause(stop, "log_unreachable", str(problem))

    def _settle_in(self) -> None:
        """Let the interpreter get out of the way: this process does little else."""
        # The cache is large, and a batch too while it is worked on, and neither has cycles: the collector takes a
        # quarter of the time else, and a twentieth at a tenth of this.
        gc.freeze()
        gc.set_threshold(1_000_000, 50, 100)

    def _step(self, wait_seconds: float) -> None:
        """Take up what is ours, project what comes next of each partition, and let time pass where nothing does."""
        self._take_up()
        if self._waiting:
            self._hands.wait(TURN_SECONDS if self._hands.free else BUSY_SECONDS)
        self._read(wait_seconds)
        self._settle(self._hands.done)
        self._give_out()
        self._settle(self._hands.done)
        self._let_time_pass(sorted(self._held.keys() - self._hands.given - self._waiting.keys()))

    def _read(self, wait_seconds: float) -> None:
        """Add what comes to what waits: the later a batch begins, the more of it there is, and the less each costs."""
        room = self.batch_records - sum(map(len, self._waiting.values()))
        if room <= 0:
            return
        for partition, records in self.source.poll(0 if self._waiting else wait_seconds, room).items():
            if partition in self._held:
                self._waiting.setdefault(partition, []).extend(records)

    def _give_out(self) -> None:
        """Work on few records that wait here and now; begin on many as far as there are hands. None is begun twice."""
        ready = [partition for partition in self._waiting if partition not in self._hands.given]
        if sum(len(self._waiting[partition]) for partition in ready) >= FEW_RECORDS:
            for partition in ready:
                if self._hands.free:
                    self._hands.give(partition, self._work_on([partition]))
        elif ready:
            self._hands.do(ready, self._work_on(ready))

    def _work_on(self, ready: Iterable[int]) -> Work:
        """Take from what waits the records of the partitions that are *ready*, and return the work on them."""
        batches = [(self._held[partition].projector, self._waiting.pop(partition)) for partition in ready]
        return partial(self._project, batches)

    def _settle(self, partitions: Iterable[int]) -> None:
        """See what has come of the work on *partitions*."""
        for partition in partitions:
            with self._alone(partition):
                self._hands.settle(partition)

    def _take_up(self) -> None:
        """Give each partition that has come to us a projector, and drop those of partitions that have gone."""
        ours = self.source.assigned()
        gone, come = self._held.keys() - ours, ours - self._held.keys()
        for partition in gone:
            # Another's by now: if it could not write, that is as it should be.
            self._hands.forget(partition)
            self._waiting.pop(partition, None)
            del self._held[partition]
        for partition in sorted(come):
            failure = self._failed.get(partition)
            if failure is None or failure.until <= time.monotonic():
                with self._alone(partition):
                    self._assign(partition)
        if gone or come:
            for held in self._held.values():
                held.projector.set_cache_limit(self.cache_facts // len(self._held))

    def _assign(self, partition: int) -> None:
        projector = Projector(
            self.engine,
            self.rulebook,
            partition,
            topic=self.source.topic,
            home=self.source.home,
            cache_facts=self.cache_facts // (len(self._held) + 1),
        )
        position = projector.assign(datetime.now(UTC)).position
        self.source.seek(partition, position)
        self._held[partition] = Held(projector)
        log.debug("partition_taken_up", partition=partition, position=position, epoch=projector.held.epoch)

    def _project(self, batches: Sequence[Batch]) -> Mapping[int, Exception]:
        started = datetime.now(UTC)
        failed = project_several(batches, started)
        took = datetime.now(UTC) - started
        done = {each.held.partition: len(records) for each, records in batches if each.held.partition not in failed}
        for partition in done:
            self._failed.pop(partition, None)
        log.debug("batch_projected", records=done, took_ms=took // MILLISECOND)
        return failed

    def _let_time_pass(self, idle: Sequence[int]) -> None:
        """Declare how far we know the log where that changes anything, and now and then for whoever asks."""
        wanted = [partition for partition in idle if self._wants_time(partition)]
        if not wanted or time.monotonic() < self._ask_at:
            return
        # Taken before the end is asked for: what is accepted later has a later stamp, the slack of the clocks apart.
        now = self._clock()
        try:
            ends = self.source.ends(wanted)
        except Unreachable as problem:
            self._ask_later(problem)
            return
        self._unanswered, self._unreachable = 0, None
        for partition in wanted:
            if partition in self._held:
                with self._alone(partition):
                    self._declare(self._held[partition], now, ends[partition])

    def _ask_later(self, problem: Unreachable) -> None:
        """Go on reading, without asking for the end for a while."""
        seconds = _pause_seconds(self._unanswered)
        self._unanswered += 1
        self._unreachable = problem
        self._ask_at = time.monotonic() + seconds
        log.warning("log_unreachable", error=str(problem), pause_seconds=round(seconds, 2))

    def _wants_time(self, partition: int) -> bool:
        held, now = self._held[partition], datetime.now(UTC)
        if held.declared is None or abs(now - held.declared) >= timedelta(seconds=DECLARE_SECONDS):
            return True
        due = None
        with self._alone(partition):
            due = held.projector.next_due()
        return due is not None and due < now - self.source.slack

    def _declare(self, held: Held, now: datetime, end: int) -> None:
        partition = held.projector.held.partition
        position = self.source.passed(partition, held.projector.held.position)
        if position != end:
            return
        until = now - self.source.slack
        # A publisher may have been stamped before *now* and have committed since: then the end has moved.
        watermark = held.projector.advance_watermark(
            until,
            datetime.now(UTC),
            lambda conn, position: self.source.still_ends_at(conn, partition, position),
            position=position,
        ).watermark
        if watermark is not None and watermark >= until:
            held.declared = now
            self._failed.pop(partition, None)

    def _knows(self, progress: Checkpoint, instant: datetime) -> bool:
        """Whether a partition knows the log up to *instant*, or waits for what a notifier has to send it."""
        if progress.watermark and progress.watermark >= instant:
            return True
        with self.engine.connect() as conn:
            return forwards_wait(conn, progress.partition)

    def _clock(self) -> datetime:
        """Return the earlier of this machine's clock and the database's."""
        if self.engine.dialect.name == "sqlite":
            return datetime.now(UTC)
        with self.engine.connect() as conn:
            before = datetime.now(UTC)
            there = database_clock(conn)
            after = datetime.now(UTC)
        # An answer that was long in coming, because we were stopped perhaps, is from some instant in between.
        ahead, behind = before - there, there - after
        if max(ahead, behind) > self.margin:
            off = ahead if ahead > behind else -behind
            msg = f"this machine's clock is {off.total_seconds():+.1f} s off the database's (want at most "
            raise Infrastructure(
                msg + f"{self.margin.total_seconds()} s: set the clocks, or CASETRAIL_CLOCK_MARGIN_SECONDS)"
            )
        return min(before, there)

    @contextmanager
    def _alone(self, partition: int) -> Iterator[None]:
        """Let what fails over the data of *partition* hold up nothing but that partition."""
        try:
            yield
        except (PartitionLost, Infrastructure, Unreachable, *AWAY):
            raise
        except Exception as problem:  # noqa: BLE001 - whatever it is, it must not hold the others up
            before = self._failed.get(partition)
            times = 0 if before is None else before.times + 1
            seconds = _pause_seconds(times)
            self._failed[partition] = Failure(problem, times, time.monotonic() + seconds)
            self._drop([partition])
            # Not the message: it may hold names.
            place = traceback.extract_tb(problem.__traceback__)[-1]
            at = f"{place.filename}:{place.lineno}"
            error = type(problem).__name__
            log.error("partition_failed", partition=partition, error=error, at=at, pause_seconds=round(seconds, 2))  # noqa: TRY400 - a traceback may hold names

    def _give_up(self) -> None:
        """Raise what keeps a partition from being read to its end."""
        if self._unreachable is not None:
            raise self._unreachable
        for failure in self._failed.values():
            raise failure.problem
        for partition, reason in self.source.stopped.items():
            raise Infrastructure(f"partition {partition}: {reason}")

    def _drop(self, partitions: Iterable[int]) -> None:
        for partition in [*partitions]:
            self._hands.forget(partition)
            self._waiting.pop(partition, None)
            self._held.pop(partition, None)
            self.source.hold(partition)

    def _lose(self, stop: threading.Event) -> None:
        self._drop(self._held)
        self.source.rejoin()
        self._pause(stop, "projector_lost")

    def _pause(self, stop: threading.Event, event: str, error: str | None = None) -> None:
        seconds = _pause_seconds(self._failures)
        self._failures += 1
        log.warning(event, pause_seconds=round(seconds, 2), **({"error": error} if error else {}))
        end = time.monotonic() + seconds
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            self._stay(stop, min(left, SLICE_SECONDS))

    def _stay(self, stop: threading.Event, seconds: float) -> None:
        """Wait; while nothing is held, by polling the log, so that the others who share it need not wait for us."""
        if self._held:
            stop.wait(seconds)
            return
        try:
            self.source.poll(seconds, 1)
        except Unreachable:
            stop.wait(seconds)


def _pause_seconds(times: int) -> float:
    """Return how long to pause after so many failures in a row; no two for the same time, so that they do not meet."""
    return PAUSE_SECONDS[min(times, len(PAUSE_SECONDS) - 1)] * random.uniform(0.5, 1.5)  # noqa: S311 - not a secret
