"""
The projector of one partition: everything a batch brings about, in one transaction.

Position, ledger, statuses, alerts and notices commit together or not at all. Each assignment raises the
partition's epoch, and each write compares position, watermark and epoch with what it started from: a
projector whose partition was given to another cannot write.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, Engine, Select, Update, and_, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from .alerts import Change
from .conclude import CACHE_FACTS, Concluder
from .database import plan_anew, store, writing
from .failing import Lost, sparing
from .judging import judge, printable, readable
from .ledger import GENESIS, Chain, Entry, LogRecord
from .parking import record_of, still_parked
from .rulebook import Rulebook
from .shapes import forward_row, notice_row
from .tables import TOPIC, ledger, outbox, partitions

CHUNK = 1000
MANY = 100
"""A batch of so many, and tables grow: a plan that was good for small ones walks the whole of an index."""

COMPARED = ("position", "watermark", "epoch", "seq")
OUTCOMES = ("applied", "duplicate", "conflict", "parked", "forwarded")


@dataclass(frozen=True)
class Progress:
    """
    A partition's row: how far it has been read, and what its records became.

    The fields are the columns of ``partitions``.
    """

    topic: str
    partition: int
    position: int = 0
    watermark: datetime | None = None
    epoch: int = 0
    seq: int = 0
    hash: str = GENESIS
    notices: int = 0
    rules_version: str | None = None
    rules_since: datetime | None = None
    read: int = 0
    applied: int = 0
    duplicate: int = 0
    conflict: int = 0
    parked: int = 0
    forwarded: int = 0
    progressed: datetime | None = None


class Projector:
    """
    Projects one partition. One thread, one database; as many processes as there are partitions.

    Args:
        engine: the database.
        rulebook: the rules to put in force.
        partition: the partition's number.
        topic: the log's topic.
        home: the partition to which a key belongs; a log with one partition needs none.
        cache_facts: how many facts to keep in memory at the most.
    """

    def __init__(  # noqa: PLR0913 - one partition's place in the world
        self,
        engine: Engine,
        rulebook: Rulebook,
        partition: int = 0,
        *,
        topic: str = TOPIC,
        home: Callable[[bytes], int] | None = None,
        cache_facts: int = CACHE_FACTS,
    ) -> None:
        self.engine = engine
        self.rulebook = rulebook
        self.held = Progress(topic, partition)
        self._home = home or (lambda _: partition)
        self._row_here, self._set_row_here = _statements(topic, partition)
        self._concluder = Concluder(partition, rulebook, cache_facts=cache_facts)

    def assign(self, clock: datetime) -> Progress:
        """
        Take the partition over: raise its epoch, put the rules in force, apply parked records now readable.

        Args:
            clock: the projector's clock, aware UTC; it dates the first rules entry and nothing else.
        """
        with writing(self.engine) as conn:
            self.held = self._row(conn) or self._first_row(conn)
            raised = replace(self.held, epoch=self.held.epoch + 1)
            self._commit(conn, self.held, raised)
        self.held = raised
        self._concluder.forget()
        self._concluder.rules_since = self.held.rules_since
        if self.held.rules_version != self.rulebook.version:
            self._put_rules_in_force(clock)
        self.replay_readable(clock)
        return self.held

    def project(self, records: Sequence[LogRecord], clock: datetime) -> Progress:
        """
        Read *records*, the next of the partition in the order of their offsets.

        A record on which the program itself fails is parked as ``failed`` and holds nobody else up.

        Args:
            records: at least one.
            clock: the projector's clock, aware UTC, for the time of last progress only.

        Raises:
            Lost: if the partition was assigned to another projector.
            SQLAlchemyError: if the database failed; nothing was written and the same call may be made again.
        """
        sparing(lambda some, failed: [self._project(some, clock, failed)], records)
        return self.held

    def pass_time(
        self,
        now: datetime,
        clock: datetime,
        reached: Callable[[Connection, int], bool] = lambda _, __: True,
        *,
        position: int = 0,
    ) -> Progress:
        """
        Declare that the end of the partition was asked for at *now* (less any margin) and found reached.

        If that fires a timer, the watermark goes into the ledger, where a rebuild finds it.

        Args:
            now: that instant, by the log's clock.
            clock: the projector's clock, aware UTC, for the time of last progress only.
            reached: asked under the lock of the write whether the end is at a position still; if not, no time passes.
            position: where the log goes on, if that is past the projector's own and what lies between is no record.

        Raises:
            Lost, SQLAlchemyError: as for `project`.
        """
        with self._transaction() as (conn, start):
            position = max(start.position, position)
            if not reached(conn, position):
                return start
            watermark = max(now, start.watermark or now)
            chain = self._chain(start)
            entries: list[Entry] = []
            if self._concluder.timers.is_due(conn, watermark):
                entries = [chain.note("watermark", watermark, b"{}")]
            self._finish(conn, start, entries, chain, clock, position=position, watermark=watermark)
        return self.held

    def keep(self, facts: int) -> None:
        """Keep at most so many *facts* in memory from the next write on."""
        self._concluder.cache_facts = facts

    def next_due(self) -> datetime | None:
        """Return the next instant at which time alone could change an answer in this partition."""
        timers = self._concluder.timers
        if timers.known:
            return timers.soonest
        with self.engine.connect() as conn:
            return timers.look(conn)

    def replay(self, seqs: Sequence[int], clock: datetime) -> list[Entry]:
        """
        Read parked records again, named by their place in the chain; each gets a new row with its outcome.

        What is replayed becomes known at the partition's watermark: the log has been read up to there. What is not
        parked any more is passed over. A record on which the program itself fails stays parked, as ``failed``, and
        holds nobody else up.

        Raises:
            Lost, SQLAlchemyError: as for `project`.
        """
        return sparing(lambda some, failed: self._replay(some, clock, failed), seqs) if seqs else []

    def dismiss(self, seq: int, reason: str, clock: datetime) -> bool:
        """Note that a parked record, named by its place in the chain, is to stay so; return whether it was parked."""
        with self._transaction() as (conn, start):
            parked = conn.execute(still_parked(start.partition).where(ledger.c.seq == seq)).mappings().one_or_none()
            if parked is None:
                return False
            chain = self._chain(start)
            known, reason = start.watermark or clock, printable(f"dismissed: {reason}")
            entry = chain.record(record_of(parked), known, "parked", entry="dismissal", reason=reason)
            self._finish(conn, start, [entry], chain, clock, replayed=True)
        return True

    def acknowledge(self, alert_id: str, subject_id: str, person: str, note: str | None, clock: datetime) -> None:
        """Note that *person* has seen an open alert at *clock*, their own."""
        with self._transaction() as (conn, start):
            chain = self._chain(start)
            seen = json.dumps({"alert_id": alert_id, "by": person, "note": note}, ensure_ascii=False)
            entry = chain.note("acknowledgement", clock, seen.encode(), subject_id)
            self._finish(conn, start, [entry], chain, clock)

    def replay_readable(self, clock: datetime) -> list[Entry]:
        """Apply by itself what an earlier release parked for its unknown type or version and this one can read."""
        with self.engine.connect() as conn:
            rows = conn.execute(still_parked(self.held.partition, "unknown")).mappings()
            seqs = [row["seq"] for row in rows if readable(record_of(row))]
        chunks = (seqs[start : start + CHUNK] for start in range(0, len(seqs), CHUNK))
        return [entry for chunk in chunks for entry in self.replay(chunk, clock)]

    def _replay(self, seqs: Sequence[int], clock: datetime, failed: Exception | None) -> list[Entry]:
        with self._transaction() as (conn, start):
            # Asked under the lock: somebody else may have replayed them meanwhile.
            parked = still_parked(start.partition, dismissed=True).where(ledger.c.seq.in_(seqs))
            records = [record_of(row) for row in conn.execute(parked).mappings()]
            chain = self._chain(start)
            watermark = start.watermark or clock
            entries = list(judge(conn, records, chain, watermark, self._home, entry="replay", failed=failed))
            self._finish(conn, start, entries, chain, clock, replayed=True)
        return entries

    def _project(self, records: Sequence[LogRecord], clock: datetime, failed: Exception | None) -> Progress:
        with self._transaction() as (conn, start):
            if len(records) >= MANY:
                plan_anew(conn)
            chain = self._chain(start)
            # A log may deliver again what was read before: those positions have their outcomes.
            new = [record for record in records if record.offset >= start.position]
            entries = list(judge(conn, new, chain, start.watermark, self._home, failed=failed))
            position = max(start.position, records[-1].offset + 1)
            self._finish(conn, start, entries, chain, clock, position=position)
        return self.held

    def _put_rules_in_force(self, clock: datetime) -> None:
        with self._transaction() as (conn, start):
            chain = self._chain(start)
            rules = json.dumps({"version": self.rulebook.version, "rules": self.rulebook.as_json()})
            entry = chain.note("rules", start.watermark or clock, rules.encode())
            self._finish(conn, start, [entry], chain, clock, rules=self.rulebook.version)

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, Progress]]:
        """Begin a write: lock the partition's row and see that it is still ours."""
        held = self.held
        try:
            with writing(self.engine) as conn:
                start = self._row(conn)
                if start is None or _guard(start) != _guard(self.held):
                    raise Lost(self.held.partition)  # noqa: TRY301 - so that what was kept is forgotten
                if start.seq != self.held.seq:
                    self._catch_up(conn)
                yield conn, start
        except BaseException:
            # The casefiles have taken steps that were rolled back.
            self.held = held
            self._concluder.forget()
            raise

    def _catch_up(self, conn: Connection) -> None:
        """Forget whom an acknowledgement or a replay from elsewhere has touched."""
        since = select(ledger.c.subject_id).where(
            ledger.c.partition == self.held.partition, ledger.c.seq > self.held.seq, ledger.c.subject_id.is_not(None)
        )
        self._concluder.forget(set(conn.scalars(since)))

    def _finish(  # noqa: PLR0913 - all that one transaction changes
        self,
        conn: Connection,
        start: Progress,
        entries: Sequence[Entry],
        chain: Chain,
        clock: datetime,
        *,
        position: int | None = None,
        watermark: datetime | None = None,
        rules: str | None = None,
        replayed: bool = False,
    ) -> None:
        """Write ledger, conclusions, notices and position; the caller's transaction commits them."""
        store(conn, ledger, [entry.row() for entry in entries])
        changes, reached = self._concluder.conclude(conn, entries, start.watermark)
        notices = self._tell(conn, start, entries, changes)
        counts = Counter(entry.outcome for entry in entries if entry.outcome)
        if replayed:
            counts.subtract({"parked": len(entries)})
        end = replace(
            start,
            position=start.position if position is None else position,
            watermark=watermark or reached,
            seq=chain.seq,
            hash=chain.hash,
            notices=notices,
            rules_version=rules or start.rules_version,
            rules_since=self._concluder.rules_since,
            read=start.read + (0 if replayed else sum(counts.values())),
            progressed=clock,
            **{outcome: getattr(start, outcome) + counts[outcome] for outcome in OUTCOMES},
        )
        self._commit(conn, start, end)
        self.held = end

    def _tell(self, conn: Connection, start: Progress, entries: Sequence[Entry], changes: list[Change]) -> int:
        """Write what is to be sent, records for other partitions first; return the number of the last."""
        number = count(start.notices + 1)
        rows = [
            forward_row(start.partition, next(number), entry, self._home((entry.subject_id or "").encode()))
            for entry in entries
            if entry.outcome == "forwarded"
        ]
        rows += [notice_row(start.partition, next(number), change) for change in changes]
        store(conn, outbox, rows)
        return start.notices + len(rows)

    def _commit(self, conn: Connection, start: Progress, end: Progress) -> None:
        """Compare and set the partition's row."""
        was = {f"was_{name}": getattr(start, name) for name in COMPARED}
        become = {f"new_{name}": value for name, value in vars(end).items()}
        if conn.execute(self._set_row_here, was | become).rowcount != 1:
            raise Lost(start.partition)

    def _row(self, conn: Connection) -> Progress | None:
        row = conn.execute(self._row_here).mappings().one_or_none()
        return Progress(**row) if row else None

    def _first_row(self, conn: Connection) -> Progress:
        first = Progress(self.held.topic, self.held.partition)
        try:
            conn.execute(insert(partitions).values(**vars(first)))
        except IntegrityError:
            raise Lost(first.partition) from None
        return first

    def _chain(self, start: Progress) -> Chain:
        return Chain(start.topic, start.partition, start.seq, start.hash)


def _statements(topic: str, partition: int) -> tuple[Select[Any], Update]:
    """Return the query of a partition's row, and its compare-and-set: built once, as every batch needs them."""
    here = and_(partitions.c.topic == topic, partitions.c.partition == partition)
    unchanged = [
        column.is_not_distinct_from(bindparam(f"was_{column.name}", type_=column.type))
        for column in partitions.columns
        if column.name in COMPARED
    ]
    become = {column: bindparam(f"new_{column.name}", type_=column.type) for column in partitions.columns}
    return select(partitions).where(here).with_for_update(), update(partitions).where(here, *unchanged).values(become)


def _guard(progress: Progress) -> tuple[Any, ...]:
    return (progress.position, progress.watermark, progress.epoch)
