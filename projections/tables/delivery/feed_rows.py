"""
The rows of a feed: the messages to its receiver, in the order in which it got them.

Each message has a place, from 1. A later message about the same alert, or about the clearing of the same person, takes
the place of the earlier one, which is never read again.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, case, func, select

from projections.tables.database import in_values, values_parameter

from .messages import CLEARINGS
from .schema import HAS_REFERENCE, deliveries, delivery_people, receivers
from .tries import Due, place_text

table, people = deliveries.c, delivery_people.c

# The messages without a place are left out here and not by a condition: with one, SQLite would read the whole feed by
# the index of places, for each page.
_TOLD = case((table.reference.is_not(None), table.told_at))
_SPAN = (func.min(_TOLD), func.max(_TOLD), func.max(table.reference))


class FeedRow(NamedTuple):
    """
    A message in a feed.

    Attributes:
        due: the message.
        is_latest: whether no later message replaces it.
        published: since when the feed has its alert; of another message, since when the feed has it.
        updated: since when the feed has it, or the last clearing of a person that it is about, which its text names.
    """

    due: Due
    is_latest: bool
    published: datetime
    updated: datetime


class Span(NamedTuple):
    """
    The messages of a feed about one alert, or about the clearing of one person.

    Attributes:
        began: since when the feed has the first one.
        changed: since when it has the last one.
        last: the place of the last one.
    """

    began: datetime
    changed: datetime
    last: str


def feed_began(conn: Connection, receiver: str) -> datetime | None:
    """Return when a notifier first served the feed of *receiver*; None: none has."""
    began: datetime | None = conn.scalar(select(receivers.c.added_at).where(receivers.c.receiver == receiver))
    return began


def feed_rows(conn: Connection, receiver: str, first: int, last: int) -> list[FeedRow]:
    """Return the messages of a feed from the place *first* to *last*, the newest first, by three statements."""
    query = (
        select(*(table[name] for name in Due._fields), table.reference)
        .where(table.receiver == receiver, HAS_REFERENCE)
        .where(table.reference.between(place_text(first), place_text(last)))
        .order_by(table.reference.desc())
    )
    rows = [(Due(*row[:-1]), row[-1]) for row in conn.execute(query)]
    alerts = _alerts(conn, receiver, {due.alert_id for due, _ in rows if due.alert_id})
    clearings = _clearings(conn, receiver, [due.number for due, _ in rows])
    return [_row(due, place, alerts.get(due.alert_id or ""), clearings.get(due.number)) for due, place in rows]


def _row(due: Due, place: str, alert: Span | None, clearing: Span | None) -> FeedRow:
    assert due.told_at is not None, "a message with a place was told"
    own = clearing if due.kind in CLEARINGS else alert
    updated = max(due.told_at, clearing.changed) if clearing else due.told_at
    return FeedRow(due, own is None or own.last == place, alert.began if alert else due.told_at, updated)


def _alerts(conn: Connection, receiver: str, alert_ids: Iterable[str]) -> dict[str, Span]:
    """Return the messages about each of *alert_ids*."""
    query = select(table.alert_id, *_SPAN).where(
        table.receiver == receiver, in_values(conn.dialect.name, table.alert_id)
    )
    rows = conn.execute(query.group_by(table.alert_id), values_parameter(conn, alert_ids))
    return {key: Span(*span) for key, *span in rows}


def _clearings(conn: Connection, receiver: str, numbers: Iterable[int]) -> dict[int, Span]:
    """Return the messages on the clearing of a person that each of the messages *numbers* is about."""
    clearing = delivery_people.alias()
    query = (
        select(people.number, *_SPAN)
        .join_from(delivery_people, clearing, clearing.c.subject_id == people.subject_id)
        .join(deliveries, and_(table.receiver == clearing.c.receiver, table.number == clearing.c.number))
        .where(people.receiver == receiver, people.number.in_([*numbers]), clearing.c.receiver == receiver)
        .where(table.kind.in_(CLEARINGS))
        .group_by(people.number)
    )
    return {number: Span(*span) for number, *span in conn.execute(query) if span[-1] is not None}
