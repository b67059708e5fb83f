"""What each record becomes: applied, duplicate, conflict, parked or forwarded."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, select

from events.canonical import content
from events.errors import Unreadable
from events.facts import Fact

from .database import among, given
from .ledger import Chain, Entry, LogRecord, event_of, read
from .tables import APPLIED, ledger

Content = tuple[list[list[str]] | None, bytes]


def judge(  # noqa: PLR0913 - what a record's fate hangs on
    conn: Connection,
    records: Sequence[LogRecord],
    chain: Chain,
    watermark: datetime | None,
    home: Callable[[bytes], int],
    *,
    entry: str = "record",
    failed: Exception | None = None,
) -> Iterator[Entry]:
    """
    Decide what each of *records* becomes, and link the entries that say so to *chain*.

    Args:
        conn: to look up which ids are known.
        records: in the order of the log.
        chain: the end of the partition's chain.
        watermark: the partition's; `recorded` is never before it.
        home: the partition to which a key belongs.
        entry: record, or replay: what is replayed becomes known at the watermark.
        failed: what the program itself failed with on the one record there is; it is parked.
    """
    read_at = list(_recorded(records, watermark, entry))
    facts = [_try_read(record, at, failed) for record, at in zip(records, read_at, strict=True)]
    first = _first_contents(conn, [fact.id for fact in facts if isinstance(fact, Fact)])
    for record, at, fact in zip(records, read_at, facts, strict=True):
        if not isinstance(fact, Fact):
            yield chain.record(record, at, "parked", entry=entry, reason=fact)
            continue
        came: Content = (record.headers, record.value or b"")
        if home(fact.subject.encode()) != record.partition:
            yield chain.record(record, at, "forwarded", entry=entry, fact=fact)
        elif fact.id not in first:
            first[fact.id] = came
            yield chain.record(record, at, "applied", entry=entry, fact=fact)
        elif _same_content(first[fact.id], came):
            yield chain.record(record, at, "duplicate", entry=entry, fact=fact)
        else:
            reason = f"other_content: the fact {fact.id} was recorded before with other content"
            yield chain.record(record, at, "conflict", entry=entry, reason=reason, fact=fact)


def readable(record: LogRecord) -> bool:
    """Whether this release can read the fact in *record*."""
    return isinstance(_try_read(record, record.stamped, None), Fact)


def printable(text: str) -> str:
    """Return *text* as every database can store it: no NUL, no lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def _recorded(records: Sequence[LogRecord], watermark: datetime | None, entry: str) -> Iterator[datetime]:
    """Yield the instant at which each of *records* becomes known: within a partition it never runs backwards."""
    for record in records:
        if entry == "record":
            watermark = max(record.stamped, watermark or record.stamped)
        assert watermark is not None, "a replay has a watermark"
        yield watermark


def _try_read(record: LogRecord, recorded: datetime, failed: Exception | None) -> Fact | str:
    """Return the fact, or the reason why there is none."""
    if failed is not None:
        return f"failed: {type(failed).__name__} (want a release that can take it; replay it then)"
    try:
        return read(record, recorded)
    except Unreadable as problem:
        return printable(f"{problem.code}: {problem}")


def _first_contents(conn: Connection, fact_ids: Sequence[str]) -> dict[str, Content]:
    if not fact_ids:
        return {}
    found = conn.execute(_known(conn.dialect.name), given(conn, fact_ids))
    return {fact_id: (headers, value) for fact_id, headers, value in found}


@cache
def _known(dialect: str) -> Select[Any]:
    """Return the query of what the ledger holds of given ids: built once, as every batch asks."""
    return select(ledger.c.fact_id, ledger.c.headers, ledger.c.value).where(among(dialect, ledger.c.fact_id), APPLIED)


def _same_content(first: Content, other: Content) -> bool:
    """Whether two records state the same; in canonical form only where their bytes differ."""
    return first == other or content(event_of(*first)) == content(event_of(*other))
