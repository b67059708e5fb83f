"""Check the ledger: the chain, the counts and the tail."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select, true
from sqlalchemy.exc import DBAPIError

from events.edtf import format_instant
from projections.ledger.chain import GENESIS, chained
from projections.tables.checkpoint import OUTCOMES, Checkpoint
from projections.tables.schema import ledger, log, partitions

CHUNK = 2000

UNTIMED = frozenset({"rules", "acknowledgement"})
"""Entries whose ``recorded`` is not the log's clock: a projector's, or a person's."""

NONSENSE = "a column does not hold what its type says"

# What comes of reading such a column. SQLite stores anything anywhere, if one insists.
_UNREADABLE = (ValueError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError)


class Finding(NamedTuple):
    """
    The first thing wrong in one partition.

    Attributes:
        partition: its number; None for what is wrong with none in particular.
        seq: the row's place in the chain; None where there is no row.
        offset: the record's place in the log; None where there is no record.
        what: what is wrong, in words.
    """

    partition: int | None
    seq: int | None
    offset: int | None
    what: str

    def __str__(self) -> str:
        """Return the place and what is wrong, in one line."""
        place = ["every partition" if self.partition is None else f"partition {self.partition}"]
        place += [] if self.seq is None else [f"row {self.seq}"]
        place += [] if self.offset is None else [f"offset {self.offset}"]
        return f"{', '.join(place)}: {self.what}"


class Verdict(NamedTuple):
    """What a walk over the ledger found: per partition the rows that hold, and what is wrong."""

    rows: Mapping[int, int]
    findings: Sequence[Finding]


def verify(conn: Connection, heads: Sequence[str] = (), tell: Callable[[int], None] = lambda _: None) -> Verdict:
    """
    Walk every partition's chain from its first row to its tail, and count.

    Args:
        conn: a read transaction, so that the projector's writes do not move what is walked.
        heads: hashes in hex, noted elsewhere by `heads` at some earlier time; each must stand in a chain.
        tell: called with the number of rows walked since the last call.
    """
    wanted = {head.lower() for head in heads}
    numbers = {
        number for table in (partitions, ledger) for number in conn.scalars(select(table.c.partition).distinct())
    }
    rows, findings = {}, []
    for partition in sorted(numbers, key=lambda number: (type(number).__name__, number)):
        walk = _Walk(partition, wanted)
        finding = walk.through(conn, tell) or walk.against_progress(conn)
        rows[partition] = walk.seq
        if finding:
            findings.append(finding)
            walk.leave_to_the_finding(conn)
    findings += [
        Finding(None, None, None, f"no chain holds the hash {head}: it was rewritten, or another head is meant")
        for head in sorted(wanted)
    ]
    return Verdict(rows, findings)


def heads(conn: Connection) -> list[dict[str, Any]]:
    """Return each partition's last hash and its place, for keeping where nobody can change it."""
    last = select(ledger.c.partition, func.max(ledger.c.seq).label("seq")).group_by(ledger.c.partition).subquery()
    tail = (
        select(ledger.c.partition, ledger.c.seq, ledger.c.hash, ledger.c.recorded)
        .join(last, (ledger.c.partition == last.c.partition) & (ledger.c.seq == last.c.seq))
        .order_by(ledger.c.partition)
    )
    found = [row._asdict() for row in conn.execute(tail)]
    return [row | {"recorded": format_instant(row["recorded"])} for row in found]


