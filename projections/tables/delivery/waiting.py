"""The messages that wait: those that are held, reminders, and those that a digest or a summary carries."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, or_, select, update

from projections.tables.database import in_values, values_parameter
from projections.tables.schema import LIVE

from .schema import TIMED, WAITING, deliveries, delivery_people
from .tries import Due

table = deliveries.c
COLUMNS = [table[name] for name in Due._fields]
CHUNK = 500


class Carried(NamedTuple):
    """A message that a digest or a summary is to carry. The fields are columns of ``deliveries``."""

    address: str
    alert_id: str | None
    number: int
    sequence: int


def something_is_due(conn: Connection, receiver: str, now: datetime) -> bool:
    """Return whether the wait of a held message is over, or a reminder or a digest is due."""
    timed = and_(table.receiver == receiver, TIMED, table.not_before <= now)
    conditions = (
        and_(timed, table.why == "wait"),
        and_(timed, table.why == "digest"),
        and_(table.receiver == receiver, table.remind_at.is_not(None), table.remind_at <= now),
    )
    return bool(conn.scalar(select(or_(*(select(table.number).where(own).exists() for own in conditions)))))


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


def reminders_due(conn: Connection, receiver: str, after: Due | None, now: datetime, limit: int) -> list[Due]:
    """Return the messages whose reminder is due, by its instant, at most *limit*; those after *after*, if it is one."""
    query = select(*COLUMNS).where(table.receiver == receiver, table.remind_at.is_not(None), table.remind_at <= now)
    if after is not None:
        same = and_(table.remind_at == after.remind_at, table.number > after.number)
        query = query.where(table.remind_at >= after.remind_at, or_(table.remind_at > after.remind_at, same))
    return [Due(*row) for row in conn.execute(query.order_by(table.remind_at, table.number).limit(limit))]


def set_reminder(conn: Connection, row: Due, at: datetime | None) -> None:
    """Set the instant of the next reminder of a message; None: none is sent."""
    here = and_(table.receiver == row.receiver, table.number == row.number)
    conn.execute(update(deliveries).where(here).values(remind_at=at))


def digest_members(conn: Connection, receiver: str, now: datetime) -> Iterator[Carried]:
    """
    Yield the messages that wait for a digest and are due, a few in memory at a time.

    They come by address and by the first of their people, and those about one alert together and in their order.
    """
    people = delivery_people.c
    first = select(func.min(people.subject_id)).where(people.receiver == receiver, people.number == table.number)
    # Of all messages about the alert: a group may have another first person each time that it grows.
    person = func.min(first.scalar_subquery()).over(partition_by=(table.address, table.alert_id))
    query = (
        select(table.address, table.alert_id, table.number, table.sequence)
        .where(table.receiver == receiver, TIMED, table.why == "digest", table.not_before <= now)
        .order_by(table.address, person, table.alert_id, table.number)
    )
    with conn.execute(query.execution_options(yield_per=CHUNK)) as result:
        for row in result:
            yield Carried(*row)


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
