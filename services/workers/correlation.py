"""The loop of the correlator: take the place if it is free, and judge the rules across people up to the horizon."""

import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Engine

from events.edtf import format_instant
from events.errors import Infrastructure
from projections.correlator.correlator import Correlator
from projections.correlator.progress import watermarks_of
from projections.correlator.stepper import CACHE_FACTS
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import PartitionLost
from projections.tables.database import UNAVAILABLE, only_one
from services.database import failed_with
from services.runtime.backoff import Backoff

LOCK = 0x63617372_636F7272
"""The number of PostgreSQL's lock, the same in every release: two releases must not work at once."""

STAND_BY = timedelta(seconds=15)
"""The time without progress of another correlator after which its place is taken."""

logger = structlog.get_logger()


class Correlation:
    """
    Drives the correlator of one process. At most one works at a time, and the others stand by.

    Args:
        engine: the database.
        rulebook: the rules to put in force.
        topic: the log's topic.
        cache_facts: the number of facts to keep in memory.
        tell_backfilled: whether to tell of the alerts that a new rule finds in old history.
    """

    def __init__(
        self,
        engine: Engine,
        rulebook: Rulebook,
        topic: str,
        *,
        cache_facts: int = CACHE_FACTS,
        tell_backfilled: bool = False,
    ) -> None:
        self.engine = engine
        self.correlator = Correlator(
            engine, rulebook, topic=topic, cache_facts=cache_facts, tell_backfilled=tell_backfilled
        )
        self._has_place = False
        self._backoff = Backoff()
        # The partition that holds back the horizon, as it was last reported.
        self._reported: int | None = None

    def run(self, stop: threading.Event, poll_seconds: float, beat: Callable[[], None] = lambda: None) -> None:
        """
        Judge until *stop* is set. After a lost place or database it tries again without a limit.

        Args:
            stop: ends the loop.
            poll_seconds: the wait where there is nothing to do.
            beat: called every turn, as a sign of life.
        """
        while not stop.is_set():
            beat()
            try:
                more = self._turn()
                self._backoff.reset()
            except PartitionLost:
                self._has_place = False
                self._pause(stop, "correlator_lost")
            except UNAVAILABLE as problem:
                self._has_place = False
                self._pause(stop, "database_failed", failed_with(problem))
            except Infrastructure:
                raise
            except Exception as problem:  # noqa: BLE001 - a failure over data must not end the projectors beside it
                self._has_place = False
                # Not the message: it may hold names.
                place = traceback.extract_tb(problem.__traceback__)[-1]
                self._pause(stop, "correlator_failed", f"{type(problem).__name__} at {place.filename}:{place.lineno}")
            else:
                if not more:
                    stop.wait(poll_seconds)

    def drain(self) -> bool:
        """
        Take all steps below the horizon of now.

        Returns:
            whether this process did; another one may be at work.
        """
        with only_one(self.engine, LOCK) as is_locked:
            if not is_locked:
                return False
            try:
                self.correlator.assign(datetime.now(UTC))
                self.correlator.catch_up(datetime.now(UTC))
            except PartitionLost:
                return False
        return True

    def _turn(self) -> bool:
        """Take the next steps, if this process has the place or can take it; return whether there are more."""
        with only_one(self.engine, LOCK) as is_locked:
            if not is_locked:
                self._has_place = False
                return False
            if not self._has_place:
                if self._is_taken():
                    return False
                checkpoint = self.correlator.assign(datetime.now(UTC))
                self._has_place = True
                if not self.correlator.idle:
                    logger.debug("correlator_taken_up", epoch=checkpoint.epoch)
            more = self.correlator.advance(datetime.now(UTC))
        if not self.correlator.idle:
            self._report_held_back()
        return more

    def _is_taken(self) -> bool:
        """Return whether another correlator has written just now; one that starts takes the place at once."""
        # The lock alone does not decide: it is free between two turns, and two would take the place from each other.
        if not self.correlator.checkpoint.epoch:
            return False
        progressed = self.correlator.stored().progressed
        return progressed is not None and abs(datetime.now(UTC) - progressed) < STAND_BY

    def _report_held_back(self) -> None:
        """Log once which partition holds back the horizon, and once that none does any more."""
        with self.engine.connect() as conn:
            marks = watermarks_of(conn, self.correlator.checkpoint.topic)
        partition = marks.held_back_by if marks.is_held_back else None
        if partition == self._reported:
            return
        self._reported = partition
        horizon = format_instant(marks.horizon) if marks.horizon else None
        if partition is None:
            logger.info("horizon_moves", horizon=horizon)
        else:
            logger.warning("horizon_held_back", partition=partition, horizon=horizon)

    def _pause(self, stop: threading.Event, event: str, error: str | None = None) -> None:
        seconds = self._backoff.fail()
        logger.warning(event, pause_seconds=round(seconds, 2), **({"error": error} if error else {}))
        stop.wait(seconds)
