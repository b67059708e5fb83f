"""What each record becomes: applied, duplicate, conflict, parked or forwarded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from events.canonical import content
from events.errors import Unreadable
from events.facts import Fact
from events.record import event_of
from events.text import printable

from .chain import Chain, Entry, LogRecord, read

Content = tuple[list[list[str]] | None, bytes]


class ReadRecord(NamedTuple):
    """A record that was read, when it becomes known, and the fact in it; a text: why there is none."""

    record: LogRecord
    recorded: datetime
    fact: Fact | str


def read_all(
    records: Sequence[LogRecord], watermark: datetime | None, *, entry: str = "record", failed: Exception | None = None
) -> list[ReadRecord]:
    """
    Read *records* of one partition, in the order of the log.

    Args:
        records: they.
        watermark: the partition's; `recorded` is never before it.
        entry: record, or replay: what is replayed becomes known at the watermark.
        failed: what the program itself failed with on the one record there is; it is going to be parked.
    """
    read_at = _recorded(records, watermark, entry)
    return [ReadRecord(record, at, _try_read(record, at, failed)) for record, at in zip(records, read_at, strict=True)]


def judge(
    came: Iterable[ReadRecord],
    first: dict[str, Content],
    chain: Chain,
    home: Callable[[bytes], int],
    entry: str = "record",
) -> Iterator[Entry]:
    """
    Decide what each record becomes, and link the entries that say so to *chain*.

    Args:
        came: the records of one partition, in the order of the log.
        first: what the ledger holds under their ids; those that are applied are added.
        chain: the end of the partition's chain.
        home: the partition to which a key belongs.
        entry: record, or replay.
    """
    for record, at, fact in came:
        if not isinstance(fact, Fact):
            yield chain.record(record, at, "parked", entry=entry, reason=fact)
            continue
        content_of_it: Content = (record.headers, record.value or b"")
        if home(fact.subject.encode()) != record.partition:
            yield chain.record(record, at, "forwarded", entry=entry, fact=fact)
        elif fact.id not in first:
            first[fact.id] = content_of_it
            yield chain.record(record, at, "applied", entry=entry, fact=fact)
        elif _same_content(first[fact.id], content_of_it):
            yield chain.record(record, at, "duplicate", entry=entry, fact=fact)
        else:
            reason = f"other_content: the fact {fact.id} was recorded before with other content"
            yield chain.record(record, at, "conflict", entry=entry, reason=reason, fact=fact)


def readable(record: LogRecord) -> bool:
    """Whether this release can read the fact in *record*."""
    return isinstance(_try_read(record, record.stamped, None), Fact)


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


def _same_content(first: Content, other: Content) -> bool:
    """Whether two records state the same; in canonical form only where their bytes differ."""
    return first == other or content(event_of(*first)) == content(event_of(*other))
