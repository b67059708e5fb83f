"""
A writer of one partition: position, ledger, conclusions and notices commit together or not at all.

`Projector.assign` raises the partition's epoch. Each write compares position, watermark and epoch with those from which
it started. So a writer cannot write once its partition is assigned to another.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import count

from sqlalchemy import Connection, Engine

from events.text import storable
from projections.alerts.acknowledgement import (
    Acknowledgement,
    Unacknowledgement,
    acknowledgement_value,
    check_end,
)
from projections.alerts.alert import Change
from projections.alerts.clearing import Clearing
from projections.ledger.chain import Chain, Entry
from projections.ledger.classify import classify, read_all
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import OUTCOMES, Checkpoint, PartitionLost, compare_and_set, lock
from projections.tables.database import write_transaction
from projections.tables.ledger_rows import known_bodies, record_of, subjects_after
from projections.tables.outbox import to_notify
from projections.tables.parked_rows import UnreadAt, parked_rows, unread_counts_at
from projections.tables.rows import clearing_row, forward_row, notice_row
from projections.tables.schema import ledger, outbox
from projections.tables.write_batch import WriteBatch

from .derive import CACHE_FACTS, Deriver
from .isolate import isolate_failures

Row = tuple[object, ...]


class PartitionWriter:
    """
    Writes one partition: acknowledgements, dismissals and replays, and the batches of its subclasses.

    Args:
        engine: the database.
        checkpoint: the partition's row, as far as it is known.
        rulebook: the rules by which to derive.
        home: the partition to which a key belongs; a log with one partition needs none.
        cache_facts: how many facts to keep in memory.

    Attributes:
        checkpoint: the partition's row as this writer left it.
    """

    def __init__(
        self,
        engine: Engine,
        checkpoint: Checkpoint,
        rulebook: Rulebook,
        home: Callable[[bytes], int] | None = None,
        cache_facts: int = CACHE_FACTS,
    ) -> None:
        self.engine = engine
        self.checkpoint = checkpoint
        self.home = home or (lambda _: checkpoint.partition)
        self.deriver = Deriver(checkpoint.partition, rulebook, cache_facts=cache_facts)

    def acknowledge(  # noqa: PLR0913, PLR0917 - the alert, and what the person says
        self,
        alert_id: str,
        subject_id: str,
        person: str,
        note: str | None,
        clock: datetime,
        until: datetime | None = None,
    ) -> None:
        """
        Record that *person* acknowledges an open alert at *clock*, their own, until an instant or without an end.

        Raises:
            BadInput: if that instant is not after the watermark.
        """
        said = Acknowledgement(alert_id, person, note, clock, until)
        with self.transaction() as (conn, start):
            check_end(said, start.watermark)
            self._say(conn, start, "acknowledgement", said, subject_id)

    def unacknowledge(self, alert_id: str, subject_id: str, person: str, note: str | None, clock: datetime) -> None:
        """Record that *person* takes the acknowledgement of an alert back at *clock*, their own."""
        with self.transaction() as (conn, start):
            said = Unacknowledgement(alert_id, person, note, clock)
            self._say(conn, start, "unacknowledgement", said, subject_id)

    def dismiss(self, seq: int, reason: str, clock: datetime) -> bool:
        """Record that a parked record, named by its place in the chain, stays so; return whether it was parked."""
        with self.transaction() as (conn, start):
            parked = parked_rows(conn, start.partition, [seq])
            if not parked:
                return False
            known, reason = start.watermark or clock, storable(f"dismissed: {reason}")
            record = record_of(parked[0])
            entry = chain_of(start).record(record, known, "parked", entry="dismissal", reason=reason)
            self.finish(conn, start, [entry], clock, replayed=True)
        return True

    def replay(self, seqs: Sequence[int], clock: datetime) -> list[Entry]:
        """
        Read parked records again, named by their place in the chain; each gets a new row with its outcome.

        A replayed fact becomes known at the partition's watermark: the log has been read up to there. A record that is
        not parked any more is skipped. A record on which the program itself fails stays parked, as ``failed``, and
        does not stop the others.

        Raises:
            PartitionLost: if the partition was assigned to another projector.
            SQLAlchemyError: if the database failed.
        """
        return isolate_failures(lambda some, failed: self._replay(some, clock, failed), seqs) if seqs else []

    @contextmanager
    def transaction(self) -> Iterator[tuple[Connection, Checkpoint]]:
        """Begin a write of this partition alone."""
        with fenced([self]) as (conn, (start,)):
            yield conn, start

    def finish(  # noqa: PLR0913 - all that one transaction changes
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
        writes = WriteBatch()
        end = self.apply(conn, start, entries, writes, clock, position=position, replayed=replayed)
        end = replace(end, watermark=watermark or end.watermark, rules_version=rules or end.rules_version)
        writes.write(conn)
        compare_and_set(conn, [(start, end)])
        self.checkpoint = end

    def apply(  # noqa: PLR0913 - all that a batch changes
        self,
        conn: Connection,
        start: Checkpoint,
        entries: Sequence[Entry],
        writes: WriteBatch,
        clock: datetime,
        *,
        position: int | None = None,
        replayed: bool = False,
    ) -> Checkpoint:
        """Add ledger, conclusions and notices to *writes*; return the partition's row after them."""
        writes.add(ledger, [entry.row() for entry in entries])
        watermark = self.deriver.derive(conn, entries, start.watermark, writes)
        counts = Counter(entry.outcome for entry in entries if entry.outcome)
        waiting: UnreadAt = Counter()
        told = to_notify(conn, writes.changes)
        if told and start.parked + start.conflict + counts["parked"] + counts["conflict"]:
            writes.write(conn)
            about = [(change.alert.subject, change.at) for change in told if isinstance(change, Change)]
            waiting = unread_counts_at(conn, about)
        outgoing = [*_outgoing(start, entries, told, waiting, self.home)]
        writes.add(outbox, outgoing)
        if replayed:
            counts.subtract({"parked": len(entries)})
        return replace(
            start,
            position=start.position if position is None else position,
            watermark=watermark,
            seq=entries[-1].seq if entries else start.seq,
            hash=entries[-1].hash if entries else start.hash,
            notices=start.notices + len(outgoing),
            rules_since=self.deriver.rules_since,
            read=start.read + (0 if replayed else sum(counts.values())),
            progressed=clock,
            **{outcome: getattr(start, outcome) + counts[outcome] for outcome in OUTCOMES},
        )

    def _say(
        self,
        conn: Connection,
        start: Checkpoint,
        kind: str,
        said: Acknowledgement | Unacknowledgement,
        subject_id: str,
    ) -> None:
        value = json.dumps(acknowledgement_value(said), ensure_ascii=False)
        entry = chain_of(start).note(kind, said.at, value.encode(), subject_id)
        self.finish(conn, start, [entry], said.at)

    def _replay(self, seqs: Sequence[int], clock: datetime, failed: Exception | None) -> list[Entry]:
        with self.transaction() as (conn, start):
            # Looked up under the lock: another process may have replayed them meanwhile.
            records = [record_of(entry) for entry in parked_rows(conn, start.partition, seqs, dismissed=True)]
            read = read_all(records, start.watermark or clock, entry="replay", failed=failed)
            entries = list(classify(read, known_bodies(conn, read), chain_of(start), self.home, "replay"))
            self.finish(conn, start, entries, clock, replayed=True)
        return entries


