"""The check of the ledger: the chain of each partition, its counts and its last row."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError
from typing_extensions import TypedDict

from events.edtf import format_instant
from projections.ledger.chain import GENESIS, Entry, chained
from projections.tables.checkpoint import OUTCOMES, Checkpoint
from projections.tables.ledger_rows import (
    hashes_after,
    last_rows,
    ledger_partitions,
    next_entry,
    next_place,
    partition_pages,
)
from projections.tables.schema import log, partitions

CHUNK = 2000

UNTIMED = frozenset({"rules", "acknowledgement", "unacknowledgement", "silence", "silence_end"})
"""Entries with a ``recorded`` that is not the log's clock but a projector's or a person's."""

WRONG_TYPE = "a column does not hold what its type says"

# The errors of reading such a column. SQLite stores any value in any column.
_UNREADABLE = (ValueError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError)


class Finding(NamedTuple):
    """
    The first fault in one partition.

    Attributes:
        partition: its number; None for a fault that belongs to no partition in particular.
        seq: the row's place in the chain; None where there is no row.
        offset: the record's place in the log; None where there is no record.
        what: the fault in words.
    """

    partition: int | None
    seq: int | None
    offset: int | None
    what: str

    def __str__(self) -> str:
        """Return the place and the fault, in one line."""
        place = ["every partition" if self.partition is None else f"partition {self.partition}"]
        place += [] if self.seq is None else [f"row {self.seq}"]
        place += [] if self.offset is None else [f"offset {self.offset}"]
        return f"{', '.join(place)}: {self.what}"


class Verdict(NamedTuple):
    """The result of a check: the number of correct rows by partition, and the faults."""

    rows: Mapping[int, int]
    findings: Sequence[Finding]


class FindingJson(TypedDict):
    """A `Finding`, field by field."""

    partition: int | None
    seq: int | None
    offset: int | None
    what: str


class CheckedRowsJson(TypedDict):
    """A partition and the number of its correct rows."""

    partition: int
    rows: int


class VerdictJson(TypedDict):
    """The result of a check."""

    rows: list[CheckedRowsJson]
    findings: list[FindingJson]


class HeadJson(TypedDict):
    """The last row of a partition's chain."""

    partition: int
    seq: int
    hash: str
    recorded: str


def verify(conn: Connection, heads: Sequence[str] = (), tell: Callable[[int], None] = lambda _: None) -> Verdict:
    """
    Check every partition's chain from its first row to its last one, and the counts.

    Args:
        conn: a read transaction, so that the projector's writes do not change the rows during the check.
        heads: hashes in hex, as `heads` returned them at an earlier time; each must be in a chain.
        tell: called with the number of rows read since the last call.
    """
    wanted = {head.lower() for head in heads}
    numbers = {*conn.scalars(select(partitions.c.partition).distinct()), *ledger_partitions(conn)}
    rows, findings = {}, []
    # By the name of the type first: SQLite may hold a text in place of a number.
    for partition in sorted(numbers, key=lambda number: (type(number).__name__, number)):
        walk = _ChainWalk(partition, wanted)
        finding = walk.read_all(conn, tell) or _compare(conn, walk)
        rows[partition] = walk.seq
        if finding:
            findings.append(finding)
            # The finding already says that the chain is broken: do not report its later heads as missing too.
            wanted -= hashes_after(conn, partition, walk.seq, wanted)
    findings += [
        Finding(None, None, None, f"no chain holds the hash {head}: it was rewritten, or another head is meant")
        for head in sorted(wanted)
    ]
    return Verdict(rows, findings)


def verdict_json(verdict: Verdict) -> VerdictJson:
    """Return the JSON form of *verdict*."""
    return {
        "rows": [{"partition": partition, "rows": count} for partition, count in verdict.rows.items()],
        "findings": [
            {"partition": finding.partition, "seq": finding.seq, "offset": finding.offset, "what": finding.what}
            for finding in verdict.findings
        ],
    }


def heads(conn: Connection) -> list[HeadJson]:
    """Return each partition's last hash and its place. Keep them outside of the database, for `verify`."""
    return [
        {"partition": row.partition, "seq": row.seq, "hash": row.hash, "recorded": format_instant(row.recorded)}
        for row in last_rows(conn)
    ]


