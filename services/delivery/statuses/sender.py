"""Writes the status of each person whose status has changed to the topic of statuses."""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

import structlog
from pydantic_core import to_json
from sqlalchemy import Engine

from events.edtf import BEGINNING, format_instant
from events.errors import Unreachable
from projections.queries.subjects import statuses_with_ids
from projections.subjects.shapes import StatusJson
from projections.tables.database import snapshot
from projections.tables.delivery.ownership import Ownership, ReceiverLost, owned
from projections.tables.delivery.status_records import (
    StatusRecord,
    acknowledge,
    changed_by_records,
    changed_by_time,
    due_times,
    last_sequence,
    people_after,
    put_read,
    put_records,
    records_of,
    unacknowledged,
)
from projections.tables.delivery.tries import put_state, receiver_state
from services.delivery.serving import Holding, take_turns

from .record import NewStatus, Sent

PAGE: Final = 200
SWEEP_PAGE: Final = 100
SWEEP_EVERY: Final = timedelta(seconds=5)
"""The time between two pages of the comparison of all people, which finds the changes of a rebuild."""
REFUSED_FOR: Final = timedelta(minutes=1)
"""The time until records without an acknowledgement are written again."""
EXTEND_EVERY: Final = timedelta(seconds=20)

logger = structlog.get_logger()


