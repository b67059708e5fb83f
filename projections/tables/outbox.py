"""How far what is in the outbox has been sent, and what is to be sent next."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, and_, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from .database import writing
from .schema import outbox, partitions, relays

CHUNK = 50
FORWARDS = text("outbox.kind = 'forward'")  # in the words of the partial index, as `tables.APPLIED` is
LOCK = 0x63617372  # "casr": with the partition a lock that no other program takes in the same database


class Unsent(NamedTuple):
    """What of one partition is in the outbox: the numbers of the last row that was sent, and of the last there is."""

    partition: int
    sent: int
    last: int


class Outgoing(NamedTuple):
    """A row of the outbox; the fields are its columns."""

    partition: int
    n: int
    kind: str
    notice_id: str
    subject_id: str
    alert_id: str | None
    notice: dict[str, Any] | None
    target: int | None
    key: bytes | None
    headers: list[list[Any]] | None
    value: bytes | None


def unsent(conn: Connection, relay: str) -> list[Unsent]:
    """Return how far *relay* has sent what each partition told, in the order of the partitions."""
    here = and_(relays.c.partition == partitions.c.partition, relays.c.relay == relay)
    sent = func.coalesce(relays.c.sent, 0)
    query = select(partitions.c.partition, sent, partitions.c.notices).outerjoin(relays, here)
    return [Unsent(*row) for row in conn.execute(query.order_by(partitions.c.partition))]


def forwards_wait(conn: Connection, target: int) -> bool:
    """Whether a record that belongs to the partition *target* waits in the outbox to be sent there."""
    here = relays.c.partition == outbox.c.partition
    query = (
        select(outbox.c.n)
        .outerjoin(relays, here)
        .where(FORWARDS, outbox.c.target == target, outbox.c.n > func.coalesce(relays.c.sent, 0))
        .limit(1)
    )
    return conn.scalar(query) is not None


def outgoing(conn: Connection, partition: int, after: int, limit: int) -> Iterator[Outgoing]:
    """Yield the next rows of *partition* after the number *after*, at most *limit*, in their order."""
    query = select(outbox).where(outbox.c.partition == partition, outbox.c.n > after).order_by(outbox.c.n).limit(limit)
    with conn.execute(query.execution_options(yield_per=CHUNK)) as result:
        for row in result:
            yield Outgoing(*row)


def note_sent(engine: Engine, relay: str, before: Unsent, last: int, clock: datetime) -> bool:
    """
    Note that *relay* has sent a partition's rows up to the number *last*, if they are where *before* says still.

    Returns:
        False if another process has noted its own meanwhile: then nothing was changed.
    """
    values = {"relay": relay, "partition": before.partition, "sent": last, "sent_at": clock}
    here = and_(relays.c.relay == relay, relays.c.partition == before.partition, relays.c.sent == before.sent)
    with writing(engine) as conn:
        if conn.execute(update(relays).where(here).values(**values)).rowcount == 1:
            return True
    if before.sent:
        return False
    try:
        with writing(engine) as conn:
            conn.execute(insert(relays).values(**values))
    except IntegrityError:
        return False
    return True


@contextmanager
def alone(engine: Engine, partition: int) -> Iterator[bool]:
    """
    Say whether nobody else is sending what *partition* told, and keep it so while the block runs.

    PostgreSQL gives the lock back by itself when the connection is lost. SQLite has none: who sends at the same time
    sends the same in the same order, which a receiver knows by its key.
    """
    if engine.dialect.name == "sqlite":
        yield True
        return
    with engine.begin() as conn:
        yield bool(conn.scalar(select(func.pg_try_advisory_xact_lock(LOCK, partition))))
