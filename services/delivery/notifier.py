"""The notifier: sends what is in the outbox to Kafka, at least once and in order."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from sqlalchemy import Engine

from events.errors import Unreachable
from projections.tables.database import AWAY
from projections.tables.outbox import Outgoing, alone, note_sent, outgoing, unsent
from services.database import failed_with

from .receiver import Receiver

RELAY = "kafka"
PAGE_ROWS = 500
PAGE_BYTES = 8_000_000
PAUSE_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

log = structlog.get_logger()


class Refused(NamedTuple):
    """How often in a row what one partition told was refused, and from when (monotonic) on it is tried again."""

    times: int
    until: float


class Notifier:
    """
    Sends what is in the outbox.

    What was sent is noted afterwards, by compare and set: a relay that is killed in between sends it again. Of several
    relays one sends what a partition told, and another takes over when it has gone. Each begins after what was noted
    and goes on without a gap, so nobody gets to see a change before the one that came before it. A partition of which
    a row is refused waits, and the others go on.

    Args:
        engine: the database.
        connect: makes a sender, again after one was refused something.
    """

    def __init__(self, engine: Engine, connect: Callable[[], Receiver]) -> None:
        self.engine = engine
        self._connect = connect
        self._sender: Receiver | None = None
        self._failures = 0
        self._refused: dict[int, Refused] = {}

    def run(self, stop: threading.Event, poll_seconds: float, beat: Callable[[], None]) -> None:
        """
        Send until *stop* is set; what fails is tried again for as long as it takes.

        Raises:
            Infrastructure: if a topic is missing, or this database was projected from another log.
        """
        try:
            while not stop.is_set():
                beat()
                try:
                    idle = not self.turn(stop, beat)
                    self._failures = 0
                except AWAY as problem:
                    self._pause(stop, "database_failed", failed_with(problem))
                except Unreachable as problem:
                    self._close()
                    self._pause(stop, "relay_failed", str(problem))
                else:
                    stop.wait(poll_seconds if idle else 0)
        finally:
            self._close()

    def turn(self, stop: threading.Event, beat: Callable[[], None]) -> bool:
        """
        Send a page of each partition that has told something; return whether anything was sent.

        Raises:
            Infrastructure: as for `run`.
            Unreachable: if the receiver does not answer at first.
            SQLAlchemyError: if the database failed.
        """
        self._sender = self._sender or self._connect()
        with self.engine.connect() as conn:
            waiting = [each.partition for each in unsent(conn, RELAY) if each.sent < each.last]
        now = time.monotonic()
        due = [each for each in waiting if each not in self._refused or self._refused[each].until <= now]
        sent = [self._send_page(partition, stop, beat) for partition in due]
        return any(sent)

    def _send_page(self, partition: int, stop: threading.Event, beat: Callable[[], None]) -> bool:
        sender = self._sender = self._sender or self._connect()
        with alone(self.engine, partition) as mine:
            if not mine:
                return False
            with self.engine.connect() as conn:
                # Looked up again: whoever had the lock before us may have sent some.
                (before,) = [each for each in unsent(conn, RELAY) if each.partition == partition]
                rows = list(_page(outgoing(conn, partition, before.sent, PAGE_ROWS)))
            if not rows:
                return False
            count, problem = sender.send(rows, stop, beat)
            if count and not note_sent(self.engine, RELAY, before, rows[count - 1].n, datetime.now(UTC)):
                log.info("sent_by_another_too", partition=partition, rows=count)
            log.debug("outbox_sent", partition=partition, rows=count)
        before_that = self._refused.pop(partition, None)
        if problem is not None:
            self._refuse(partition, 0 if before_that is None or count else before_that.times + 1, problem)
        return count > 0

    def _refuse(self, partition: int, times: int, problem: Unreachable) -> None:
        """Let *partition* wait, and begin anew with another sender."""
        self._close()
        seconds = _pause_seconds(times)
        self._refused[partition] = Refused(times, time.monotonic() + seconds)
        log.warning("relay_failed", partition=partition, error=str(problem), pause_seconds=round(seconds, 2))

    def _close(self) -> None:
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def _pause(self, stop: threading.Event, event: str, error: str) -> None:
        seconds = _pause_seconds(self._failures)
        self._failures += 1
        log.warning(event, error=error, pause_seconds=round(seconds, 2))
        stop.wait(seconds)


def _pause_seconds(times: int) -> float:
    """Return how long to pause after so many failures in a row; so that two that failed together do not meet again."""
    return PAUSE_SECONDS[min(times, len(PAUSE_SECONDS) - 1)] * random.uniform(0.5, 1.5)  # noqa: S311 - not a secret


def _page(rows: Iterator[Outgoing]) -> Iterator[Outgoing]:
    """Yield *rows* until they are many bytes."""
    size = 0
    for row in rows:
        yield row
        size += len(row.value or b"")
        if size > PAGE_BYTES:
            return
