"""
From ledger entries to conclusions: the one path that live, late, corrected, timer and rebuild all take.

SQL works in batches, conclusions do not: every casefile is stepped through its entries in ledger order, so
that no batch size changes what comes out.
"""

import json
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Delete, Select, Table, bindparam, delete, select

from events.facts import Fact
from events.record import again
from events.text import search_form
from projections.alerts.subject_state import Casefile
from projections.history.history import BEGINNING, History
from projections.ledger.chain import Entry
from projections.rules.rulebook import Rulebook
from projections.tables.database import among, given
from projections.tables.ledger_rows import in_force
from projections.tables.part_rows import PART_ROWS
from projections.tables.rows import alert_from_row, change_row, subject_row
from projections.tables.schema import APPLIED, LIVE, Conclusions, ledger
from projections.tables.timers import Timers
from projections.tables.write_batch import Writes

CHUNK = 1000
# What a casefile is opened for when no fact is: its whole history is wanted.
TIME = (None,)
CACHE_FACTS = 200_000


class _Statements(NamedTuple):
    """
    What is asked and cleared of given people, as every batch does: see `given` for their ids.

    Attributes:
        facts: their facts in the ledger of a ``partition`` before the row ``end``.
        standing: where the tables say that they stand.
        alerts: their alerts.
        clear: what takes their rows away, by the table.
    """

    facts: Select[Any]
    standing: Select[Any]
    alerts: Select[Any]
    clear: Mapping[Table, Delete]


