"""The rows of `deliveries`: the earlier messages of an alert, the messages that wait, and the results of tries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, insert, or_, select, update

from projections.tables.database import in_values, values_parameter

from .schema import deliveries, delivery_people, mutes, receivers

table = deliveries.c
ENDS = ("resolved", "retracted", "superseded")
CLEARINGS = ("cleared", "cleared_withdrawn")
IS_TOLD = or_(table.told_at.is_not(None), table.trying)
"""Whether an address was told, or may have been: the process that tried may have ended before it knew the result."""


class Written(NamedTuple):
    """
    An earlier message, as far as a decision depends on it.

    Attributes:
        key: its alert or, for a clearing, its person.
        number, address, kind, not_before: as in the table.
        is_waiting: whether it is queued or held.
        is_told: whether its address was told, or may have been.
    """

    key: str
    number: int
    address: str
    kind: str
    is_waiting: bool
    is_told: bool
    not_before: datetime | None


class NewMessage(NamedTuple):
    """A message to write down. The fields are columns, and *people* are the people that it is about."""

    address: str
    notice_id: str
    kind: str
    alert_id: str | None
    partition: int | None
    n: int | None
    sequence: int
    state: str
    people: Sequence[str]
    why: str | None = None
    not_before: datetime | None = None
    remind_seconds: int | None = None
    data: Mapping[str, Any] | None = None


def messages_of_alerts(conn: Connection, receiver: str, alert_ids: Iterable[str]) -> Iterator[Written]:
    """Yield the messages to *receiver* about *alert_ids*, in their order."""
    query = _written(table.alert_id).where(in_values(conn.dialect.name, table.alert_id))
    return _yield(conn, query.where(table.receiver == receiver), alert_ids)


def messages_about(conn: Connection, receiver: str, subject_ids: Iterable[str]) -> Iterator[Written]:
    """Yield the messages to *receiver* about the alerts of *subject_ids*, in their order."""
    people = delivery_people.c
    joined = and_(people.receiver == table.receiver, people.number == table.number)
    query = _written(people.subject_id).join(delivery_people, joined)
    query = query.where(in_values(conn.dialect.name, people.subject_id), people.receiver == receiver)
    return _yield(conn, query.where(table.alert_id.is_not(None)), subject_ids)


def _written(key: ColumnElement[Any]) -> Select[Any]:
    return select(
        key, table.number, table.address, table.kind, table.state.in_(["queued", "held"]), IS_TOLD, table.not_before
    ).order_by(table.number + 0)  # the sum keeps SQLite from reading all messages of the receiver in this order


def _yield(conn: Connection, query: Select[Any], keys: Iterable[str]) -> Iterator[Written]:
    for row in conn.execute(query, values_parameter(conn, keys)):
        yield Written(row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5]), row[6])


def write_down(conn: Connection, receiver: str, messages: Sequence[NewMessage], now: datetime) -> int:
    """
    Write *messages* down behind the last one of *receiver*; return the number of the last one.

    A message with the id of one that the address already has is left out.
    """
    last = conn.execute(select(receivers.c.last).where(receivers.c.receiver == receiver)).scalar_one()
    present = {
        (row.address, row.notice_id)
        for row in conn.execute(
            select(table.address, table.notice_id).where(
                table.receiver == receiver, in_values(conn.dialect.name, table.notice_id)
            ),
            values_parameter(conn, {message.notice_id for message in messages}),
        )
    }
    new = [message for message in messages if (message.address, message.notice_id) not in present]
    if not new:
        return int(last)
    rows, people = [], []
    for number, message in enumerate(new, last + 1):
        values = message._asdict()
        people += [{"subject_id": person, "receiver": receiver, "number": number} for person in values.pop("people")]
        rows.append({**values, "receiver": receiver, "number": number, "decided_at": now, "tries": 0, "trying": False})
    conn.execute(insert(deliveries), rows)
    if people:
        conn.execute(insert(delivery_people), people)
    conn.execute(update(receivers).where(receivers.c.receiver == receiver).values(last=last + len(new)))
    return int(last) + len(new)


def muted_addresses(conn: Connection) -> frozenset[str]:
    """Return the addresses that get no openings, case-folded."""
    return frozenset(address.casefold() for address in conn.scalars(select(mutes.c.address)))


def drop(conn: Connection, receiver: str, numbers: Iterable[tuple[int, str]]) -> None:
    """Drop the messages with *numbers*, each for its reason: they are never sent."""
    for number, why in numbers:
        here = and_(table.receiver == receiver, table.number == number, table.state.in_(["queued", "held"]))
        conn.execute(update(deliveries).where(here).values(state="dropped", why=why, trying=False, remind_at=None))


def stop_reminders(conn: Connection, receiver: str, alert_ids: Iterable[str]) -> None:
    """Send no more reminders of *alert_ids* to *receiver*."""
    here = and_(table.receiver == receiver, table.remind_at.is_not(None), in_values(conn.dialect.name, table.alert_id))
    conn.execute(update(deliveries).where(here).values(remind_at=None), values_parameter(conn, alert_ids))
