"""
The path from ledger entries to conclusions: live, late, corrected, timer and rebuild all take it.

SQL works in batches, conclusions do not. Every person is stepped through the entries in ledger order, so that no batch
size changes the result.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from events.edtf import BEGINNING
from events.facts import Fact
from events.record import again
from projections.alerts.acknowledgement import KINDS, acknowledgement_from
from projections.alerts.rules_change import rules_change
from projections.ledger.chain import Entry
from projections.rules.rulebook import Rulebook
from projections.tables.ledger_rows import rules_at, rules_of, tells_backfilled
from projections.tables.schema import LIVE, Conclusions
from projections.tables.timers import Timers
from projections.tables.write_batch import WriteBatch

from .subject_cache import SubjectCache
from .subject_rows import CachedSubject

CHUNK = 1000
# The news of a person for whom only time passed: the whole history is needed.
TIME = (None,)
CACHE_FACTS = 200_000


class Deriver:
    """
    Derives the conclusions of one partition.

    Args:
        partition: the partition of the subjects.
        rulebook: the rules in force.
        tables: the tables to write: the live ones, or their twins for a rebuild.
        cache_facts: how many facts to keep in memory, and of how many more people only the status.

    Attributes:
        cache: the people in memory.
        timers: the timers of the partition's people.
        rules_since: the instant from which the rules are in force; None: from the first record on.
    """

    def __init__(
        self, partition: int, rulebook: Rulebook, tables: Conclusions = LIVE, *, cache_facts: int = CACHE_FACTS
    ) -> None:
        self.partition = partition
        self.rulebook = rulebook
        self.rules_since: datetime | None = None
        self.tables = tables
        self.cache = SubjectCache(partition, tables, cache_facts)
        self.timers = Timers(partition, tables.subjects)

    def derive(
        self, conn: Connection, entries: Sequence[Entry], watermark: datetime | None, writes: WriteBatch
    ) -> datetime | None:
        """
        Apply *entries*, in ledger order, and add the rows that follow to *writes*.

        Args:
            conn: a transaction that writes.
            entries: rows of this partition's ledger that have not been applied yet.
            watermark: the partition's before the first of them.
            writes: the writes of the caller's transaction. They are written before rows that they concern are read.

        Returns:
            the watermark after the last entry.
        """
        start = 0
        for index, entry in enumerate(entries):
            if entry.entry == "rules":
                watermark = self._apply(conn, entries[start:index], watermark, writes)
                watermark = self._change_rules(conn, entry, watermark, writes)
                start = index + 1
        return self._apply(conn, entries[start:], watermark, writes)

    def invalidate(self, subject_ids: Iterable[str] | None = None) -> None:
        """Drop *subject_ids* from memory, or everybody: another writer wrote, or a write was rolled back."""
        self.timers.forget()
        self.cache.drop(subject_ids)

    def _apply(
        self, conn: Connection, entries: Sequence[Entry], watermark: datetime | None, writes: WriteBatch
    ) -> datetime | None:
        if not entries:
            return watermark
        before, until = watermark, _latest(entries, watermark)
        steps = [(entry, _fact(entry)) for entry in entries]
        news: dict[str, list[Fact | None]] = defaultdict(list)
        for entry, fact in steps:
            if entry.subject_id and (fact or entry.entry in KINDS):
                news[entry.subject_id].append(fact)
        # Opened together with the news: looked up later, they would make a write necessary before.
        due = self.timers.overdue(conn, until) if until and self.timers.may_be_due(until) else ()
        subjects = self._open(conn, {**dict.fromkeys(due, TIME), **news}, before, entries[0].seq)
        for entry, fact in steps:
            if entry.entry in KINDS:
                _acknowledge(subjects, entry, watermark or BEGINNING)
                continue
            watermark = max(watermark or entry.recorded, entry.recorded)
            if fact:
                subject = subjects[fact.subject]
                subject.state.apply(fact)
                assert entry.log_offset is not None, "a record has an offset"
                subject.position = (entry.partition, entry.log_offset)
        for subject in subjects.values():
            if subject.state.due is not None:
                subject.state.advance_watermark(watermark or BEGINNING)
        self.cache.put(conn, subjects.values(), self.timers, writes)
        if watermark is not None:
            self._fire(conn, before, watermark, entries[-1].seq + 1, writes)
        return watermark

    def _fire(
        self, conn: Connection, before: datetime | None, watermark: datetime, end: int, writes: WriteBatch
    ) -> None:
        """
        Fire the other timers that are due in the partition, a bounded number of people at a time.

        These people are opened at the watermark *before* the batch: a fact that was announced for an instant since
        then must count at that instant.
        """
        while self.timers.may_be_due(watermark):
            writes.write(conn)
            subject_ids = self.timers.overdue(conn, watermark)
            subjects = self._open(conn, dict.fromkeys(subject_ids, TIME), before, end)
            for subject in subjects.values():
                subject.state.advance_watermark(watermark)
            self.cache.put(conn, subjects.values(), self.timers, writes)

    def _change_rules(
        self, conn: Connection, entry: Entry, watermark: datetime | None, writes: WriteBatch
    ) -> datetime | None:
        """Put other rules in force for everybody in the partition, a bounded number of people at a time."""
        self.rulebook = rules_of(entry)
        self.invalidate()
        if watermark is None:
            # The first rules of the partition, which holds nobody yet.
            return None
        writes.write(conn)
        since = self.rules_since = max(watermark, entry.recorded)
        # From the ledger: a projector is made with the rules that it puts in force.
        before = rules_at(conn, self.partition, entry.seq - 1) or Rulebook(())
        change = rules_change(before, self.rulebook, tells_backfilled=tells_backfilled(entry))
        after = ""
        subjects = self.tables.subjects
        everybody = select(subjects.c.subject_id).where(subjects.c.position_partition == self.partition)
        while subject_ids := conn.scalars(
            everybody.where(subjects.c.subject_id > after).order_by(subjects.c.subject_id).limit(CHUNK)
        ).all():
            opened = self._open(conn, dict.fromkeys(subject_ids, TIME), watermark, entry.seq)
            for subject in opened.values():
                subject.state.change_rules(change, since)
            self.cache.put(conn, opened.values(), self.timers, writes)
            writes.write(conn)
            after = subject_ids[-1]
        return since

    def _open(
        self, conn: Connection, news: Mapping[str, Sequence[Fact | None]], watermark: datetime | None, end: int
    ) -> dict[str, CachedSubject]:
        return self.cache.open(conn, news, watermark, end, self.rulebook, self.rules_since)


def _latest(entries: Iterable[Entry], watermark: datetime | None) -> datetime | None:
    """Return the watermark after *entries*; an acknowledgement, which has a person's time, does not move it."""
    recorded = [entry.recorded for entry in entries if entry.entry not in KINDS]
    return max([*recorded, *([watermark] if watermark else [])], default=None)


def _fact(entry: Entry) -> Fact | None:
    """Return the fact of *entry*, if it is one that applies; a row read back from the ledger holds it as bytes."""
    if entry.outcome != "applied":
        return None
    return entry.fact or again(entry.headers, entry.value, entry.recorded)


def _acknowledge(subjects: Mapping[str, CachedSubject], entry: Entry, watermark: datetime) -> None:
    """Apply an acknowledgement or its taking back, once the timers due before it have fired."""
    assert entry.value is not None, "an acknowledgement names an alert"
    assert entry.subject_id is not None, "an acknowledgement is about a person"
    state = subjects[entry.subject_id].state
    state.advance_watermark(watermark)
    state.acknowledge(acknowledgement_from(entry.entry, json.loads(entry.value), entry.recorded))
