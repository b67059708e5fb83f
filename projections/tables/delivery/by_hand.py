"""
The writes of people: receivers enabled, openings sent again, addresses muted.

A write about a receiver locks its row, as a notifier does, and leaves the ownership as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, insert, select, update

from projections.tables.database import write_transaction

from .schema import mutes, receivers


@contextmanager
def locked(engine: Engine, receiver: str) -> Iterator[Connection | None]:
    """Begin a transaction that keeps notifiers from *receiver*; yield None if no notifier has ever served it."""
    with write_transaction(engine) as conn:
        held = update(receivers).where(receivers.c.receiver == receiver).values(last=receivers.c.last)
        yield conn if conn.execute(held).rowcount else None


def enable(conn: Connection, receiver: str, now: datetime) -> None:
    """Let the messages to *receiver* be tried again at once."""
    here = receivers.c.receiver == receiver
    conn.execute(update(receivers).where(here).values(state="ok", since=now, failures=0, next_try=None))


def mute(conn: Connection, address: str, now: datetime) -> bool:
    """Send *address* no more openings; return False if it was muted already."""
    if _muted_like(conn, address):
        return False
    conn.execute(insert(mutes).values(address=address, since=now))
    return True


def unmute(conn: Connection, address: str) -> bool:
    """Send *address* openings again; return False if it was not muted."""
    return bool(conn.execute(delete(mutes).where(mutes.c.address.in_(_muted_like(conn, address)))).rowcount)


def _muted_like(conn: Connection, address: str) -> list[str]:
    """Return the muted addresses that differ from *address* in case only."""
    return [own for own in conn.scalars(select(mutes.c.address)) if own.casefold() == address.casefold()]
