"""The outbox: its next rows, and the last row that each receiver has received."""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, and_, exists, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from projections.alerts.alert import Change
from projections.alerts.clearing import Clearing
from projections.alerts.shapes import clearing_id, notice_id

from .database import in_values, values_parameter, write_transaction
from .schema import LIVE, outbox, partitions, relays

CHUNK = 50
FORWARDS = text("outbox.kind = 'forward'")  # in the words of the partial index, as `schema.APPLIED` is
KAFKA_RECEIVER = "kafka"
"""The name of the Kafka receiver in `relays`. It alone receives forwarded records, since it alone has partitions."""


Told = TypeVar("Told", bound=Change | Clearing)


class Unsent(NamedTuple):
    """A partition and the numbers of two of its rows in the outbox: the last one sent, and the last one."""

    partition: int
    sent: int
    last: int


class Outgoing(NamedTuple):
    """A row of ``outbox``. The fields are its columns, in their order."""

    partition: int
    n: int
    kind: str
    notice_id: str
    subject_id: str | None
    alert_id: str | None
    notice: dict[str, Any] | None
    target: int | None
    key: bytes | None
    headers: list[list[Any]] | None
    value: bytes | None


def unsent(conn: Connection, receiver: str) -> list[Unsent]:
    """Return the last row that *receiver* has received from each partition, in the order of the partitions."""
    here = and_(relays.c.partition == partitions.c.partition, relays.c.relay == receiver)
    sent = func.coalesce(relays.c.sent, 0)
    query = select(partitions.c.partition, sent, partitions.c.notices).outerjoin(relays, here)
    return [Unsent(*row) for row in conn.execute(query.order_by(partitions.c.partition))]


def forwards_wait(conn: Connection, target: int) -> bool:
    """Return whether the outbox has a record for the partition *target* that was not sent there yet."""
    here = and_(relays.c.partition == outbox.c.partition, relays.c.relay == KAFKA_RECEIVER)
    query = (
        select(outbox.c.n)
        .outerjoin(relays, here)
        .where(FORWARDS, outbox.c.target == target, outbox.c.n > func.coalesce(relays.c.sent, 0))
        .limit(1)
    )
    return conn.scalar(query) is not None


def to_notify(conn: Connection, changes: Iterable[Told]) -> list[Told]:
    """
    Return those of *changes* that are told and have no notice yet.

    A change has one already if an earlier release told of it, and a rebuild by this release dropped its alert.
    """
    told = {_key(change): change for change in changes if isinstance(change, Clearing) or change.told}
    if not told:
        return []
    query = select(outbox.c.notice_id).where(in_values(conn.dialect.name, outbox.c.notice_id))
    sent = set(conn.scalars(query, values_parameter(conn, told)))
    return [change for key, change in told.items() if key not in sent]


def _key(change: Change | Clearing) -> str:
    if isinstance(change, Clearing):
        return clearing_id(change)
    return notice_id(change.alert.alert_id, change.alert.changes)


def outgoing(conn: Connection, partition: int, after: int, limit: int) -> Iterator[Outgoing]:
    """Yield the next rows of *partition* after the number *after*, at most *limit*, in their order."""
    query = select(outbox).where(outbox.c.partition == partition, outbox.c.n > after).order_by(outbox.c.n).limit(limit)
    with conn.execute(query.execution_options(yield_per=CHUNK)) as result:
        for row in result:
            yield Outgoing(*row)


def notices_of_cursor(conn: Connection, cursor: Unsent, limit: int) -> list[Outgoing]:
    """
    Return the next notices of *cursor*, at most *limit*, in their order.

    Later ones than its last are left out: each statement on PostgreSQL sees all rows committed until then, and the
    receiver's place is moved to that last one.
    """
    here = and_(outbox.c.partition == cursor.partition, outbox.c.n.between(cursor.sent + 1, cursor.last))
    rows = conn.execute(select(outbox).where(here, outbox.c.kind != "forward").order_by(outbox.c.n).limit(limit))
    return [Outgoing(*row) for row in rows]


def notices_at(conn: Connection, places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Outgoing]:
    """Return the notices at *places*, each a partition and a number."""
    by_partition: dict[int, set[int]] = {}
    for partition, n in places:
        by_partition.setdefault(partition, set()).add(n)
    queries = (
        select(outbox).where(outbox.c.partition == partition, outbox.c.n.in_(numbers))
        for partition, numbers in by_partition.items()
    )
    return {(row.partition, row.n): Outgoing(*row) for query in queries for row in conn.execute(query)}


def last_openings(conn: Connection) -> list[Outgoing]:
    """Return the last notice of the opening of each alert that is open and of which notices are written."""
    alerts = LIVE.alerts.c
    is_open = exists().where(alerts.alert_id == outbox.c.alert_id, alerts.state == "open", alerts.told)
    rows = conn.execute(
        select(outbox).where(outbox.c.kind == "notice", is_open).order_by(outbox.c.partition, outbox.c.n)
    )
    last = {row.alert_id: Outgoing(*row) for row in rows if row.notice["state"] == "open"}
    return [*last.values()]


def move_cursor(conn: Connection, receiver: str, before: Unsent, last: int, clock: datetime) -> None:
    """Record that *receiver* has received a partition's rows up to *last*, in the transaction of its only owner."""
    here = (relays.c.relay == receiver, relays.c.partition == before.partition)
    if conn.execute(update(relays).where(*here).values(sent=last, sent_at=clock)).rowcount == 0:
        values = {"relay": receiver, "partition": before.partition, "sent": last, "sent_at": clock}
        conn.execute(insert(relays).values(**values))


def note_sent(engine: Engine, receiver: str, before: Unsent, last: int, clock: datetime) -> bool:
    """
    Record that *receiver* has received a partition's rows up to the number *last*, if *before* is still the state.

    Returns:
        False if another process has changed the state: then nothing was written.
    """
    values = {"relay": receiver, "partition": before.partition, "sent": last, "sent_at": clock}
    here = and_(relays.c.relay == receiver, relays.c.partition == before.partition, relays.c.sent == before.sent)
    with write_transaction(engine) as conn:
        if conn.execute(update(relays).where(here).values(**values)).rowcount == 1:
            return True
    if before.sent:
        return False
    try:
        with write_transaction(engine) as conn:
            conn.execute(insert(relays).values(**values))
    except IntegrityError:
        return False
    return True


@contextmanager
def alone(engine: Engine, receiver: str, partition: int) -> Iterator[bool]:
    """
    Lock the rows of *partition* for *receiver* while the block runs, and yield whether no other process has the lock.

    PostgreSQL releases the lock when the connection is lost. SQLite has no such lock: there, several processes may send
    the same rows in the same order, and a receiver recognises them by their keys.
    """
    if engine.dialect.name == "sqlite":
        yield True
        return
    with engine.begin() as conn:
        yield bool(conn.scalar(select(func.pg_try_advisory_xact_lock(_lock_key(receiver), partition))))


def _lock_key(receiver: str) -> int:
    """Return the first of the two numbers of a lock, both signed with 32 bits: each receiver has a lock of its own."""
    if receiver == KAFKA_RECEIVER:
        # The number of every release: with another one, an old and a new notifier would send the same page, and a
        # receiver could read an older change after a newer one.
        return 0x63617372
    return zlib.crc32(f"casetrail outbox {receiver}".encode()) - 2**31
