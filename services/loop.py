"""The projector's loop: read the log, project, and let time pass where the end was reached."""

import gc
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from events.errors import Infrastructure
from projections.database import database_clock
from projections.projector import Lost, Progress, Projector

from .locallog import LocalLog

DECLARE_SECONDS = 5.0
MILLISECOND = timedelta(milliseconds=1)
PAUSE_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

log = structlog.get_logger()


class Loop:
    """
    Drives one partition's projector over the log.

    Args:
        projector: of the partition.
        source: the log.
        batch_records: the most records in one transaction.
        clock_margin_seconds: how far this machine's clock and the database's may differ.
    """

    def __init__(
        self, projector: Projector, source: LocalLog, *, batch_records: int, clock_margin_seconds: float
    ) -> None:
        self.projector = projector
        self.source = source
        self.batch_records = batch_records
        self.margin = timedelta(seconds=clock_margin_seconds)
        self._declared: datetime | None = None
        self._failures = 0

    def drain(self, tell: Callable[[Progress], None]) -> Progress:
        """
        Project all that is in the log, let time pass, and return.

        Args:
            tell: called after each batch.

        Raises:
            Infrastructure: if the clocks differ by more than the margin.
            OperationalError: if the database cannot be reached.
        """
        _spare_the_collector()
        while True:
            try:
                self.projector.assign(datetime.now(UTC))
                while self._step():
                    tell(self.projector.held)
            except Lost:
                self._pause(threading.Event(), "projector_lost")
            else:
                return self.projector.held

    def run(self, stop: threading.Event, poll_seconds: float) -> None:
        """
        Project until *stop* is set. A lost partition or database is taken up again, for as long as it takes.

        Raises:
            Infrastructure: if the clocks differ by more than the margin.
        """
        _spare_the_collector()
        assigned = False
        while not stop.is_set():
            try:
                if not assigned:
                    self.projector.assign(datetime.now(UTC))
                    assigned = True
                if not self._step():
                    stop.wait(poll_seconds)
                self._failures = 0
            except (Lost, OperationalError) as problem:
                assigned = False
                self._pause(stop, "projector_lost" if isinstance(problem, Lost) else "database_failed")

    def _step(self) -> bool:
        """Project what comes next in the log; where nothing does, let time pass. Return whether there was a batch."""
        held = self.projector.held
        # Taken before the log is asked: what is stamped later has a later stamp.
        now = self._clock(self.projector.engine)
        records = self.source.read(held.partition, held.position, self.batch_records)
        if not records:
            return not self._declare(now)
        started = datetime.now(UTC)
        self.projector.project(records, started)
        took = datetime.now(UTC) - started
        log.debug("batch_projected", partition=held.partition, records=len(records), took_ms=took // MILLISECOND)
        return True

    def _declare(self, now: datetime) -> bool:
        """
        Let time pass up to *now* if that changes anything, and every few seconds for whoever asks how far we are.

        Returns:
            False if the end of the log has moved meanwhile, and there is more to read.
        """
        due = self.projector.next_due()
        lately = self._declared is not None and now - self._declared < timedelta(seconds=DECLARE_SECONDS)
        if lately and (due is None or due >= now):
            return True
        # A publisher may have been stamped before *now* and have committed since: then the end has moved.
        watermark = self.projector.pass_time(now, datetime.now(UTC), self.source.ends_at).watermark
        if watermark is None or watermark < now:
            return False
        self._declared = now
        return True

    def _clock(self, engine: Engine) -> datetime:
        here = datetime.now(UTC)
        if engine.dialect.name == "sqlite":
            return here
        with engine.connect() as conn:
            there = database_clock(conn)
        if abs(there - here) > self.margin:
            msg = f"this machine's clock is {(here - there).total_seconds():+.1f} s off the database's (want at most "
            raise Infrastructure(
                msg + f"{self.margin.total_seconds()} s: set the clocks, or CASETRAIL_CLOCK_MARGIN_SECONDS)"
            )
        return min(here, there)

    def _pause(self, stop: threading.Event, event: str) -> None:
        seconds = PAUSE_SECONDS[min(self._failures, len(PAUSE_SECONDS) - 1)] * random.uniform(0.5, 1.5)  # noqa: S311 - so that two do not meet again
        self._failures += 1
        log.warning(event, partition=self.projector.held.partition, pause_seconds=round(seconds, 2))
        stop.wait(seconds)


def _spare_the_collector() -> None:
    """Let the collector of cycles look less often: the cache is large and holds none (a quarter of the time else)."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