class _Walk:
    """One partition's chain, walked row by row; ``wanted`` loses each hash that is met."""

    def __init__(self, partition: int, wanted: set[str]) -> None:
        self.partition = partition
        self.wanted = wanted
        self.seq = 0
        self.hash = GENESIS
        self.position = 0
        self.recorded = datetime.min.replace(tzinfo=UTC)
        self.counts: Counter[str] = Counter()
        self.parked: set[int] = set()

    def through(self, conn: Connection, tell: Callable[[int], None]) -> Finding | None:
        """Walk all rows; return the first thing that is wrong."""
        query = select(ledger).where(ledger.c.partition == self.partition).order_by(ledger.c.seq)
        try:
            with conn.execute(query, execution_options={"yield_per": CHUNK}) as result:
                for chunk in result.partitions():
                    for row in chunk:
                        if what := self._wrong(row):
                            return Finding(self.partition, row.seq, row.log_offset, what)
                    tell(len(chunk))
        except (*_UNREADABLE, DBAPIError) as problem:
            _raise_unless_nonsense(problem)
            return self._find_unreadable(conn)
        return None

    def against_progress(self, conn: Connection) -> Finding | None:
        """Hold the end of the walk against the partition's row."""
        query = select(partitions).where(partitions.c.partition == self.partition)
        try:
            rows = [Checkpoint(**row._asdict()) for row in conn.execute(query)]
            if len(rows) != 1:
                return self._at_the_end(f"`partitions` has {len(rows) or 'no'} rows for it")
            return self._tail(rows[0]) or self._passed_over(conn, rows[0]) or self._miscounted(rows[0])
        except (*_UNREADABLE, DBAPIError) as problem:
            _raise_unless_nonsense(problem)
            return self._at_the_end(f"in its row of `partitions`, {NONSENSE}")

    def leave_to_the_finding(self, conn: Connection) -> None:
        """Want no hash that stands behind the row where the walk ended: of this chain enough is said."""
        behind = select(ledger.c.hash).where(ledger.c.partition == self.partition, ledger.c.seq > self.seq)
        self.wanted.difference_update(conn.scalars(behind.where(ledger.c.hash.in_(self.wanted))).all())

    def _find_unreadable(self, conn: Connection) -> Finding | None:
        """Go on row by row up to the one whose columns do not even hold what their types say."""
        while True:
            ahead = [ledger.c.partition == self.partition, ledger.c.seq > self.seq if self.seq else true()]
            place = select(ledger.c.seq, ledger.c.log_offset).where(*ahead).order_by(ledger.c.seq).limit(1)
            seq, offset = conn.execute(place).one()
            try:
                what = self._wrong(conn.execute(select(ledger).where(*ahead).order_by(ledger.c.seq).limit(1)).one())
            except (*_UNREADABLE, DBAPIError) as problem:
                _raise_unless_nonsense(problem)
                what = NONSENSE
            if what:
                return Finding(self.partition, seq, offset, what)

    def _wrong(self, row: Row[Any]) -> str | None:
        """Take the next row in; return what is wrong with it."""
        if row.seq != self.seq + 1:
            return f"row {self.seq + 1} is missing before it"
        try:
            if chained(self.hash, row) != row.hash:
                return "its hash does not follow from its content and the row before it"
            if what := self._out_of_place(row):
                return what
        except _UNREADABLE:
            return NONSENSE
        self.seq, self.hash = row.seq, row.hash
        self.wanted.discard(row.hash)
        return None

    def _out_of_place(self, row: Row[Any]) -> str | None:
        """Return what is wrong with a row whose hash holds, as the program writes no such row."""
        if row.entry not in UNTIMED:
            if row.recorded < self.recorded:
                return "its `recorded` runs backwards"
            self.recorded = row.recorded
        if row.outcome is None:
            return None
        if row.entry == "record":
            if row.log_offset < self.position:
                return "its offset was read before"
            self.position = row.log_offset + 1
        elif row.log_offset not in self.parked:
            return "nothing is parked at its offset"
        else:
            self.counts["parked"] -= 1
            self.parked.discard(row.log_offset)
        self.counts[row.outcome] += 1
        if row.outcome == "parked":
            self.parked.add(row.log_offset)
        return None

    def _tail(self, progress: Checkpoint) -> Finding | None:
        if self.seq != progress.seq:
            return self._at_the_end(f"the chain ends here, but `partitions` says at row {progress.seq}")
        if self.hash != progress.hash:
            return self._at_the_end("its hash is not the last one in `partitions`")
        if self.position > progress.position:
            return self._at_the_end(f"`partitions` says that offset {progress.position} was not read yet")
        if self.position and (progress.watermark is None or progress.watermark < self.recorded):
            return self._at_the_end("the watermark in `partitions` is before its `recorded`")
        return None

    def _passed_over(self, conn: Connection, progress: Checkpoint) -> Finding | None:
        """Find the first record of the embedded log that the position has passed and no row tells of."""
        unread = log.c.log_offset.between(self.position, progress.position - 1)
        offset = conn.scalar(select(func.min(log.c.log_offset)).where(unread)) if self.partition == 0 else None
        what = f"`partitions` says that offset {offset} was read, but no row tells of it"
        return None if offset is None else Finding(self.partition, None, offset, what)

    def _miscounted(self, progress: Checkpoint) -> Finding | None:
        counted = {name: getattr(progress, name) for name in ("read", *OUTCOMES)}
        found = {"read": self.counts.total()} | {outcome: self.counts[outcome] for outcome in OUTCOMES}
        wrong = [f"{name} {counted[name]}, not {found[name]}" for name in found if counted[name] != found[name]]
        return Finding(self.partition, None, None, f"`partitions` counts {', '.join(wrong)}") if wrong else None

    def _at_the_end(self, what: str) -> Finding:
        return Finding(self.partition, self.seq, self.position - 1 if self.position else None, what)


def _raise_unless_nonsense(problem: Exception) -> None:
    """Raise *problem* again if it is the database that failed, rather than what stands in it."""
    if isinstance(problem, DBAPIError) and "Could not decode" not in str(problem.orig):
        raise problem
