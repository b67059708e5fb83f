"""The messages that wait: those that are held, reminders, and those that a digest or a summary carries."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, or_, select, union_all, update

from projections.tables.database import in_values, values_parameter
from projections.tables.schema import LIVE

from .schema import WAITING, deliveries, delivery_people
from .tries import Due

table = deliveries.c
COLUMNS = [table[name] for name in Due._fields]


def something_is_due(conn: Connection, receiver: str, now: datetime) -> bool:
    """Return whether the wait of a held message is over, or a reminder or a digest is due."""
    mine = table.receiver == receiver
    waiting = and_(mine, WAITING)
    wait = and_(waiting, table.state == "held", table.not_before <= now)
    digest = and_(
        waiting, table.state == "queued", table.why == "digest", table.bundle.is_(None), table.not_before <= now
    )
    reminder = and_(mine, table.remind_at.is_not(None), table.remind_at <= now)
    parts = [select(table.number).where(condition).limit(1).subquery() for condition in (wait, digest, reminder)]
    return conn.execute(union_all(*(select(part) for part in parts))).first() is not None


def held_messages(conn: Connection, receiver: str, after: int, now: datetime, limit: int) -> list[Due]:
    """Return the held messages after the number *after* whose wait, if they have one, is over; at most *limit*."""
    query = (
        select(*COLUMNS)
        .where(table.receiver == receiver, WAITING, table.state == "held", table.number > after)
        .where(or_(table.not_before.is_(None), table.not_before <= now))
        .order_by(table.number)
        .limit(limit)
    )
    return [Due(*row) for row in conn.execute(query)]


def queue(conn: Connection, row: Due, *, state: str, why: str | None, not_before: datetime | None) -> None:
    """Change the state of a message that waits."""
    here = and_(table.receiver == row.receiver, table.number == row.number)
    conn.execute(update(deliveries).where(here).values(state=state, why=why, not_before=not_before))


def reminders_due(conn: Connection, receiver: str, now: datetime, limit: int) -> list[Due]:
    """Return the messages whose reminder is due, at most *limit*."""
    query = select(*COLUMNS).where(table.receiver == receiver, table.remind_at <= now).order_by(table.remind_at)
    return [Due(*row) for row in conn.execute(query.limit(limit))]


def set_reminder(conn: Connection, row: Due, at: datetime | None) -> None:
    """Set the instant of the next reminder of a message; None: none is sent."""
    here = and_(table.receiver == row.receiver, table.number == row.number)
    conn.execute(update(deliveries).where(here).values(remind_at=at))


def digest_members(conn: Connection, receiver: str, why: str, now: datetime) -> list[Due]:
    """Return the messages that wait for a digest and are due, by address and in their order."""
    query = (
        select(*COLUMNS)
        .where(table.receiver == receiver, WAITING, table.state == "queued", table.why == why)
        .where(table.bundle.is_(None), table.not_before <= now)
        .order_by(table.address, table.number)
    )
    return [Due(*row) for row in conn.execute(query)]


def carry(conn: Connection, receiver: str, numbers: Sequence[int], carrier: int) -> None:
    """Let the digest or summary number *carrier* carry the messages *numbers*."""
    here = and_(table.receiver == receiver, table.number.in_(numbers))
    conn.execute(update(deliveries).where(here).values(bundle=carrier))


def people_of_messages(conn: Connection, receiver: str, numbers: Sequence[int]) -> list[str]:
    """Return the people that the messages *numbers* are about, each once and sorted."""
    people = delivery_people.c
    query = select(people.subject_id).where(people.receiver == receiver, people.number.in_(numbers)).distinct()
    return list(conn.scalars(query.order_by(people.subject_id)))


def states_of(conn: Connection, alert_ids: Iterable[str]) -> dict[str, str]:
    """Return the state of each of *alert_ids*."""
    alerts = LIVE.alerts.c
    query = select(alerts.alert_id, alerts.state).where(in_values(conn.dialect.name, alerts.alert_id))
    return {row.alert_id: row.state for row in conn.execute(query, values_parameter(conn, alert_ids))}
