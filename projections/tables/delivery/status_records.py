"""
The statuses that were sent to a receiver, and the people with a status that may have changed since.

A status changes by a record of the ledger about the person, by time, or by a rebuild. The first is found by the chain
of the partition, and the second by the instant at which the row was due. A rebuild leaves no trace, so all people are
compared again little by little. Nothing is asked of the projector.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, delete, insert, select, text, union, update

from projections.tables.database import in_values, values_parameter
from projections.tables.schema import LIVE, OF_LOG, ledger, partitions

from .schema import receivers, status_reads, status_records

table, people = status_records.c, LIVE.subjects.c
UNACKNOWLEDGED = text("not acknowledged")  # in the words of the partial index, as `schema.APPLIED` is


class StatusRecord(NamedTuple):
    """The last record about a person. The fields are columns of ``status_records``, without the receiver."""

    subject_id: str
    partition: int
    sequence: int
    digest: str
    due: datetime | None
    acknowledged: bool


class Changed(NamedTuple):
    """
    The people whose status may have changed.

    Attributes:
        subject_ids: the people.
        read: the last row of the chain that was read, by partition.
    """

    subject_ids: frozenset[str]
    read: Mapping[int, int]


def changed_by_records(conn: Connection, receiver: str, limit: int) -> Changed:
    """Return the people of the next rows of each chain, at most *limit* rows of a chain."""
    before = dict(
        conn.execute(
            select(status_reads.c.partition, status_reads.c.seq).where(status_reads.c.receiver == receiver)
        ).all()
    )
    subject_ids: set[str] = set()
    read = {}
    for partition, seq in conn.execute(select(partitions.c.partition, partitions.c.seq).where(OF_LOG)):
        after = before.get(partition, 0)
        if after < seq:
            here = (ledger.c.partition == partition, ledger.c.seq > after, ledger.c.seq <= seq)
            columns = select(ledger.c.seq, ledger.c.subject_id, ledger.c.key)
            rows = conn.execute(columns.where(*here).order_by(ledger.c.seq).limit(limit)).all()
            read[partition] = rows[-1].seq if rows else seq
            # A record that could not be read names its person only by its key, and counts as unread.
            subject_ids |= {row.subject_id or bytes(row.key or b"").decode("utf-8", "replace") for row in rows}
    return Changed(frozenset(subject_ids - {""}), read)


def changed_by_time(conn: Connection, receiver: str, limit: int) -> list[str]:
    """Return people whose row was due before the watermark of their partition, at most *limit*."""
    query = (
        select(table.subject_id)
        .join(partitions, partitions.c.partition == table.partition)
        .where(table.receiver == receiver, table.due.is_not(None), table.due < partitions.c.watermark)
        .order_by(table.due)
        .limit(limit)
    )
    return list(conn.scalars(query))


def unacknowledged(conn: Connection, receiver: str, limit: int) -> list[str]:
    """Return people whose last record the receiver has not acknowledged, at most *limit*."""
    query = select(table.subject_id).where(table.receiver == receiver, UNACKNOWLEDGED)
    return list(conn.scalars(query.order_by(table.subject_id).limit(limit)))


def people_after(conn: Connection, receiver: str, subject_id: str, limit: int) -> list[str]:
    """Return the next people after *subject_id* that have a status or a record, at most *limit*."""
    present = select(people.subject_id).where(people.subject_id > subject_id)
    sent = select(table.subject_id).where(table.receiver == receiver, table.subject_id > subject_id)
    # Each part by its own index; the sum of both is sorted.
    parts = (part.order_by(part.selected_columns[0]).limit(limit).subquery() for part in (present, sent))
    both = union(*(select(part.c.subject_id) for part in parts)).subquery()
    return list(conn.scalars(select(both.c.subject_id).order_by(both.c.subject_id).limit(limit)))


def records_of(conn: Connection, receiver: str, subject_ids: Iterable[str]) -> dict[str, StatusRecord]:
    """Return the last record about each of *subject_ids* that has one."""
    query = select(*(table[name] for name in StatusRecord._fields)).where(
        table.receiver == receiver, in_values(conn.dialect.name, table.subject_id)
    )
    rows = conn.execute(query, values_parameter(conn, subject_ids))
    return {row.subject_id: StatusRecord(*row) for row in rows}


def due_times(conn: Connection, subject_ids: Iterable[str]) -> dict[str, datetime | None]:
    """Return when time can next change the status of each of *subject_ids*."""
    query = select(people.subject_id, people.due).where(in_values(conn.dialect.name, people.subject_id))
    return dict(conn.execute(query, values_parameter(conn, subject_ids)).all())


def last_sequence(conn: Connection, receiver: str) -> int:
    """Return the number of the last record to *receiver*."""
    return int(conn.execute(select(receivers.c.last).where(receivers.c.receiver == receiver)).scalar_one())


def put_records(conn: Connection, receiver: str, records: Sequence[StatusRecord], last: int) -> None:
    """Write *records*, and the number *last* of the last one ever."""
    here = and_(table.receiver == receiver, in_values(conn.dialect.name, table.subject_id))
    conn.execute(delete(status_records).where(here), values_parameter(conn, [row.subject_id for row in records]))
    if records:
        conn.execute(insert(status_records), [{"receiver": receiver, **row._asdict()} for row in records])
    conn.execute(update(receivers).where(receivers.c.receiver == receiver).values(last=last))


def put_read(conn: Connection, receiver: str, read: Mapping[int, int]) -> None:
    """Record the rows of the chains that were read."""
    here = status_reads.c.receiver == receiver
    conn.execute(delete(status_reads).where(here, status_reads.c.partition.in_([*read])))
    if read:
        rows = [{"receiver": receiver, "partition": partition, "seq": seq} for partition, seq in read.items()]
        conn.execute(insert(status_reads), rows)


def acknowledge(conn: Connection, receiver: str, sequences: Iterable[int]) -> None:
    """Record that *receiver* has acknowledged the records with these numbers."""
    here = and_(table.receiver == receiver, UNACKNOWLEDGED, table.sequence.in_([*sequences]))
    conn.execute(update(status_records).where(here).values(acknowledged=True))
