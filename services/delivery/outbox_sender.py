"""Sends the rows of the outbox as they are to one receiver, such as Kafka, at least once and in order."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import structlog
from sqlalchemy import Engine

from events.errors import Unreachable
from projections.tables.outbox import Outgoing, alone, note_sent, outgoing, unsent
from services.runtime.backoff import Backoff

from .receiver import Receiver
from .serving import take_turns

PAGE_ROWS = 500
PAGE_BYTES = 8_000_000

logger = structlog.get_logger()


class OutboxSender:
    """
    Sends the outbox to one receiver.

    The cursor is moved after the rows are acknowledged, by compare and set. A notifier that is killed in between sends
    these rows again. If several notifiers serve one receiver, one of them sends the rows of a partition, and another
    takes over when it has gone. Each begins after the cursor and sends without a gap, so the receiver never gets a
    change before an earlier one. If a row is refused, its partition waits and the others go on.

    Args:
        engine: the database.
        receiver: the name of the receiver, under which its cursors are stored.
        connect: opens a connection to the receiver; called again after a row was refused.
    """

    def __init__(self, engine: Engine, receiver: str, connect: Callable[[], Receiver]) -> None:
        self.engine = engine
        self.receiver = receiver
        self._connect = connect
        self._connection: Receiver | None = None
        self._refused: dict[int, Backoff] = {}

    def run(self, stop: threading.Event, poll_seconds: float, beat: Callable[[], None]) -> None:
        """
        Send until *stop* is set; after a failure it tries again without a limit.

        Raises:
            Infrastructure: if a topic is missing, or this database was projected from another log.
        """

        def turn(_: Callable[[], bool]) -> float:
            return 0 if self.turn(stop, beat) else poll_seconds

        try:
            take_turns(turn, stop, beat, self._unreachable)
        finally:
            self._close()

    def turn(self, stop: threading.Event, beat: Callable[[], None]) -> bool:
        """
        Send a page of rows of each partition that has some; return whether a row was sent.

        Raises:
            Infrastructure: as for `run`.
            Unreachable: if the receiver does not answer while the connection is opened.
            SQLAlchemyError: if the database failed.
        """
        self._connection = self._connection or self._connect()
        with self.engine.connect() as conn:
            waiting = [cursor.partition for cursor in unsent(conn, self.receiver) if cursor.sent < cursor.last]
        due = [partition for partition in waiting if not self._is_pausing(partition)]
        sent = [self._send_page(partition, stop, beat) for partition in due]
        return any(sent)

    def _send_page(self, partition: int, stop: threading.Event, beat: Callable[[], None]) -> bool:
        connection = self._connection = self._connection or self._connect()
        with alone(self.engine, self.receiver, partition) as is_locked:
            if not is_locked:
                return False
            with self.engine.connect() as conn:
                # Read again: another notifier may have had the lock, and have moved the cursor.
                (cursor,) = [each for each in unsent(conn, self.receiver) if each.partition == partition]
                rows = list(_page(outgoing(conn, partition, cursor.sent, PAGE_ROWS)))
            if not rows:
                return False
            count, problem = connection.send(rows, stop, beat)
            if count and not note_sent(self.engine, self.receiver, cursor, rows[count - 1].n, datetime.now(UTC)):
                logger.info("sent_by_another_too", partition=partition, rows=count)
            logger.debug("outbox_sent", partition=partition, rows=count)
        backoff = self._refused.pop(partition, None)
        if problem is not None:
            self._refuse(partition, Backoff() if backoff is None or count else backoff, problem)
        return count > 0

    def _refuse(self, partition: int, backoff: Backoff, problem: Unreachable) -> None:
        """Pause *partition*, and close the connection: the next page needs a new one."""
        self._close()
        seconds = backoff.fail()
        self._refused[partition] = backoff
        logger.warning("relay_failed", partition=partition, error=str(problem), pause_seconds=round(seconds, 2))

    def _is_pausing(self, partition: int) -> bool:
        return partition in self._refused and self._refused[partition].is_pausing

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _unreachable(self, problem: Unreachable, seconds: float) -> None:
        self._close()
        logger.warning("relay_failed", error=str(problem), pause_seconds=round(seconds, 2))


def _page(rows: Iterator[Outgoing]) -> Iterator[Outgoing]:
    """Yield *rows* until their values are larger than a page."""
    size = 0
    for row in rows:
        yield row
        size += len(row.value or b"")
        if size > PAGE_BYTES:
            return