class Concluder:
    """
    Draws the conclusions of one partition and writes them; keeps the casefiles it used last.

    Args:
        partition: the partition whose subjects these are. It has one writer, so what is kept is valid.
        rulebook: the rules in force.
        tables: where to write: the live tables, or their twins for a rebuild.
        cache_facts: how many facts to keep in memory at the most, and of how many more people only where they stand.

    Attributes:
        timers: of the partition's people.
    """

    def __init__(
        self, partition: int, rulebook: Rulebook, tables: Conclusions = LIVE, *, cache_facts: int = CACHE_FACTS
    ) -> None:
        self.partition = partition
        self.rulebook = rulebook
        self.rules_since: datetime | None = None
        self.tables = tables
        self.cache_facts = cache_facts
        self._casefiles: OrderedDict[str, Casefile] = OrderedDict()
        self._resting: OrderedDict[str, Casefile] = OrderedDict()
        self._kept = 0
        self.timers = Timers(partition, tables.subjects)

    def conclude(
        self, conn: Connection, entries: Sequence[Entry], watermark: datetime | None, writes: Writes
    ) -> datetime | None:
        """
        Take in *entries*, in ledger order, and say what follows.

        Args:
            conn: a transaction that writes.
            entries: rows of this partition's ledger that have not been concluded yet.
            watermark: the partition's before the first of them.
            writes: is given what follows, for the caller to write; what is looked for meanwhile is written before.

        Returns:
            the watermark after the last entry.
        """
        start = 0
        for index, entry in enumerate(entries):
            if entry.entry == "rules":
                watermark = self._take(conn, entries[start:index], watermark, writes)
                watermark = self._change_rules(conn, entry, watermark, writes)
                start = index + 1
        return self._take(conn, entries[start:], watermark, writes)

    def forget(self, subject_ids: Iterable[str] | None = None) -> None:
        """Drop what is kept of *subject_ids*, or everything: somebody else wrote, or a write was rolled back."""
        self.timers.forget()
        for subject_id in [*self._casefiles, *self._resting] if subject_ids is None else subject_ids:
            self._resting.pop(subject_id, None)
            casefile = self._casefiles.pop(subject_id, None)
            self._kept -= casefile.size if casefile else 0

    def _take(
        self, conn: Connection, entries: Sequence[Entry], watermark: datetime | None, writes: Writes
    ) -> datetime | None:
        if not entries:
            return watermark
        before = until = watermark
        news: dict[str, list[Fact | None]] = defaultdict(list)
        steps: list[tuple[Entry, Fact | None]] = []
        for entry in entries:
            fact = _fact(entry)
            steps.append((entry, fact))
            if entry.subject_id and (fact or entry.entry == "acknowledgement"):
                news[entry.subject_id].append(fact)
            if entry.entry != "acknowledgement":
                until = max(until or entry.recorded, entry.recorded)
        # They come along with the news, so that nothing has to be written before they are looked up.
        due = self.timers.overdue(conn, until) if until and self.timers.may_be_due(until) else ()
        casefiles = self._open(conn, {**dict.fromkeys(due, TIME), **news}, before, entries[0].seq)
        for entry, fact in steps:
            if entry.entry == "acknowledgement":
                _acknowledge(casefiles, entry, watermark or BEGINNING)
                continue
            watermark = max(watermark or entry.recorded, entry.recorded)
            if fact:
                casefile = casefiles[fact.subject]
                casefile.advance_watermark(fact.recorded)
                casefile.apply(fact)
                assert entry.log_offset is not None, "a record has an offset"
                casefile.position = (entry.partition, entry.log_offset)
        for casefile in casefiles.values():
            casefile.advance_watermark(watermark or BEGINNING)
        self._put(conn, casefiles.values(), writes)
        if watermark is not None:
            self._fire(conn, before, watermark, entries[-1].seq + 1, writes)
        return watermark

    def _fire(self, conn: Connection, before: datetime | None, watermark: datetime, end: int, writes: Writes) -> None:
        """
        Fire what else is due in the partition, a bounded number of people at a time.

        Their casefiles stand at the watermark *before* the batch: what was announced for an instant since then
        must come in at that instant.
        """
        while self.timers.may_be_due(watermark):
            writes.write(conn)
            subject_ids = self.timers.overdue(conn, watermark)
            casefiles = self._open(conn, dict.fromkeys(subject_ids, TIME), before, end)
            for casefile in casefiles.values():
                casefile.advance_watermark(watermark)
            self._put(conn, casefiles.values(), writes)

    def _change_rules(
        self, conn: Connection, entry: Entry, watermark: datetime | None, writes: Writes
    ) -> datetime | None:
        """Put other rules in force for everybody in the partition, a bounded number of people at a time."""
        self.rulebook = in_force(entry)
        self.forget()
        if watermark is None:
            # The partition's first rules: there is nobody yet whom they could concern.
            return None
        writes.write(conn)
        since = self.rules_since = max(watermark, entry.recorded)
        after = ""
        subjects = self.tables.subjects
        everybody = select(subjects.c.subject_id).where(subjects.c.position_partition == self.partition)
        while subject_ids := conn.scalars(
            everybody.where(subjects.c.subject_id > after).order_by(subjects.c.subject_id).limit(CHUNK)
        ).all():
            casefiles = self._open(conn, dict.fromkeys(subject_ids, TIME), watermark, entry.seq)
            for casefile in casefiles.values():
                casefile.change_rules(self.rulebook, since)
            self._put(conn, casefiles.values(), writes)
            writes.write(conn)
            after = subject_ids[-1]
        return since

    def _open(
        self, conn: Connection, news: Mapping[str, Sequence[Fact | None]], watermark: datetime | None, end: int
    ) -> dict[str, Casefile]:
        """
        Return casefiles as they stood before the ledger's row *end*; what was concluded until then has been written.

        Args:
            conn: to load those that are not kept.
            news: by subject, the facts they are going to take in; None for what is not a fact.
            watermark: the partition's at that row.
            end: the place of the row.
        """
        casefiles: dict[str, Casefile] = {}
        for subject_id in sorted(news):
            casefile = self._casefiles.get(subject_id) or self._resting.get(subject_id)
            if casefile is not None and casefile.takes(news[subject_id]):
                casefiles[subject_id] = casefile
        missing = sorted(news.keys() - casefiles.keys())
        if missing:
            for casefile in self._load(conn, missing, watermark, end):
                casefiles[casefile.subject_id] = casefile
        return casefiles

    def _load(
        self, conn: Connection, subject_ids: list[str], watermark: datetime | None, end: int
    ) -> Iterator[Casefile]:
        facts: dict[str, list[Fact]] = {subject_id: [] for subject_id in subject_ids}
        asked = given(conn, subject_ids) | {"partition": self.partition, "end": end}
        for subject_id, headers, value, recorded in conn.execute(self._statements(conn).facts, asked):
            facts[subject_id].append(again(headers, value, recorded))
        casefiles = {
            subject_id: Casefile(
                subject_id, History(of_them, _reached(of_them, watermark)), self.rulebook, rules_since=self.rules_since
            )
            for subject_id, of_them in facts.items()
        }
        known = [subject_id for subject_id, of_them in facts.items() if of_them]
        for subject_id in casefiles.keys() - known:
            casefiles[subject_id].written_names, casefiles[subject_id].written_parts = {}, {}
        if known:
            self._recall(conn, casefiles, known)
        yield from casefiles.values()

    def _recall(self, conn: Connection, casefiles: dict[str, Casefile], known: list[str]) -> None:
        """Give *casefiles* what was concluded of the *known* people so far."""
        statements, asked = self._statements(conn), given(conn, known)
        for subject_id, due, partition, offset in conn.execute(statements.standing, asked):
            casefiles[subject_id].due = casefiles[subject_id].written_due = due
            casefiles[subject_id].position = (partition, offset)
        for row in conn.execute(statements.alerts, asked).mappings():
            alert = alert_from_row(row)
            casefiles[alert.subject_id].alerts[alert.alert_id] = alert

    def _put(self, conn: Connection, casefiles: Iterable[Casefile], writes: Writes) -> None:
        """Give *writes* what the *casefiles* have come to, and keep them for the next batch."""
        tables, clear = self.tables, self._statements(conn).clear
        rows: dict[Table, list[tuple[Any, ...]]] = {table: [] for table in (tables.subjects, *tables.parts)}
        names: list[tuple[Any, ...]] = []
        cleared: dict[Table, list[str]] = {}
        for casefile in casefiles:
            status, subject_id, due = casefile.status, casefile.subject_id, casefile.due
            rows[tables.subjects].append(subject_row(subject_id, status, casefile.history, casefile.position, due))
            self.timers.moved(casefile.written_due, due)
            casefile.written_due = due
            for table, changed, is_cleared in _changed_parts(casefile, tables):
                rows[table] += changed
                if is_cleared:
                    cleared.setdefault(table, []).append(subject_id)
            if casefile.written_names is None or not casefile.written_names.keys() <= status.names.keys():
                cleared.setdefault(tables.names, []).append(subject_id)
                casefile.written_names = {}
            if len(casefile.written_names) < len(status.names):
                added = [name for name in status.names if name not in casefile.written_names]
                names += [(subject_id, name, search_form(name)) for name in added]
                casefile.written_names = dict(status.names)
            if casefile.touched:
                writes.put(tables.alerts, [casefile.alerts[alert_id] for alert_id in casefile.touched], replace=True)
                writes.put(tables.alert_changes, map(change_row, casefile.changes))
                writes.tell(casefile.changes)
                casefile.changes, casefile.touched = [], set()
            self._keep(casefile)
        for table, subject_ids in cleared.items():
            writes.clear(clear[table], subject_ids)
        writes.put(tables.names, names)
        for table, of_table in rows.items():
            writes.put(table, of_table, replace=True)
        self._evict()

    def _statements(self, conn: Connection) -> _Statements:
        return _statements(conn.dialect.name, self.tables)

    def _keep(self, casefile: Casefile) -> None:
        self._resting.pop(casefile.subject_id, None)
        if casefile.rested is not None:
            self._resting[casefile.subject_id] = casefile
            return
        before = self._casefiles.pop(casefile.subject_id, None)
        self._kept += len(casefile.history.facts) - (before.size if before else 0)
        casefile.size = len(casefile.history.facts)
        self._casefiles[casefile.subject_id] = casefile

    def _evict(self) -> None:
        while self._kept > self.cache_facts and len(self._casefiles) > 1:
            subject_id, casefile = self._casefiles.popitem(last=False)
            self._kept -= casefile.size
            if casefile.rest():
                self._resting[subject_id] = casefile
        while len(self._resting) > self.cache_facts:
            self._resting.popitem(last=False)


