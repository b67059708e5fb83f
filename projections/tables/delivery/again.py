"""The messages that a person sends again, and those that bounced: no row is lost, and a new try has a new one."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from events.edtf import format_instant

from .messages import CLEARINGS, ENDS, IS_TOLD
from .schema import deliveries, delivery_people, receivers
from .tries import BUNDLES

table, people = deliveries.c, delivery_people.c
BOUNCED = "bounced"
NEVER_HAD_IT = "the opening bounced"


class Past(NamedTuple):
    """
    The last row of a notice for an address.

    Attributes:
        is_told: whether this row told the address, or may have.
        others: the fields before it are columns of ``deliveries``.
    """

    receiver: str
    number: int
    address: str
    notice_id: str
    kind: str
    alert_id: str | None
    partition: int | None
    n: int | None
    state: str
    why: str | None
    last_answer: str | None
    told_at: datetime | None
    tried_at: datetime | None
    bundle: int | None
    is_told: bool


class Queued(NamedTuple):
    """The state in which a message is written down again: queued, or held by a silence. As in `Decided`."""

    state: str = "queued"
    why: str | None = None
    not_before: datetime | None = None


def past_messages(conn: Connection, notice_id: str) -> list[Past]:
    """
    Return the last message of a notice to each address, by receiver and address.

    In place of a digest or a summary come the messages that it carried last.
    """
    rows = _past(conn, table.notice_id == notice_id)
    last = {(row.receiver, row.address, row.notice_id): row for row in rows if row.kind not in BUNDLES}
    for bundle in rows:
        if bundle.kind in BUNDLES:
            here = and_(table.receiver == bundle.receiver, table.bundle.is_not(None), table.bundle == bundle.number)
            # The last row of each, since one of them may have been sent again alone.
            past = past_of_receiver(conn, bundle.receiver, {row.notice_id for row in _past(conn, here)})
            last |= {(row.receiver, *key): row for key, row in past.items() if row.address == bundle.address}
    return [last[key] for key in sorted(last)]


def carriers(conn: Connection, notice_id: str) -> list[Past]:
    """Return the rows that went out for a notice, the digest or summary in place of a message that it carried."""
    rows = _past(conn, table.notice_id == notice_id)
    found = [row for row in rows if row.bundle is None]
    for row in rows:
        if row.bundle is not None:
            found += _past(conn, and_(table.receiver == row.receiver, table.number == row.bundle))
    return [*{(row.receiver, row.number): row for row in found}.values()]


def past_of_receiver(conn: Connection, receiver: str, notice_ids: Iterable[str]) -> dict[tuple[str, str], Past]:
    """Return the last row of each of *notice_ids* for each address of *receiver*, by the address and the notice."""
    rows = [row for own in sorted({*notice_ids}) for row in _past(conn, table.notice_id == own)]
    return {(row.address, row.notice_id): row for row in rows if row.receiver == receiver}


def later_message(conn: Connection, row: Past) -> str | None:
    """Return the id of the last notice of the same alert that was decided on for the address after *row*."""
    query = select(table.notice_id).where(
        table.receiver == row.receiver, table.address == row.address, table.alert_id == row.alert_id, table.n > row.n
    )
    return conn.scalar(query.order_by(table.n.desc()).limit(1))


def is_told_of(conn: Connection, receiver: str, address: str, alert_id: str | None) -> bool:
    """Return whether an address was told of an alert, or may have been."""
    here = and_(table.receiver == receiver, table.address == address, table.alert_id == alert_id)
    return conn.scalar(select(table.number).where(here, IS_TOLD).limit(1)) is not None


def is_told_about_people_of(conn: Connection, row: Past) -> bool:
    """Return whether the address of *row* was told of an alert about a person that it is about."""
    other = delivery_people.alias()
    query = (
        select(table.number)
        .join(other, and_(other.c.receiver == table.receiver, other.c.number == table.number))
        .join(delivery_people, and_(people.subject_id == other.c.subject_id, people.receiver == other.c.receiver))
        .where(people.receiver == row.receiver, people.number == row.number)
        .where(table.address == row.address, table.alert_id.is_not(None), IS_TOLD)
    )
    return conn.scalar(query.limit(1)) is not None


def people_of(conn: Connection, row: Past) -> list[str]:
    """Return the people that a message is about."""
    query = select(people.subject_id).where(people.receiver == row.receiver, people.number == row.number)
    return list(conn.scalars(query.order_by(people.subject_id)))


def send_again(conn: Connection, messages: Sequence[tuple[Past, Queued]], now: datetime) -> None:
    """
    Write *messages*, all of one receiver, down again behind its last one, with the ids that they have.

    A message that told its address keeps the reminders of its first row.
    """
    if not messages:
        return
    receiver = messages[0][0].receiver
    here = receivers.c.receiver == receiver
    last: int = conn.execute(select(receivers.c.last).where(here)).scalar_one()
    for number, (row, queued) in enumerate(messages, last + 1):
        old = conn.execute(select(deliveries).where(_is(row))).mappings().one()
        new: dict[Any, Any] = {**old, **queued._asdict(), "number": number, "decided_at": now, "tries": 0}
        new |= dict.fromkeys(("tried_at", "last_answer", "reference", "told_at", "bundle", "stored", "remind_at"))
        new |= {"trying": False, "remind_seconds": None if row.is_told else old["remind_seconds"]}
        conn.execute(insert(deliveries).values(new))
        persons = [{"subject_id": own, "receiver": receiver, "number": number} for own in people_of(conn, row)]
        if persons:
            conn.execute(insert(delivery_people), persons)
    conn.execute(update(receivers).where(here).values(last=last + len(messages)))


def record_bounce(conn: Connection, carrier: Past, now: datetime) -> int:
    """
    Record that the mail *carrier* never reached its address; return the number of messages that are dropped for it.

    The mail and all that it carried count as not told. So an end that waits for an address that was told of nothing
    else is dropped, and so is a clearing. A message that was dropped or given up before the mail went stays so.
    """
    own = and_(table.receiver == carrier.receiver, table.bundle.is_not(None), table.bundle == carrier.number)
    rows = [carrier, *(row for row in _past(conn, own) if row.is_told)]
    for row in rows:
        told = f"told {format_instant(at)}" if (at := row.told_at or row.tried_at) else "never told"
        answer = f"{BOUNCED} {now.date()} by hand ({told}: {row.last_answer or 'no answer'})"
        values = {"state": "given_up", "why": BOUNCED, "last_answer": answer, "told_at": None}
        conn.execute(update(deliveries).where(_is(row)).values(**values, trying=False, remind_at=None))
    dropped = [row.number for row in _waiting_in_vain(conn, rows)]
    gone = and_(table.receiver == carrier.receiver, table.number.in_(dropped))
    conn.execute(update(deliveries).where(gone).values(state="dropped", why=NEVER_HAD_IT, trying=False))
    return len(dropped)


def _waiting_in_vain(conn: Connection, bounced: Iterable[Past]) -> Iterator[Past]:
    """Yield the ends and the clearings that wait for the address of *bounced*, which was told of nothing else."""
    first, *_ = rows = list(bounced)
    mine = and_(table.receiver == first.receiver, table.address == first.address, table.state.in_(["queued", "held"]))
    for alert_id in sorted({row.alert_id for row in rows if row.alert_id}):
        if not is_told_of(conn, first.receiver, first.address, alert_id):
            yield from _past(conn, and_(mine, table.alert_id == alert_id, table.kind.in_(ENDS)))
    for row in _past(conn, and_(mine, table.kind.in_(CLEARINGS))):
        if not is_told_about_people_of(conn, row):
            yield row


def _past(conn: Connection, here: ColumnElement[bool]) -> list[Past]:
    columns: list[ColumnElement[Any]] = [*(table[name] for name in Past._fields[:-1]), IS_TOLD]
    query = select(*columns).where(here).order_by(table.receiver, table.number + 0)
    return [Past(*row) for row in conn.execute(query)]


def _is(row: Past) -> ColumnElement[bool]:
    return and_(table.receiver == row.receiver, table.number == row.number)
