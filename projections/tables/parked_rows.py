"""Reads of the ledger for records that were not applied: parked ones, conflicts, and their number by person."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, not_, or_, select, text

from projections.ledger.chain import Entry

from .database import in_values, values_parameter
from .ledger_rows import entry_pages
from .schema import ledger

# In the words of the partial indexes: SQLite does not use them for a condition that only implies theirs.
TROUBLED = text("ledger.outcome in ('parked', 'conflict')")
AFTERWARDS = text("ledger.entry in ('replay', 'dismissal')")
LATER_AFTERWARDS = text("later.entry in ('replay', 'dismissal')")

CHUNK = 500

Place = tuple[int, int]
"""A partition and an offset."""

UnreadAt = Counter[tuple[str, datetime]]
"""The number of unread records about a person at an instant, by both."""


def parked_pages(
    conn: Connection, *, dismissed: bool = False, positions: Sequence[Place] = ()
) -> Generator[list[Entry], None, None]:
    """
    Yield the rows of the records that are still parked, in the order of the ledger, as `entry_pages` does.

    Args:
        conn: a connection.
        dismissed: include those that a person dismissed.
        positions: only these; empty: all.
    """
    query = _still_parked(dismissed=dismissed)
    if positions:
        query = query.where(_at(positions))
    return entry_pages(conn, query, CHUNK)


def parked_rows(conn: Connection, partition: int, seqs: Sequence[int], *, dismissed: bool = False) -> list[Entry]:
    """Return those of the rows *seqs* of *partition* that are still parked, in their order; *dismissed* as above."""
    query = _still_parked(dismissed=dismissed).where(ledger.c.partition == partition, ledger.c.seq.in_(seqs))
    return [Entry(*row) for row in conn.execute(query)]


def parked_for(conn: Connection, partition: int, code: str) -> Iterator[Entry]:
    """Yield the rows of *partition* that are still parked with a reason that begins with *code*, in their order."""
    reason = func.coalesce(ledger.c.reason, "").startswith(code)
    query = _still_parked().where(ledger.c.partition == partition, reason)
    return (Entry(*row) for row in conn.execute(query))


def parked_counts(conn: Connection) -> dict[int, int]:
    """Return the number of records that are parked and not dismissed, by partition."""
    parked = _still_parked().order_by(None).subquery()
    rows = conn.execute(select(parked.c.partition, func.count()).group_by(parked.c.partition))
    return dict(rows.all())


def last_dismissals(conn: Connection, positions: Sequence[Place]) -> dict[Place, tuple[int, str]]:
    """Return the last dismissal at each of *positions*: its place in the chain, and its reason."""
    query = select(ledger.c.partition, ledger.c.log_offset, ledger.c.seq, ledger.c.reason).where(
        AFTERWARDS, ledger.c.entry == "dismissal", _at(positions)
    )
    rows = conn.execute(query.order_by(ledger.c.seq))
    return {(partition, offset): (seq, reason) for partition, offset, seq, reason in rows}


def conflict_pages(conn: Connection) -> Generator[list[Entry], None, None]:
    """Yield the rows of the records in conflict with an applied fact, in the order of the ledger."""
    query = select(ledger).where(TROUBLED, ledger.c.outcome == "conflict").order_by(ledger.c.partition, ledger.c.seq)
    return entry_pages(conn, query, CHUNK)


def unread_counts(conn: Connection, subject_id: str | None = None) -> Counter[str]:
    """
    Return the number of unread records about each person: conflicts, and those parked under the person's key.

    Args:
        conn: a connection.
        subject_id: only this person; all if None.
    """
    conflicts = select(ledger.c.subject_id, func.count()).where(TROUBLED, ledger.c.outcome == "conflict")
    parked = _still_parked().where(ledger.c.key.is_not(None)).order_by(None)
    if subject_id is not None:
        conflicts = conflicts.where(ledger.c.subject_id == subject_id)
        parked = parked.where(ledger.c.key == subject_id.encode())
    counts: Counter[str] = Counter(dict(conn.execute(conflicts.group_by(ledger.c.subject_id)).all()))
    keys = parked.subquery()
    for key, number in conn.execute(select(keys.c.key, func.count()).group_by(keys.c.key)):
        counts[bytes(key).decode("utf-8", "replace")] += number
    return counts


def unread_counts_at(conn: Connection, people: Iterable[tuple[str, datetime]]) -> UnreadAt:
    """
    Return the number of unread records about a person at an instant: those recorded before it.

    Not all that are unread when the transaction writes: with another batch size those would be others.

    Args:
        conn: a connection.
        people: the people, each with an instant.
    """
    counts: UnreadAt = Counter()
    instants: dict[str, set[datetime]] = {}
    for subject_id, at in people:
        instants.setdefault(subject_id, set()).add(at)
    conflicts = select(ledger.c.subject_id, ledger.c.recorded).where(
        TROUBLED, ledger.c.outcome == "conflict", in_values(conn.dialect.name, ledger.c.subject_id)
    )
    parked = _still_parked().where(ledger.c.key.is_not(None)).with_only_columns(ledger.c.key, ledger.c.recorded)
    by_key = [(bytes(key).decode("utf-8", "replace"), recorded) for key, recorded in conn.execute(parked)]
    for subject_id, recorded in (*conn.execute(conflicts, values_parameter(conn, instants)), *by_key):
        counts.update((subject_id, at) for at in instants.get(subject_id, ()) if recorded < at)
    return counts


def _still_parked(*, dismissed: bool = False) -> Select[Any]:
    """Select the rows of parked records without a later replay, nor a later dismissal unless *dismissed*."""
    later = ledger.alias("later")
    superseded = (
        select(later.c.seq)
        .where(
            later.c.partition == ledger.c.partition,
            later.c.log_offset == ledger.c.log_offset,
            LATER_AFTERWARDS,
            later.c.entry.in_(["replay"] if dismissed else ["replay", "dismissal"]),
            later.c.seq > ledger.c.seq,
        )
        .exists()
    )
    parked = (TROUBLED, ledger.c.outcome == "parked", ledger.c.entry != "dismissal", not_(superseded))
    return select(ledger).where(*parked).order_by(ledger.c.partition, ledger.c.seq)


def _at(positions: Sequence[Place]) -> ColumnElement[bool]:
    offsets: dict[int, list[int]] = {}
    for partition, offset in positions:
        offsets.setdefault(partition, []).append(offset)
    return or_(*(and_(ledger.c.partition == number, ledger.c.log_offset.in_(own)) for number, own in offsets.items()))
