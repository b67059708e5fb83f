"""
The projector of a partition: everything a batch brings about, in one transaction, which several partitions can share.

Position, ledger, statuses, alerts and notices commit together or not at all. Each assignment raises the
partition's epoch, and each write compares position, watermark and epoch with what it started from: a
projector whose partition was given to another cannot write.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import chain as chained
from itertools import count

from sqlalchemy import Connection, Engine, select

from events.text import printable
from projections.ledger.chain import Chain, Entry, LogRecord
from projections.ledger.classify import judge, read_all, readable
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import (
    OUTCOMES,
    Checkpoint,
    PartitionLost,
    begin,
    check_concluded,
    compare_and_set,
    lock,
)
from projections.tables.database import plan_anew, writing
from projections.tables.ledger_rows import Waiting, known_of, record_of, still_parked, unread_at
from projections.tables.rows import forward_row, notice_row
from projections.tables.schema import TOPIC, ledger, outbox
from projections.tables.write_batch import Writes

from .derive import CACHE_FACTS, Concluder
from .isolate import is_of_one, isolate_failures

CHUNK = 1000
MANY = 100  # A batch of so many, and tables grow: a plan that was good for small ones walks the whole of an index.

Batch = tuple["Projector", Sequence[LogRecord]]  # A projector and the next records of its partition, in offset order.


class Projector:
    """
    Projects one partition. One thread, one database; as many processes as there are partitions.

    Attributes:
        held: the partition's row as this projector left it.
        home, concluder: what it decides and concludes by.

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
        self.held = Checkpoint(topic, partition)
        self.home = home or (lambda _: partition)
        self.concluder = Concluder(partition, rulebook, cache_facts=cache_facts)

    def assign(self, clock: datetime) -> Checkpoint:
        """
        Take the partition over: raise its epoch, put the rules in force, apply parked records now readable.

        Args:
            clock: the projector's clock, aware UTC; it dates the first rules entry and nothing else.

        Raises:
            Infrastructure: if a migration emptied the tables of people, and nothing has filled them again.
        """
        with writing(self.engine) as conn:
            check_concluded(conn, self.held.partition)
            (there,) = lock(conn, [self.held])
            if there is None:
                there = Checkpoint(self.held.topic, self.held.partition)
                begin(conn, there)
            raised = replace(there, epoch=there.epoch + 1)
            compare_and_set(conn, [(there, raised)])
        self.held = raised
        self.concluder.forget()
        self.concluder.rules_since = self.held.rules_since
        if self.held.rules_version != self.rulebook.version:
            self._put_rules_in_force(clock)
        self.replay_readable(clock)
        return self.held

    def project(self, records: Sequence[LogRecord], clock: datetime) -> Checkpoint:
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
        isolate_failures(lambda some, failed: project_together([(self, some)], clock, failed), records)
        return self.held

    def advance_watermark(
        self,
        now: datetime,
        clock: datetime,
        reached: Callable[[Connection, int], bool] = lambda _, __: True,
        *,
        position: int = 0,
    ) -> Checkpoint:
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
            chain = _chain(start)
            entries: list[Entry] = []
            if self.concluder.timers.is_due(conn, watermark):
                entries = [chain.note("watermark", watermark, b"{}")]
            self._finish(conn, start, entries, clock, position=position, watermark=watermark)
        return self.held

    def set_cache_limit(self, facts: int) -> None:
        """Keep at most so many *facts* in memory from the next write on."""
        self.concluder.cache_facts = facts

    def next_due(self) -> datetime | None:
        """Return the next instant at which time alone could change an answer in this partition."""
        timers = self.concluder.timers
        if timers.exact or timers.soonest is None:
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
        return isolate_failures(lambda some, failed: self._replay(some, clock, failed), seqs) if seqs else []

    def dismiss(self, seq: int, reason: str, clock: datetime) -> bool:
        """Note that a parked record, named by its place in the chain, is to stay so; return whether it was parked."""
        with self._transaction() as (conn, start):
            parked = conn.execute(still_parked(start.partition).where(ledger.c.seq == seq)).mappings().one_or_none()
            if parked is None:
                return False
            chain = _chain(start)
            known, reason = start.watermark or clock, printable(f"dismissed: {reason}")
            entry = chain.record(record_of(parked), known, "parked", entry="dismissal", reason=reason)
            self._finish(conn, start, [entry], clock, replayed=True)
        return True

    def acknowledge(self, alert_id: str, subject_id: str, person: str, note: str | None, clock: datetime) -> None:
        """Note that *person* has seen an open alert at *clock*, their own."""
        with self._transaction() as (conn, start):
            seen = json.dumps({"alert_id": alert_id, "by": person, "note": note}, ensure_ascii=False)
            entry = _chain(start).note("acknowledgement", clock, seen.encode(), subject_id)
            self._finish(conn, start, [entry], clock)

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
            chain = _chain(start)
            watermark = start.watermark or clock
            came = read_all(records, watermark, entry="replay", failed=failed)
            entries = list(judge(came, known_of(conn, came), chain, self.home, "replay"))
            self._finish(conn, start, entries, clock, replayed=True)
        return entries

    def _put_rules_in_force(self, clock: datetime) -> None:
        with self._transaction() as (conn, start):
            rules = json.dumps({"version": self.rulebook.version, "rules": self.rulebook.as_json()})
            entry = _chain(start).note("rules", start.watermark or clock, rules.encode())
            self._finish(conn, start, [entry], clock, rules=self.rulebook.version)

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, Checkpoint]]:
        """Begin a write of this partition alone."""
        with _fenced([self]) as (conn, (start,)):
            yield conn, start

    def invalidate_changed(self, conn: Connection) -> None:
        """Forget whom an acknowledgement or a replay from elsewhere has touched."""
        since = select(ledger.c.subject_id).where(
            ledger.c.partition == self.held.partition, ledger.c.seq > self.held.seq, ledger.c.subject_id.is_not(None)
        )
        self.concluder.forget(set(conn.scalars(since)))

    def _finish(  # noqa: PLR0913 - all that one transaction changes
        self,
        conn: Connection,
        start: Checkpoint,
        entries: Sequence[Entry],
        clock: datetime,
        *,
        position: int | None = None,
        watermark: datetime | None = None,
        rules: str | None = None,
        replayed: bool = False,
    ) -> None:
        """Write ledger, conclusions, notices and position; the caller's transaction commits them."""
        writes = Writes()
        end = self.apply(conn, start, entries, writes, clock, position=position, replayed=replayed)
        end = replace(end, watermark=watermark or end.watermark, rules_version=rules or end.rules_version)
        writes.write(conn)
        compare_and_set(conn, [(start, end)])
        self.held = end

    def apply(  # noqa: PLR0913 - all that a batch changes
        self,
        conn: Connection,
        start: Checkpoint,
        entries: Sequence[Entry],
        writes: Writes,
        clock: datetime,
        *,
        position: int | None = None,
        replayed: bool = False,
    ) -> Checkpoint:
        """Give *writes* ledger, conclusions and notices, and return what the partition's row is going to be."""
        writes.put(ledger, [entry.row() for entry in entries])
        watermark = self.concluder.conclude(conn, entries, start.watermark, writes)
        counts = Counter(entry.outcome for entry in entries if entry.outcome)
        waiting: Waiting = Counter()
        if writes.changes and start.parked + start.conflict + counts["parked"] + counts["conflict"]:
            writes.write(conn)
            waiting = unread_at(conn, ((change.alert.subject_id, change.at) for change in writes.changes))
        notices = self._tell(start, entries, writes, waiting)
        if replayed:
            counts.subtract({"parked": len(entries)})
        return replace(
            start,
            position=start.position if position is None else position,
            watermark=watermark,
            seq=entries[-1].seq if entries else start.seq,
            hash=entries[-1].hash if entries else start.hash,
            notices=notices,
            rules_since=self.concluder.rules_since,
            read=start.read + (0 if replayed else sum(counts.values())),
            progressed=clock,
            **{outcome: getattr(start, outcome) + counts[outcome] for outcome in OUTCOMES},
        )

    def _tell(self, start: Checkpoint, entries: Sequence[Entry], writes: Writes, waiting: Waiting) -> int:
        """Add the outgoing rows, forwarded records first, and return the number of the last."""
        number = count(start.notices + 1)
        rows = [
            forward_row(start.partition, next(number), entry, self.home((entry.subject_id or "").encode()))
            for entry in entries
            if entry.outcome == "forwarded"
        ]
        rows += [
            notice_row(start.partition, next(number), change, waiting[change.alert.subject_id, change.at])
            for change in writes.changes
        ]
        writes.put(outbox, rows)
        return start.notices + len(rows)


