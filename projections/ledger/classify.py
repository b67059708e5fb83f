"""The outcome of each record: applied, duplicate, conflict, parked or forwarded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from events.canonical import content
from events.errors import Unreadable
from events.facts import Fact
from events.record import event_of
from events.text import storable

from .chain import Chain, Entry, LogRecord, read

Body = tuple[list[list[str]] | None, bytes]
"""The headers and the value of a record."""


class ReadRecord(NamedTuple):
    """
    A record after reading.

    Attributes:
        record: the record.
        recorded: the instant at which it becomes known.
        fact: the fact in it; if it has none, the reason as text.
    """

    record: LogRecord
    recorded: datetime
    fact: Fact | str


def read_all(
    records: Sequence[LogRecord], watermark: datetime | None, *, entry: str = "record", failed: Exception | None = None
) -> list[ReadRecord]:
    """
    Read *records* of one partition, in the order of the log.

    Args:
        records: the records.
        watermark: the partition's; `recorded` is never before it.
        entry: record, or replay: a replayed record becomes known at the watermark.
        failed: the program's own failure on a single record; the record will be parked.
    """
    instants = _recorded(records, watermark, entry)
    return [ReadRecord(record, at, _try_read(record, at, failed)) for record, at in zip(records, instants, strict=True)]


def classify(
    records: Iterable[ReadRecord],
    bodies: dict[str, Body],
    chain: Chain,
    home: Callable[[bytes], int],
    entry: str = "record",
) -> Iterator[Entry]:
    """
    Decide the outcome of each record, and link the entries with the outcomes to *chain*.

    Args:
        records: the records of one partition, in the order of the log.
        bodies: the applied records in the ledger, by the id of the fact. Records applied here are added.
        chain: the end of the partition's chain.
        home: returns the partition of a key.
        entry: record, or replay.
    """
    for record, at, fact in records:
        if not isinstance(fact, Fact):
            yield chain.record(record, at, "parked", entry=entry, reason=fact)
            continue
        body: Body = (record.headers, record.value or b"")
        if home(fact.subject.encode()) != record.partition:
            yield chain.record(record, at, "forwarded", entry=entry, fact=fact)
        elif fact.id not in bodies:
            bodies[fact.id] = body
            yield chain.record(record, at, "applied", entry=entry, fact=fact)
        elif _same_content(bodies[fact.id], body):
            yield chain.record(record, at, "duplicate", entry=entry, fact=fact)
        else:
            reason = f"other_content: the fact {fact.id} was recorded before with other content"
            yield chain.record(record, at, "conflict", entry=entry, reason=reason, fact=fact)


def readable(record: LogRecord) -> bool:
    """Return whether this release can read the fact in *record*."""
    return isinstance(_try_read(record, record.stamped, None), Fact)


def _recorded(records: Sequence[LogRecord], watermark: datetime | None, entry: str) -> Iterator[datetime]:
    """Yield the instant at which each of *records* becomes known. It never runs backwards in a partition."""
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
        return storable(f"{problem.code}: {problem}")


def _same_content(first: Body, other: Body) -> bool:
    """Return whether two records state the same. Different bytes are compared in canonical form."""
    return first == other or content(event_of(*first)) == content(event_of(*other))