class Topic(Protocol):
    """A connection to the topic."""

    def send(self, records: Iterable[NewStatus], goes_on: Callable[[], bool]) -> Sent:
        """Write *records*."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Work(NamedTuple):
    """
    The people to look at, and their present state.

    Attributes:
        people: the people.
        read: the rows of the ledger that are taken into account with them, by partition.
        statuses: their statuses; nobody else has one.
        due: when time can next change each of them.
        before: the last record about each of them.
        last: the number of the last record ever.
    """

    people: frozenset[str]
    read: Mapping[int, int]
    statuses: Mapping[str, StatusJson]
    due: Mapping[str, datetime | None]
    before: Mapping[str, StatusRecord]
    last: int


class StatusSender:
    """
    Writes statuses to one receiver.

    The records are written down before they are sent, and acknowledged afterwards. So a notifier that takes the
    receiver over writes again those that the last one may have been sending, each with a higher number.

    Args:
        engine: the database.
        receiver: the name of the receiver.
        owner: the name of the notifier, different from that of each other one.
        connect: opens a connection; called again after a failure.
        clock: returns the present instant; aware UTC.
    """

    def __init__(
        self,
        engine: Engine,
        receiver: str,
        owner: str,
        connect: Callable[[], Topic],
        clock: Callable[[], datetime],
    ) -> None:
        self.engine = engine
        self.receiver = receiver
        self.clock = clock
        self._connect = connect
        self._topic: Topic | None = None
        self._holding = Holding(engine, receiver, "kafka", owner)
        self._swept, self._swept_at = "", BEGINNING
        self._retry_at = self._extended_at = BEGINNING

    def run(self, stop: threading.Event, poll_seconds: float, beat: Callable[[], None]) -> None:
        """
        Write until *stop* is set; after a failure it tries again without a limit.

        Raises:
            Infrastructure: if the topic is missing, or does not keep the last record of each person.
        """

        def turn(goes_on: Callable[[], bool]) -> float:
            return self._holding.pause_seconds(poll_seconds, is_idle=not self.turn(goes_on))

        try:
            take_turns(turn, stop, beat, self._unreachable)
        finally:
            self.close()

    def turn(self, goes_on: Callable[[], bool]) -> bool:
        """
        Write the next statuses; return whether there was something to do.

        Raises:
            Infrastructure: as for `run`.
            Unreachable: if the broker does not answer.
            SQLAlchemyError: if the database failed.
        """
        own = self._holding.take()
        if own is None:
            return False
        try:
            self._topic = self._topic or self._connect()
            return self._serve(own, self._topic, goes_on)
        except ReceiverLost:
            self._holding.lose()
            self._disconnect()
            return False

    def close(self) -> None:
        """Give the receiver up, and close the connection."""
        self._disconnect()
        self._holding.release()

    def _serve(self, own: Ownership, topic: Topic, goes_on: Callable[[], bool]) -> bool:
        now = self.clock()
        work = self._work(now)
        changes = compared(work, now)
        if not (changes.rows or work.read) and now < self._extended_at + EXTEND_EVERY:
            return False
        with owned(self.engine, own) as conn:
            if changes.rows:
                put_records(conn, own.receiver, changes.rows, changes.last)
            put_read(conn, own.receiver, work.read)
        self._extended_at = now
        if changes.records:
            self._send(own, topic, changes, goes_on)
        return bool(changes.records or work.read)

    def _work(self, now: datetime) -> Work:
        with snapshot(self.engine) as conn:
            changed = changed_by_records(conn, self.receiver, PAGE)
            people = changed.subject_ids.union(changed_by_time(conn, self.receiver, PAGE))
            if now >= self._retry_at:
                people = people.union(unacknowledged(conn, self.receiver, PAGE))
            if not people and now >= self._swept_at + SWEEP_EVERY:
                page = people_after(conn, self.receiver, self._swept, SWEEP_PAGE)
                self._swept, self._swept_at = page[-1] if page else "", now
                people = people.union(page)
            return Work(
                people,
                changed.read,
                statuses_with_ids(conn, sorted(people)) if people else {},
                due_times(conn, people) if people else {},
                records_of(conn, self.receiver, people) if people else {},
                last_sequence(conn, self.receiver),
            )

    def _send(self, own: Ownership, topic: Topic, changes: "Changes", goes_on: Callable[[], bool]) -> None:
        """
        Write the records, and record those that were acknowledged.

        Raises:
            Unreachable: if the broker did not answer for all.
        """
        sent = topic.send(changes.records, goes_on)
        now = self.clock()
        with owned(self.engine, own) as conn:
            acknowledge(conn, own.receiver, sent.acknowledged)
            before = receiver_state(conn, own.receiver)
            state = "failing" if sent.problem else "ok"
            since = before.since if state == before.state else now
            failures = before.failures + 1 if sent.problem else 0
            put_state(conn, before._replace(state=state, since=since, failures=failures, last_answer=sent.problem))
        logger.debug("statuses_sent", records=len(sent.acknowledged))
        if sent.refused:
            self._retry_at = now + REFUSED_FOR
            logger.warning("statuses_refused", records=sent.refused)
        if sent.problem:
            raise Unreachable(f"Kafka has not acknowledged all statuses: {sent.problem}")

    def _disconnect(self) -> None:
        if self._topic is not None:
            self._topic.close()
            self._topic = None

    def _unreachable(self, problem: Unreachable, seconds: float) -> None:
        self._disconnect()
        logger.warning("statuses_failed", error=str(problem), pause_seconds=round(seconds, 2))


class Changes(NamedTuple):
    """
    The result of a comparison.

    Attributes:
        records: the records to send.
        rows: the rows to write down, of these and of people with another instant at which time can change them.
        last: the number of the last record ever.
    """

    records: list[NewStatus]
    rows: list[StatusRecord]
    last: int


def compared(work: Work, now: datetime) -> Changes:
    """Compare the present statuses with the last records, and number those that differ after the last one ever."""
    records, rows, last = [], [], work.last
    for subject_id in sorted(work.people):
        status, before = work.statuses.get(subject_id), work.before.get(subject_id)
        if status is None and before is None:
            continue
        digest = sha256(to_json(status)).hexdigest() if status is not None else ""
        partition = status["position"]["partition"] if status is not None else before.partition if before else 0
        is_sent = before is not None and before.acknowledged and before.digest == digest
        if before is None or not is_sent:
            last += 1
            records.append(NewStatus(last, subject_id, format_instant(now), status))
        sequence = before.sequence if before is not None and is_sent else last
        row = StatusRecord(subject_id, partition, sequence, digest, work.due.get(subject_id), is_sent)
        if row != before:
            rows.append(row)
    return Changes(records, rows, last)
