"""
The rows of a feed: the messages to its receiver, in the order in which it got them.

Each message has a place, from 1. A later message about the same alert, or about the clearing of the same person, takes
the place of the earlier one, which is never read again.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from projections.tables.database import in_values, values_parameter

from .schema import HAS_REFERENCE, deliveries, delivery_people, receivers
from .tries import Due, place_text

CLEARINGS = ("cleared", "cleared_withdrawn")

table, people = deliveries.c, delivery_people.c


class FeedRow(NamedTuple):
    """
    A message in a feed.

    Attributes:
        due: the message.
        is_latest: whether no later message replaces it.
    """

    due: Due
    is_latest: bool

    @property
    def told_at(self) -> datetime:
        """Since when the feed has it."""
        assert self.due.told_at is not None, "a message with a place was told"
        return self.due.told_at


def feed_began(conn: Connection, receiver: str) -> datetime | None:
    """Return when a notifier first served the feed of *receiver*; None: none has."""
    began: datetime | None = conn.scalar(select(receivers.c.added_at).where(receivers.c.receiver == receiver))
    return began


def feed_rows(conn: Connection, receiver: str, first: int, last: int) -> list[FeedRow]:
    """Return the messages of a feed from the place *first* to the place *last*, the newest first."""
    query = (
        select(*(table[name] for name in Due._fields), ~_is_replaced())
        .where(table.receiver == receiver, HAS_REFERENCE)
        .where(table.reference.between(place_text(first), place_text(last)))
        .order_by(table.reference.desc())
    )
    return [FeedRow(Due(*row[:-1]), bool(row[-1])) for row in conn.execute(query)]


def first_told(conn: Connection, receiver: str, alert_ids: Iterable[str]) -> dict[str, datetime]:
    """Return since when the feed of *receiver* has each of *alert_ids*."""
    here = and_(table.receiver == receiver, HAS_REFERENCE, in_values(conn.dialect.name, table.alert_id))
    query = select(table.alert_id, func.min(table.told_at)).where(here).group_by(table.alert_id)
    return dict(conn.execute(query, values_parameter(conn, alert_ids)).all())


def last_clearings(conn: Connection, receiver: str, numbers: Iterable[int]) -> dict[int, datetime]:
    """Return since when the feed has the last clearing of a person that each of the messages *numbers* is about."""
    clearing = delivery_people.alias()
    query = (
        select(people.number, func.max(table.told_at))
        .join_from(delivery_people, clearing, clearing.c.subject_id == people.subject_id)
        .join(deliveries, and_(table.receiver == clearing.c.receiver, table.number == clearing.c.number))
        .where(people.receiver == receiver, people.number.in_([*numbers]), clearing.c.receiver == receiver)
        .where(table.kind.in_(CLEARINGS), HAS_REFERENCE)
        .group_by(people.number)
    )
    return dict(conn.execute(query).all())


def _is_replaced() -> ColumnElement[bool]:
    """Return the condition that a later message of the feed is about the same alert, or the same person's clearing."""
    later, alert, subject = deliveries.alias(), deliveries.alias(), delivery_people.alias()
    of_alert = exists().where(
        alert.c.alert_id == table.alert_id, alert.c.receiver == table.receiver, alert.c.reference > table.reference
    )
    of_clearing = exists().where(
        people.receiver == table.receiver,
        people.number == table.number,
        subject.c.subject_id == people.subject_id,
        subject.c.receiver == table.receiver,
        later.c.receiver == subject.c.receiver,
        later.c.number == subject.c.number,
        later.c.kind.in_(CLEARINGS),
        later.c.reference > table.reference,
    )
    return or_(of_alert, and_(table.kind.in_(CLEARINGS), of_clearing))
