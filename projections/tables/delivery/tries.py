"""The tries: the messages that are due, the start and the result of a try, and the state of a receiver."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, literal, or_, select, update

from projections.tables.database import in_values, values_parameter

from .schema import HAS_REFERENCE, WAITING, deliveries, receivers

table = deliveries.c
BUNDLES = frozenset({"digest", "summary"})
"""The kinds of messages that carry others."""


class Due(NamedTuple):
    """A message that is due. The fields are columns of ``deliveries``."""

    receiver: str
    number: int
    address: str
    notice_id: str
    kind: str
    alert_id: str | None
    partition: int | None
    n: int | None
    sequence: int
    data: Mapping[str, Any] | None
    decided_at: datetime
    tries: int
    told_at: datetime | None
    stored: bytes | None
    remind_seconds: int | None
    remind_at: datetime | None
    why: str | None


class ReceiverState(NamedTuple):
    """The state of a receiver. The fields are columns of ``receivers``."""

    receiver: str
    kind: str
    state: str
    since: datetime
    failures: int
    next_try: datetime | None
    last_answer: str | None
    gave_up_at: datetime | None


class Told(NamedTuple):
    """
    The messages about an alert of which an address was told before.

    Attributes:
        notice_id, reference: of the first one, or of the digest or summary that carried it.
        last_kind: the kind of the last one.
    """

    notice_id: str
    reference: str | None
    last_kind: str


class Result(NamedTuple):
    """
    The result of a try.

    Attributes:
        state: the new state of the message.
        answer: the receiver's answer.
        is_told: whether this try sent the whole message.
        why: the reason why it was given up.
        reference: the receiver's own reference.
        not_before: the earliest instant of the next try.
        takes_place: whether the message takes the next place in its feed.
        counts: whether the try counts among those after which a message is given up.
    """

    state: str
    answer: str
    is_told: bool
    why: str | None = None
    reference: str | None = None
    not_before: datetime | None = None
    takes_place: bool = False
    counts: bool = True


def receiver_state(conn: Connection, receiver: str) -> ReceiverState:
    """Return the state of a receiver that a notifier has served."""
    columns = [receivers.c[name] for name in ReceiverState._fields]
    return ReceiverState(*conn.execute(select(*columns).where(receivers.c.receiver == receiver)).one())


def all_receivers(conn: Connection) -> list[ReceiverState]:
    """Return the states of all receivers that a notifier has served, by their names."""
    columns = [receivers.c[name] for name in ReceiverState._fields]
    return [ReceiverState(*row) for row in conn.execute(select(*columns).order_by(receivers.c.receiver))]


def due_messages(conn: Connection, receiver: str, now: datetime, limit: int) -> list[Due]:
    """
    Return the next messages to try, at most *limit*, in their order.

    A message waits for an earlier one of the same alert and address, so that the tries for an alert start in order.
    Messages that a digest or a summary carries are left out, and those that wait for a digest: at its hour, they would
    go alone.
    """
    earlier = deliveries.alias()
    waits = exists().where(
        earlier.c.receiver == table.receiver,
        earlier.c.alert_id == table.alert_id,
        earlier.c.address == table.address,
        # With a sum SQLite searches by the alert; it would read all earlier messages of the receiver by their numbers.
        earlier.c.number + 0 < table.number,
        earlier.c.state == "queued",
        earlier.c.not_before > now,
    )
    query = (
        select(*(table[name] for name in Due._fields))
        .where(table.receiver == receiver, WAITING, table.state == "queued", table.bundle.is_(None))
        .where(or_(table.not_before.is_(None), table.not_before <= now), ~waits)
        .where(or_(table.why.is_(None), table.why != "digest"))
        .order_by(table.number)
        .limit(limit)
    )
    return [Due(*row) for row in conn.execute(query)]


def members(conn: Connection, receiver: str, bundle: int) -> list[Due]:
    """Return the messages that the digest or summary number *bundle* carries and that were not dropped."""
    query = (
        select(*(table[name] for name in Due._fields))
        .where(table.receiver == receiver, table.bundle.is_not(None), table.bundle == bundle)
        .where(table.state == "queued")
        .order_by(table.number + 0)
    )
    return [Due(*row) for row in conn.execute(query)]


def told_before(conn: Connection, rows: Sequence[Due]) -> dict[int, Told]:
    """
    Return, by the number of each of *rows*, the messages about its alert of which its address was told before.

    All rows are of one receiver. One that tells an address of its alert for the first time has no entry. A
    message that is sent again is not its own earlier message.
    """
    alert_ids = {row.alert_id for row in rows if row.alert_id}
    if not alert_ids:
        return {}
    carrier = deliveries.alias()
    joined = and_(carrier.c.receiver == table.receiver, carrier.c.number == table.bundle)
    query = (
        select(
            table.alert_id,
            table.address,
            table.number,
            table.notice_id.label("own_id"),
            func.coalesce(carrier.c.notice_id, table.notice_id).label("notice_id"),
            func.coalesce(carrier.c.reference, table.reference).label("reference"),
            table.kind,
            table.told_at,
        )
        .outerjoin(carrier, joined)
        .where(table.receiver == rows[0].receiver, in_values(conn.dialect.name, table.alert_id))
        .order_by(table.number + 0)  # by the alert, as in `due_messages`
    )
    told: dict[tuple[str, str], list[Any]] = {}
    for message in conn.execute(query, values_parameter(conn, alert_ids)):
        if message.told_at is not None:
            told.setdefault((message.alert_id, message.address), []).append(message)
    before = {
        row.number: [
            message
            for message in told.get((row.alert_id or "", row.address), ())
            if message.number < row.number and message.own_id != row.notice_id
        ]
        for row in rows
    }
    return {number: Told(own[0].notice_id, own[0].reference, own[-1].kind) for number, own in before.items() if own}


def told_since(conn: Connection, receiver: str, since: datetime) -> int:
    """Return the number of openings of which *receiver* was told after *since*, each message counted once."""
    query = select(func.count()).where(table.receiver == receiver, table.kind.in_(["open", "summary"]))
    query = query.where(table.told_at.is_not(None))
    return int(conn.execute(query.where(table.told_at > since, table.bundle.is_(None))).scalar_one())


def begin_try(conn: Connection, due: Due, now: datetime, stored: bytes | None) -> bool:
    """
    Record that a try begins; return False if the message waits no more, such as after a bounce that a person recorded.

    If the result of the try before is not known, the address may have been told then, and counts as told.
    """
    told = case((and_(table.trying, table.told_at.is_(None)), table.tried_at), else_=table.told_at)
    values = {"tries": table.tries + 1, "tried_at": now, "trying": True, "told_at": told}
    here = and_(table.receiver == due.receiver, _own_rows(due), table.state == "queued")
    if conn.execute(update(deliveries).where(here).values(**values)).rowcount == 0:
        return False
    if stored is not None:
        only = and_(table.receiver == due.receiver, table.number == due.number)
        conn.execute(update(deliveries).where(only).values(stored=stored))
    return True


def finish_try(conn: Connection, due: Due, now: datetime, result: Result) -> None:
    """Record the *result* of a try, for a digest or summary also in the messages that it carries."""
    values: dict[str, Any] = {
        "state": result.state,
        "why": result.why,
        "last_answer": result.answer,
        "not_before": result.not_before,
        "trying": False,
        "reference": func.coalesce(result.reference, table.reference),
    }
    if result.takes_place:
        values["reference"] = place_text(last_place(conn, due.receiver) + 1)
    if result.is_told:
        values["told_at"] = func.coalesce(table.told_at, _instant(now))
        if due.remind_seconds is not None:
            remind_at = now + timedelta(seconds=due.remind_seconds)
            values["remind_at"] = func.coalesce(table.remind_at, _instant(remind_at))
    if not result.counts:
        values["tries"] = table.tries - 1
    here = and_(table.receiver == due.receiver, _own_rows(due), table.state == "queued")
    conn.execute(update(deliveries).where(here).values(**values))


def last_place(conn: Connection, receiver: str) -> int:
    """Return the place of the newest message in the feed of *receiver*; 0: it is empty."""
    newest = conn.scalar(select(func.max(table.reference)).where(table.receiver == receiver, HAS_REFERENCE))
    return int(newest or 0)


def place_text(place: int) -> str:
    """Return a place in a feed as a reference, in a form that sorts as the number does."""
    return f"{place:012}"


def _own_rows(due: Due) -> ColumnElement[bool]:
    """Return the condition of the row of *due* and, for a digest or summary, of the rows that it carries."""
    if due.kind in BUNDLES:
        return and_(WAITING, or_(table.number == due.number, table.bundle == due.number))
    return table.number == due.number


def with_given_up(state: ReceiverState, kind: str, now: datetime) -> ReceiverState:
    """
    Return *state* after a message of *kind* was given up.

    A message to operators that is given up does not count: they would be told of it by another one without an end.
    """
    return state if kind == "failure" else state._replace(gave_up_at=now)


def put_state(conn: Connection, state: ReceiverState) -> None:
    """Write the state of a receiver."""
    values = state._asdict()
    here = receivers.c.receiver == values.pop("receiver")
    conn.execute(update(receivers).where(here).values(**values))


def _instant(instant: datetime) -> ColumnElement[datetime]:
    """Return *instant* with the type of the column. With a type of its own, SQLite would store it without a zone."""
    return literal(instant, table.told_at.type)
