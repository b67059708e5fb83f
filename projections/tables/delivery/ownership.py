"""
The ownership of a receiver: it belongs to one notifier at a time.

A notifier that takes a receiver over raises its epoch. Each write of a notifier compares the epoch and extends the
ownership. So a notifier that was paused for longer cannot write. It may have sent a message meanwhile, which its
receiver recognises by the id.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, and_, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from projections.tables.database import database_clock, write_transaction
from projections.tables.schema import partitions, relays

from .schema import receivers

OWNED = timedelta(seconds=60)
"""The time for which a notifier owns a receiver without a write; more than the longest try."""


class ReceiverLost(Exception):
    """Another notifier has taken the receiver over."""


class Ownership(NamedTuple):
    """A receiver that this notifier owns, and the epoch since it does."""

    receiver: str
    epoch: int


def take_over(engine: Engine, receiver: str, kind: str, owner: str) -> Ownership | None:
    """
    Make *owner* the owner of *receiver*; return None while another notifier owns it.

    A receiver that is new begins at the end of the outbox: nobody is told of earlier notices.
    """
    try:
        with write_transaction(engine) as conn:
            return _take_over(conn, receiver, kind, owner)
    except IntegrityError:
        # Another notifier was first with a new receiver: its row was not visible here until it was committed.
        return None


@contextmanager
def owned(engine: Engine, own: Ownership) -> Iterator[Connection]:
    """
    Begin a transaction that writes as the owner of a receiver.

    Raises:
        ReceiverLost: if another notifier has taken it over.
    """
    with write_transaction(engine) as conn:
        until = database_clock(conn) + OWNED
        if conn.execute(update(receivers).where(_is(own)).values(owned_until=until)).rowcount == 0:
            raise ReceiverLost(own.receiver)
        yield conn


def release(engine: Engine, own: Ownership) -> None:
    """Give the receiver up, so that another notifier can take it over at once."""
    with write_transaction(engine) as conn:
        conn.execute(update(receivers).where(_is(own)).values(owner=None, owned_until=None))


def _take_over(conn: Connection, receiver: str, kind: str, owner: str) -> Ownership | None:
    now = database_clock(conn)
    own = {"owner": owner, "owned_until": now + OWNED, "kind": kind}
    is_free = or_(receivers.c.owner.is_(None), receivers.c.owner == owner, receivers.c.owned_until < now)
    here = receivers.c.receiver == receiver
    taken = update(receivers).where(here, is_free).values(**own, epoch=receivers.c.epoch + 1)
    if conn.execute(taken).rowcount == 0:
        if conn.scalar(select(receivers.c.epoch).where(here)) is not None:
            return None
        start = {
            "receiver": receiver,
            "added_at": now,
            "state": "ok",
            "since": now,
            "failures": 0,
            "last": 0,
            "epoch": 1,
        }
        conn.execute(insert(receivers).values(**start, **own))
        _start_at_end(conn, receiver, now)
    return Ownership(receiver, conn.execute(select(receivers.c.epoch).where(here)).scalar_one())


def _is(own: Ownership) -> ColumnElement[bool]:
    return and_(receivers.c.receiver == own.receiver, receivers.c.epoch == own.epoch)


def _start_at_end(conn: Connection, receiver: str, now: datetime) -> None:
    ends = select(literal(receiver), partitions.c.partition, partitions.c.notices, literal(now, relays.c.sent_at.type))
    conn.execute(insert(relays).from_select(["relay", "partition", "sent", "sent_at"], ends))
