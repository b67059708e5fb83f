"""Hold the ledger against itself: the chain, the counts, the tail; and carry its facts elsewhere."""

import base64
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Row, func, select

from events.edtf import format_instant

from .ledger import GENESIS, chained
from .projector import OUTCOMES
from .tables import ledger, partitions

CHUNK = 2000


class Finding(NamedTuple):
    """The first thing wrong in one partition; ``seq`` and ``offset`` say where, None where there is no row."""

    partition: int
    seq: int | None
    offset: int | None
    what: str


class Verdict(NamedTuple):
    """What a walk over the ledger found: per partition the rows walked, and what is wrong."""

    rows: Mapping[int, int]
    findings: Sequence[Finding]


def verify(conn: Connection, heads: Sequence[str] = (), tell: Callable[[int], None] = lambda _: None) -> Verdict:
    """
    Walk every partition's chain from its first row to its tail, and count.

    Args:
        conn: a read transaction, so that the projector's writes do not move what is walked.
        heads: hashes noted elsewhere, by `head` at some earlier time; each must stand in a chain.
        tell: called with the number of rows walked since the last call.
    """
    wanted = set(heads)
    progress = {row["partition"]: row for row in conn.execute(select(partitions)).mappings()}
    numbers = sorted({*progress, *conn.scalars(select(ledger.c.partition).distinct())})
    rows, findings = {}, []
    for partition in numbers:
        walk = _Walk(partition, wanted)
        finding = walk.through(conn, tell) or walk.against(progress.get(partition))
        rows[partition] = walk.seq
        if finding:
            findings.append(finding)
    findings += [Finding(0, None, None, f"no chain holds the hash {head}: it was rewritten") for head in sorted(wanted)]
    return Verdict(rows, findings)


def heads(conn: Connection) -> list[dict[str, Any]]:
    """Return each partition's last hash and its place, for keeping where nobody can change it."""
    last = select(ledger.c.partition, func.max(ledger.c.seq).label("seq")).group_by(ledger.c.partition).subquery()
    tail = select(ledger).join(last, (ledger.c.partition == last.c.partition) & (ledger.c.seq == last.c.seq))
    return [
        {
            "partition": row["partition"],
            "seq": row["seq"],
            "hash": row["hash"],
            "recorded": format_instant(row["recorded"]),
        }
        for row in conn.execute(tail.order_by(ledger.c.partition)).mappings()
    ]


def export(conn: Connection, *, everything: bool = False) -> Iterator[bytes]:
    """
    Yield the applied facts as lines of NDJSON, in ledger order, each with the ledger's ``recorded``.

    Args:
        conn: a read transaction.
        everything: the other outcomes too. A line that could be read carries ``outcome`` and ``reason``; one that
            could not is ``{"outcome": "parked", "reason": ..., "recorded": ..., "value_base64": ...}``.
    """
    numbers = sorted(conn.scalars(select(ledger.c.partition).distinct()))
    streams = [_records(conn, partition, everything=everything) for partition in numbers]
    for row in heapq.merge(*streams, key=lambda row: (row["recorded"], row["partition"], row["seq"])):
        yield _line(row)


class _Walk:
    """One partition's chain, walked row by row."""

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
        result = conn.execution_options(yield_per=CHUNK).execute(query)
        try:
            for chunk in result.partitions(CHUNK):
                for row in chunk:
                    what = self._step(row)
                    if what:
                        return Finding(self.partition, row.seq, row.log_offset, what)
                tell(len(chunk))
        except (ValueError, TypeError):
            return self._unreadable(conn)
        return None

    def _unreadable(self, conn: Connection) -> Finding:
        """Find the row whose columns do not even hold what their types say."""
        while True:
            query = select(ledger).where(ledger.c.partition == self.partition, ledger.c.seq > self.seq)
            try:
                row = conn.execute(query.order_by(ledger.c.seq).limit(1)).one()
                what = self._step(row)
            except (ValueError, TypeError):
                return Finding(self.partition, self.seq + 1, None, "a column does not hold what its type says")
            if what:
                return Finding(self.partition, row.seq, row.log_offset, what)

    def against(self, progress: Mapping[str, Any] | None) -> Finding | None:
        """Hold the end of the walk against the partition's row."""
        tail = (self.seq, self.hash)
        if progress is None:
            return Finding(self.partition, self.seq, None, "the partition has no row in `partitions`")
        if tail != (progress["seq"], progress["hash"]):
            what = f"the chain ends at row {self.seq}, but row {progress['seq']} was written"
            return Finding(self.partition, self.seq, None, what)
        if self.position > progress["position"]:
            what = f"the position is {progress['position']}, before the last record read"
            return Finding(self.partition, self.seq, self.position - 1, what)
        counted = {outcome: progress[outcome] for outcome in OUTCOMES}
        found = {outcome: self.counts[outcome] for outcome in OUTCOMES}
        if counted != found or progress["read"] != sum(found.values()):
            return Finding(self.partition, None, None, f"the counts are {counted}, but the ledger holds {found}")
        return None

    def _step(self, row: Row[Any]) -> str | None:
        if not isinstance(row.value, bytes | None):
            return "its value is not bytes"
        if row.seq != self.seq + 1:
            return f"row {self.seq + 1} is missing before it"
        if chained(self.hash, row) != row.hash:
            return "its hash does not follow from its content and the row before it"
        self.seq, self.hash = row.seq, row.hash
        self.wanted.discard(row.hash)
        return self._count(row)

    def _count(self, row: Row[Any]) -> str | None:
        if row.outcome is None:
            return None
        if row.entry == "record":
            if row.log_offset < self.position:
                return f"offset {row.log_offset} was read before"
            if row.recorded < self.recorded:
                return "its `recorded` runs backwards"
            self.position, self.recorded = row.log_offset + 1, row.recorded
        elif row.log_offset not in self.parked:
            return f"nothing is parked at offset {row.log_offset}"
        else:
            self.counts["parked"] -= 1
            self.parked.discard(row.log_offset)
        self.counts[row.outcome] += 1
        if row.outcome == "parked":
            self.parked.add(row.log_offset)
        return None


def _records(conn: Connection, partition: int, *, everything: bool) -> Iterator[Mapping[str, Any]]:
    query = select(ledger).where(ledger.c.partition == partition, ledger.c.outcome.is_not(None))
    if not everything:
        query = query.where(ledger.c.outcome == "applied")
    # A replayed or dismissed record stands once more further on, with the same bytes.
    query = query.where((ledger.c.outcome == "applied") | (ledger.c.entry == "record")).order_by(ledger.c.seq)
    yield from conn.execution_options(yield_per=CHUNK).execute(query).mappings()


def _line(row: Mapping[str, Any]) -> bytes:
    recorded = format_instant(row["recorded"])
    if row["outcome"] == "parked":
        value = base64.b64encode(row["value"] or b"").decode()
        return to_json({"outcome": "parked", "reason": row["reason"], "recorded": recorded, "value_base64": value})
    event = from_json(row["value"])
    event["recorded"] = recorded
    if row["outcome"] != "applied":
        event["outcome"] = row["outcome"]
    if row["outcome"] == "conflict":
        event["reason"] = row["reason"]
    return to_json(event)
