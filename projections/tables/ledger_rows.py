"""The records that are parked: which still are, what they held, and how many about one person wait."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, func, not_, select, text

from events.facts import Fact
from projections.ledger.chain import Entry, LogRecord
from projections.ledger.classify import Content, ReadRecord
from projections.rules.rulebook import Rulebook

from .database import among, given
from .schema import APPLIED, NamedRow, ledger

# In the words of the partial indexes, which SQLite does not use for anything that merely implies them.
TROUBLED = text("ledger.outcome in ('parked', 'conflict')")
LATER_AFTERWARDS = text("later.entry in ('replay', 'dismissal')")

Waiting = Counter[tuple[str, datetime]]
"""By person and instant, the number of records about the person that waited then."""


def still_parked(partition: int | None = None, code: str = "", *, dismissed: bool = False) -> Select[Any]:
    """
    Return the query of the ledger rows whose record is parked still, in the order in which they were.

    Args:
        partition: of this one only; all if None.
        code: reasons that begin so.
        dismissed: those too that somebody dismissed.
    """
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
    query = select(ledger).where(
        TROUBLED, ledger.c.outcome == "parked", ledger.c.entry != "dismissal", not_(superseded)
    )
    if partition is not None:
        query = query.where(ledger.c.partition == partition)
    return query.where(func.coalesce(ledger.c.reason, "").startswith(code)).order_by(ledger.c.partition, ledger.c.seq)


def unread(conn: Connection, subject_id: str | None = None) -> Counter[str]:
    """
    Return how many records about each person wait: conflicts, and those parked under the person's key.

    Args:
        conn: a connection.
        subject_id: only this person; all if None.
    """
    conflicts = select(ledger.c.subject_id, func.count()).where(TROUBLED, ledger.c.outcome == "conflict")
    waiting = still_parked().where(ledger.c.key.is_not(None)).order_by(None)
    if subject_id is not None:
        conflicts = conflicts.where(ledger.c.subject_id == subject_id)
        waiting = waiting.where(ledger.c.key == subject_id.encode())
    found: Counter[str] = Counter(dict(conn.execute(conflicts.group_by(ledger.c.subject_id)).all()))
    parked = waiting.subquery()
    for key, number in conn.execute(select(parked.c.key, func.count()).group_by(parked.c.key)):
        found[bytes(key).decode("utf-8", "replace")] += number
    return found


def unread_at(conn: Connection, told: Iterable[tuple[str, datetime]]) -> Waiting:
    """
    Return how many records about a person waited at an instant: those recorded before it.

    Not all that wait when the transaction writes: those would be others in batches of another size.

    Args:
        conn: a connection.
        told: people, each with an instant.
    """
    found: Waiting = Counter()
    instants: dict[str, set[datetime]] = {}
    for subject_id, at in told:
        instants.setdefault(subject_id, set()).add(at)
    conflicts = select(ledger.c.subject_id, ledger.c.recorded).where(
        TROUBLED, ledger.c.outcome == "conflict", among(conn.dialect.name, ledger.c.subject_id)
    )
    parked = still_parked().where(ledger.c.key.is_not(None)).with_only_columns(ledger.c.key, ledger.c.recorded)
    waiting = [(bytes(key).decode("utf-8", "replace"), recorded) for key, recorded in conn.execute(parked)]
    for subject_id, recorded in (*conn.execute(conflicts, given(conn, instants)), *waiting):
        found.update((subject_id, at) for at in instants.get(subject_id, ()) if recorded < at)
    return found


def record_of(row: NamedRow) -> LogRecord:
    """Return the record that a row of the ledger tells of."""
    position = (row["topic"], row["partition"], row["log_offset"])
    return LogRecord(*position, row["stamped"], row["key"], row["headers"], row["value"])


def known_of(conn: Connection, came: Iterable[ReadRecord]) -> dict[str, Content]:
    """Return what the ledger holds under the ids of the facts that *came*."""
    fact_ids = [each.fact.id for each in came if isinstance(each.fact, Fact)]
    if not fact_ids:
        return {}
    found = conn.execute(_known(conn.dialect.name), given(conn, fact_ids))
    return {fact_id: (headers, value) for fact_id, headers, value in found}


@cache
def _known(dialect: str) -> Select[Any]:
    """Return the query of what the ledger holds of given ids: built once, as every batch asks."""
    return select(ledger.c.fact_id, ledger.c.headers, ledger.c.value).where(among(dialect, ledger.c.fact_id), APPLIED)


def rules_in_force(conn: Connection, partition: int) -> Rulebook:
    """Return the rules in force in *partition*: none before it was first assigned to a projector."""
    last = (
        select(ledger.c.value)
        .where(ledger.c.partition == partition, ledger.c.entry == "rules")
        .order_by(ledger.c.seq.desc())
        .limit(1)
    )
    value = conn.scalar(last)
    return Rulebook.from_json(json.loads(value)["rules"]) if value else Rulebook(())


def in_force(entry: Entry) -> Rulebook:
    """Return the rules that a ``rules`` entry put in force."""
    assert entry.value is not None, "a rules entry holds the rules"
    return Rulebook.from_json(json.loads(entry.value)["rules"])