class _ChainWalk:
    """
    A read of one partition's chain, row by row.

    Attributes:
        partition: its number.
        wanted: hashes that must be in a chain; each one that is read is removed.
        seq, hash, recorded: of the last correct row.
        position: the offset after that of the last record.
        counts: the records by their last outcome.
        parked: the offsets of the records that are parked.
    """

    def __init__(self, partition: int, wanted: set[str]) -> None:
        self.partition = partition
        self.wanted = wanted
        self.seq = 0
        self.hash = GENESIS
        self.position = 0
        self.recorded = datetime.min.replace(tzinfo=UTC)
        self.counts: Counter[str] = Counter()
        self.parked: set[int | None] = set()

    def read_all(self, conn: Connection, tell: Callable[[int], None]) -> Finding | None:
        """Read all rows; return the first fault."""
        try:
            with closing(partition_pages(conn, self.partition, CHUNK)) as pages:
                for page in pages:
                    for entry in page:
                        if fault := self._read(entry):
                            return Finding(self.partition, entry.seq, entry.log_offset, fault)
                    tell(len(page))
        except (*_UNREADABLE, DBAPIError) as problem:
            _raise_unless_unreadable(problem)
            return self._first_unreadable(conn)
        return None

    def at_the_end(self, fault: str) -> Finding:
        """Return a finding at the last correct row."""
        return Finding(self.partition, self.seq, self.position - 1 if self.position else None, fault)

    def _first_unreadable(self, conn: Connection) -> Finding:
        """Read row by row up to the first fault, which may be a column with a value of another type."""
        while True:
            last = self.seq or None
            seq, offset = next_place(conn, self.partition, last)
            try:
                fault = self._read(next_entry(conn, self.partition, last))
            except (*_UNREADABLE, DBAPIError) as problem:
                _raise_unless_unreadable(problem)
                fault = WRONG_TYPE
            if fault:
                return Finding(self.partition, seq, offset, fault)

    def _read(self, entry: Entry) -> str | None:
        """Read the next row; return its fault."""
        if entry.seq != self.seq + 1:
            return f"row {self.seq + 1} is missing before it"
        try:
            if chained(self.hash, entry) != entry.hash:
                return "its hash does not follow from its content and the row before it"
            if fault := self._impossible(entry):
                return fault
        except _UNREADABLE:
            return WRONG_TYPE
        self.seq, self.hash = entry.seq, entry.hash
        self.wanted.discard(entry.hash)
        return None

    def _impossible(self, entry: Entry) -> str | None:
        """Count a row with a correct hash; return the fault of a row that the program would not write there."""
        if entry.entry not in UNTIMED:
            if entry.recorded < self.recorded:
                return "its `recorded` runs backwards"
            self.recorded = entry.recorded
        if entry.outcome is None:
            return None
        offset = entry.log_offset
        if entry.entry == "record":
            if offset is None:
                return WRONG_TYPE
            if offset < self.position:
                return "its offset was read before"
            self.position = offset + 1
        elif offset not in self.parked:
            return "nothing is parked at its offset"
        else:
            self.counts["parked"] -= 1
            self.parked.discard(offset)
        self.counts[entry.outcome] += 1
        if entry.outcome == "parked":
            self.parked.add(offset)
        return None


def _compare(conn: Connection, walk: _ChainWalk) -> Finding | None:
    """Compare the end of the chain with the partition's checkpoint; return the first fault."""
    query = select(partitions).where(partitions.c.partition == walk.partition)
    try:
        rows = [Checkpoint(**row._asdict()) for row in conn.execute(query)]
        if len(rows) != 1:
            return walk.at_the_end(f"`partitions` has {len(rows) or 'no'} rows for it")
        return _wrong_end(walk, rows[0]) or _record_without_row(conn, walk, rows[0]) or _wrong_counts(walk, rows[0])
    except (*_UNREADABLE, DBAPIError) as problem:
        _raise_unless_unreadable(problem)
        return walk.at_the_end(f"in its row of `partitions`, {WRONG_TYPE}")


def _wrong_end(walk: _ChainWalk, checkpoint: Checkpoint) -> Finding | None:
    if walk.seq != checkpoint.seq:
        return walk.at_the_end(f"the chain ends here, but `partitions` says at row {checkpoint.seq}")
    if walk.hash != checkpoint.hash:
        return walk.at_the_end("its hash is not the last one in `partitions`")
    if walk.position > checkpoint.position:
        return walk.at_the_end(f"`partitions` says that offset {checkpoint.position} was not read yet")
    if walk.position and (checkpoint.watermark is None or checkpoint.watermark < walk.recorded):
        return walk.at_the_end("the watermark in `partitions` is before its `recorded`")
    return None


def _record_without_row(conn: Connection, walk: _ChainWalk, checkpoint: Checkpoint) -> Finding | None:
    """Find the first record of the embedded log that lies before the position and has no row."""
    if walk.partition != 0:
        return None
    missing = log.c.log_offset.between(walk.position, checkpoint.position - 1)
    offset = conn.scalar(select(func.min(log.c.log_offset)).where(missing))
    fault = f"`partitions` says that offset {offset} was read, but no row tells of it"
    return None if offset is None else Finding(walk.partition, None, offset, fault)


def _wrong_counts(walk: _ChainWalk, checkpoint: Checkpoint) -> Finding | None:
    counts = {"read": walk.counts.total()} | {outcome: walk.counts[outcome] for outcome in OUTCOMES}
    stored = {name: getattr(checkpoint, name) for name in counts}
    wrong = [f"{name} {stored[name]}, not {counts[name]}" for name in counts if stored[name] != counts[name]]
    return Finding(walk.partition, None, None, f"`partitions` counts {', '.join(wrong)}") if wrong else None


def _raise_unless_unreadable(problem: Exception) -> None:
    """Raise *problem* again if the database failed. A value that cannot be decoded is a finding instead."""
    if isinstance(problem, DBAPIError) and "Could not decode" not in str(problem.orig):
        raise problem