def project_several(batches: Sequence[Batch], clock: datetime) -> dict[int, Exception]:
    """
    Project records of several partitions in one transaction, for what it costs whatever is in it.

    Where the records of one are at fault, each partition has a transaction of its own.

    Args:
        batches: of one database and topic; at least one, of as many partitions.
        clock: as for `Projector.project`.

    Returns:
        what failed for good, by the partition's number; the others are projected.

    Raises:
        Lost, SQLAlchemyError: as for `Projector.project`.
    """
    if len(batches) > 1:
        try:
            project_together(batches, clock)
        except Exception as problem:
            if not is_of_one(problem):
                raise
        else:
            return {}
    failed: dict[int, Exception] = {}
    for projector, records in batches:
        try:
            projector.project(records, clock)
        except Exception as problem:
            if not is_of_one(problem):
                raise
            failed[projector.held.partition] = problem
    return failed


def project_together(batches: Sequence[Batch], clock: datetime, failed: Exception | None = None) -> list[Checkpoint]:
    """
    Project records of several partitions in one transaction, all of them or none.

    Args:
        batches: as for `project_several`.
        clock: as for `Projector.project`.
        failed: what the program itself failed with on the one record there is; it is parked.

    Returns:
        the rows of the partitions, as they are now.

    Raises:
        Exception: whatever it fails with; `project_several` and `Projector.project` tell what to do about it.
    """
    with _fenced([projector for projector, _ in batches]) as (conn, starts):
        if any(len(records) >= MANY for _, records in batches):
            plan_anew(conn)
        # A log may deliver again what was read before: those positions have their outcomes.
        came = [
            read_all([record for record in records if record.offset >= start.position], start.watermark, failed=failed)
            for (_, records), start in zip(batches, starts, strict=True)
        ]
        first = known_of(conn, chained.from_iterable(came))
        writes, steps = Writes(), []
        for (projector, records), start, read in zip(batches, starts, came, strict=True):
            own = Writes()
            entries = list(judge(read, first, _chain(start), projector.home))
            position = max(start.position, records[-1].offset + 1)
            steps.append((start, projector.apply(conn, start, entries, own, clock, position=position)))
            writes.take(own)
        writes.write(conn)
        compare_and_set(conn, steps)
        for (projector, _), (_, end) in zip(batches, steps, strict=True):
            projector.held = end
    return [end for _, end in steps]


@contextmanager
def _fenced(projectors: Sequence[Projector]) -> Iterator[tuple[Connection, list[Checkpoint]]]:
    """Begin a write: lock the rows of partitions and see that each is still ours."""
    helds = [projector.held for projector in projectors]
    try:
        with writing(projectors[0].engine) as conn:
            starts = []
            for projector, start in zip(projectors, lock(conn, helds), strict=True):
                if start is None or not start.is_that_of(projector.held):
                    raise PartitionLost(projector.held.partition)  # noqa: TRY301 - so that what was kept is forgotten
                if start.seq != projector.held.seq:
                    projector.invalidate_changed(conn)
                starts.append(start)
            yield conn, starts
    except BaseException:
        # The casefiles have taken steps that were rolled back.
        for projector, held in zip(projectors, helds, strict=True):
            projector.held = held
            projector.concluder.forget()
        raise


def _chain(start: Checkpoint) -> Chain:
    return Chain(start.topic, start.partition, start.seq, start.hash)