@cache
def _statements(dialect: str, tables: Conclusions) -> _Statements:
    subjects, alerts = tables.subjects, tables.alerts
    return _Statements(
        select(ledger.c.subject_id, ledger.c.headers, ledger.c.value, ledger.c.recorded).where(
            among(dialect, ledger.c.subject_id),
            APPLIED,
            # Not the columns themselves: SQLite would walk the whole partition by its key instead of looking people up.
            ledger.c.partition + 0 == bindparam("partition"),
            ledger.c.seq + 0 < bindparam("end"),
        ),
        select(subjects.c.subject_id, subjects.c.due, subjects.c.position_partition, subjects.c.position_offset).where(
            among(dialect, subjects.c.subject_id)
        ),
        select(alerts).where(among(dialect, alerts.c.subject_id)),
        {table: delete(table).where(among(dialect, table.c.subject_id)) for table in (tables.names, *tables.parts)},
    )


def _reached(facts: Sequence[Fact], watermark: datetime | None) -> datetime:
    """Return the instant up to which *facts* have been looked at by *watermark*."""
    if watermark is None:
        return BEGINNING
    # A fact lets in what was announced for its own instant; time alone only what is due before the watermark.
    at_watermark = any(fact.recorded == watermark for fact in facts)
    return watermark if at_watermark else watermark - timedelta(microseconds=1)


