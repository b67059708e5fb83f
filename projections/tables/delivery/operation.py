"""Reads for the messages about the work itself: receivers that fail, and weeks in which nothing happened."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from projections.tables.schema import APPLIED, OF_LOG, ledger, partitions

from .schema import WAITING, deliveries, receivers


class Read(NamedTuple):
    """The facts that were recorded in a time: their number, and the number of their people."""

    facts: int
    people: int


def added_at(conn: Connection, receiver: str) -> datetime:
    """Return when a notifier first served *receiver*."""
    added: datetime = conn.execute(select(receivers.c.added_at).where(receivers.c.receiver == receiver)).scalar_one()
    return added


def waiting_count(conn: Connection, receiver: str) -> int:
    """Return the number of messages that wait for *receiver*."""
    query = select(func.count()).where(deliveries.c.receiver == receiver, WAITING, deliveries.c.state == "queued")
    return int(conn.execute(query).scalar_one())


def oldest_due(conn: Connection) -> datetime | None:
    """Return the instant of the decision on the oldest message that is queued and may be sent; None: there is none."""
    table = deliveries.c
    query = select(func.min(table.decided_at)).where(table.state == "queued", table.not_before.is_(None))
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


def lowest_watermark(conn: Connection) -> datetime | None:
    """Return the lowest watermark of the partitions of the log; None: one has none yet."""
    marks = list(conn.scalars(select(partitions.c.watermark).where(OF_LOG)))
    return min(marks) if marks and None not in marks else None
