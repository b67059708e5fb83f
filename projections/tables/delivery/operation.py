"""Reads for the messages about the work itself: receivers that fail, and weeks in which nothing happened."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, or_, select

from projections.tables.schema import APPLIED, ledger

from .schema import WAITING, deliveries, receivers


class Read(NamedTuple):
    """The facts that were recorded in a time: their number, and the number of their people."""

    facts: int
    people: int


class GivenUp(NamedTuple):
    """The number of messages that were given up, and the answer to the last one or the reason."""

    number: int
    answer: str


class ReceiverCounts(NamedTuple):
    """
    A receiver with the numbers of its messages.

    Attributes:
        receiver, kind, state, last_answer: columns of ``receivers``.
        queued, held, delivered, given_up: the numbers of messages in each state.
        oldest: the decision on the oldest message that is queued and waits for no digest; None: there is none.
    """

    receiver: str
    kind: str
    state: str
    last_answer: str | None
    queued: int
    held: int
    delivered: int
    given_up: int
    oldest: datetime | None


def receiver_counts(conn: Connection) -> list[ReceiverCounts]:
    """Return the receivers that a notifier has served, by their names, with the numbers of their messages."""
    table = deliveries.c
    counts = {
        (row.receiver, row.state): row.number
        for row in conn.execute(
            select(table.receiver, table.state, func.count().label("number")).group_by(table.receiver, table.state)
        )
    }
    # One that waits for its digest is not late; the digest itself counts from its hour.
    is_due = or_(table.why.is_(None), table.why != "digest")
    waiting = select(table.receiver, func.min(table.decided_at)).where(WAITING, table.state == "queued", is_due)
    oldest: dict[str, datetime] = dict(conn.execute(waiting.group_by(table.receiver)).all())
    table = receivers.c
    known = conn.execute(select(table.receiver, table.kind, table.state, table.last_answer).order_by(table.receiver))
    return [
        ReceiverCounts(
            receiver=row.receiver,
            kind=row.kind,
            state=row.state,
            last_answer=row.last_answer,
            queued=counts.get((row.receiver, "queued"), 0),
            held=counts.get((row.receiver, "held"), 0),
            delivered=counts.get((row.receiver, "delivered"), 0),
            given_up=counts.get((row.receiver, "given_up"), 0),
            oldest=oldest.get(row.receiver),
        )
        for row in known
    ]


def added_at(conn: Connection, receiver: str) -> datetime:
    """Return when a notifier first served *receiver*."""
    added: datetime = conn.execute(select(receivers.c.added_at).where(receivers.c.receiver == receiver)).scalar_one()
    return added


def waiting_count(conn: Connection, receiver: str) -> int:
    """Return the number of messages that wait for *receiver*."""
    query = select(func.count()).where(deliveries.c.receiver == receiver, WAITING, deliveries.c.state == "queued")
    return int(conn.execute(query).scalar_one())


def given_up(conn: Connection, receiver: str) -> GivenUp:
    """Return the messages to *receiver* that were given up, without those to operators."""
    table = deliveries.c
    here = (table.receiver == receiver, table.state == "given_up", table.kind != "failure")
    number = int(conn.execute(select(func.count()).where(*here)).scalar_one())
    last = select(func.coalesce(table.last_answer, table.why)).where(*here).order_by(table.number.desc()).limit(1)
    return GivenUp(number, conn.scalar(last) or "")


def oldest_due(conn: Connection) -> datetime | None:
    """Return the instant of the decision on the oldest message that is queued and may be sent; None: there is none."""
    table = deliveries.c
    query = select(func.min(table.decided_at)).where(WAITING, table.state == "queued", table.not_before.is_(None))
    oldest: datetime | None = conn.scalar(query)
    return oldest


def has_message(conn: Connection, receiver: str, notice_id: str) -> bool:
    """Return whether a message with *notice_id* to *receiver* is written down."""
    table = deliveries.c
    query = select(table.number).where(table.receiver == receiver, table.notice_id == notice_id).limit(1)
    return conn.scalar(query) is not None


def openings_between(conn: Connection, receiver: str, start: datetime, end: datetime) -> int:
    """Return the number of openings to *receiver* that were decided on from *start* until before *end*."""
    table = deliveries.c
    query = select(func.count()).where(table.receiver == receiver, table.kind.in_(["open", "change"]))
    return int(conn.execute(query.where(table.decided_at >= start, table.decided_at < end)).scalar_one())


def facts_between(conn: Connection, start: datetime, end: datetime) -> Read:
    """Return the facts that were recorded from *start* until before *end*."""
    query = select(func.count(), func.count(ledger.c.subject_id.distinct()))
    row = conn.execute(query.where(APPLIED, ledger.c.recorded >= start, ledger.c.recorded < end)).one()
    return Read(*row)