def _fact(entry: Entry) -> Fact | None:
    """Return the fact of *entry*, if it is one that applies; a row read back from the ledger holds it as bytes."""
    if entry.outcome != "applied":
        return None
    return entry.fact or again(entry.headers, entry.value, entry.recorded)


def _changed_parts(casefile: Casefile, tables: Conclusions) -> Iterator[tuple[Table, Sequence[tuple[Any, ...]], bool]]:
    """
    Yield for each table of parts the rows that differ from the written ones, and take them for written.

    With them: whether to clear first what is written of the person, since that is not known, or a row of it is gone.
    """
    written, status, history = casefile.written_parts, casefile.status, casefile.history
    agreeing, marks = history.agreeing(), status.marks()
    known, fold = casefile.written_marks, (status, history.regrouped)
    casefile.written_marks = (fold, marks)
    same = known[1] if known and known[0] == fold else (None,) * len(marks)
    for table, make, mark, old in zip(tables.parts, PART_ROWS, marks, same, strict=True):
        if written is not None and mark == old:
            continue
        before = None if written is None else written.get(table.name)
        rows = make(casefile.subject_id, status, agreeing)
        if not rows and not before and written is not None:
            continue
        keys = len(table.primary_key)
        now = {row[:keys]: row for row in rows}
        if written is None or (before is not None and not before.keys() <= now.keys()):
            yield table, rows, True
        else:
            yield table, [row for key, row in now.items() if before is None or before.get(key) != row], False
        if casefile.written_parts is None:
            casefile.written_parts = {}
        casefile.written_parts[table.name] = now


def _acknowledge(casefiles: Mapping[str, Casefile], entry: Entry, watermark: datetime) -> None:
    """Take an acknowledgement into the casefile of whom it is about, once the timers due before it have fired."""
    assert entry.value is not None, "an acknowledgement says of what"
    assert entry.subject_id is not None, "and about whom"
    seen = json.loads(entry.value)
    casefile = casefiles[entry.subject_id]
    casefile.advance_watermark(watermark)
    casefile.acknowledge(seen["alert_id"], seen["by"], seen["note"], entry.recorded)