@contextmanager
def fenced(writers: Sequence[PartitionWriter]) -> Iterator[tuple[Connection, list[Checkpoint]]]:
    """Begin a write: lock the rows of partitions, and check that each partition is still assigned to its writer."""
    before = [writer.checkpoint for writer in writers]
    try:
        with write_transaction(writers[0].engine) as conn:
            starts = []
            for writer, start in zip(writers, lock(conn, before), strict=True):
                partition = writer.checkpoint.partition
                if start is None or not start.same_assignment(writer.checkpoint):
                    raise PartitionLost(partition)  # noqa: TRY301 - so that the people in memory are dropped
                if start.seq != writer.checkpoint.seq:
                    # An acknowledgement or a replay from elsewhere concerns these people.
                    writer.deriver.invalidate(subjects_after(conn, partition, writer.checkpoint.seq))
                starts.append(start)
            yield conn, starts
    except BaseException:
        # The people in memory have taken steps that were rolled back.
        for writer, checkpoint in zip(writers, before, strict=True):
            writer.checkpoint = checkpoint
            writer.deriver.invalidate()
        raise


def chain_of(start: Checkpoint) -> Chain:
    """Return the end of the partition's chain at *start*."""
    return Chain(start.topic, start.partition, start.seq, start.hash)


def _outgoing(
    start: Checkpoint,
    entries: Iterable[Entry],
    changes: Iterable[Change | Clearing],
    waiting: UnreadAt,
    home: Callable[[bytes], int],
) -> Iterator[Row]:
    """Yield the rows of the outbox, forwarded records first."""
    number = count(start.notices + 1)
    for entry in entries:
        if entry.outcome == "forwarded":
            yield forward_row(start.partition, next(number), entry, home((entry.subject_id or "").encode()))
    for change in changes:
        if isinstance(change, Clearing):
            yield clearing_row(start.partition, next(number), change)
        else:
            yield notice_row(start.partition, next(number), change, waiting[change.alert.subject, change.at])
