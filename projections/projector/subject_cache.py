"""The people of one partition in memory: loaded from the ledger and the tables, and kept for the next batch."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, not_, select

from events.edtf import BEGINNING
from events.facts import Fact
from events.record import again
from projections.alerts.alert import Alert
from projections.alerts.subject_state import SubjectState
from projections.history.history import History
from projections.rules.rulebook import Rulebook
from projections.tables.database import in_values, values_parameter
from projections.tables.ledger_rows import facts_before
from projections.tables.part_rows import WrittenParts
from projections.tables.rows import alert_from_row
from projections.tables.schema import Conclusions
from projections.tables.timers import Timers
from projections.tables.write_batch import WriteBatch

from .subject_rows import CachedSubject, put_rows


class SubjectCache:
    """
    The people of one partition that were used last. The partition has one writer, so the cache is valid.

    Args:
        partition: the partition.
        tables: the tables of conclusions.
        limit: how many facts to keep, and of how many more people only the status.
    """

    def __init__(self, partition: int, tables: Conclusions, limit: int) -> None:
        self.partition = partition
        self.tables = tables
        self.limit = limit
        self._whole: OrderedDict[str, CachedSubject] = OrderedDict()
        self._compacted: OrderedDict[str, CachedSubject] = OrderedDict()
        self._facts = 0

    def open(  # noqa: PLR0913, PLR0917 - the place in the ledger, and the rules there
        self,
        conn: Connection,
        news: Mapping[str, Sequence[Fact | None]],
        watermark: datetime | None,
        end: int,
        rulebook: Rulebook,
        rules_since: datetime | None,
    ) -> dict[str, CachedSubject]:
        """
        Return people as they stood before the ledger's row *end*. All conclusions until then must be written.

        Args:
            conn: to load those that are not in memory.
            news: by subject, the facts that each is about to apply; None for an entry without a fact.
            watermark: the partition's at that row.
            end: the place of the row.
            rulebook: the rules in force.
            rules_since: the instant from which they are in force.
        """
        subjects: dict[str, CachedSubject] = {}
        for subject_id in sorted(news):
            subject = self._whole.get(subject_id) or self._compacted.get(subject_id)
            if subject is None:
                continue
            fold = subject.state.fold
            if fold.compacted is None or fold.can_apply(news[subject_id]):
                subjects[subject_id] = subject
        missing = sorted(news.keys() - subjects.keys())
        if missing:
            subjects |= self._load(conn, missing, watermark, end, rulebook, rules_since)
        return subjects

    def put(self, conn: Connection, subjects: Collection[CachedSubject], timers: Timers, writes: WriteBatch) -> None:
        """Add to *writes* the rows of *subjects* that changed; keep them, and drop the people not used for longest."""
        put_rows(subjects, self.tables, conn.dialect.name, timers, writes)
        for subject in subjects:
            subject_id = subject.state.subject_id
            self._compacted.pop(subject_id, None)
            if subject.state.fold.compacted is not None:
                self._compacted[subject_id] = subject
                continue
            before = self._whole.pop(subject_id, None)
            size = len(subject.state.fold.history.facts)
            self._facts += size - (before.size if before else 0)
            subject.size = size
            self._whole[subject_id] = subject
        self._evict()

    def drop(self, subject_ids: Iterable[str] | None = None) -> None:
        """Drop *subject_ids*, or everybody: another writer wrote, or a write was rolled back."""
        for subject_id in [*self._whole, *self._compacted] if subject_ids is None else subject_ids:
            self._compacted.pop(subject_id, None)
            subject = self._whole.pop(subject_id, None)
            self._facts -= subject.size if subject else 0

    def _evict(self) -> None:
        while self._facts > self.limit and len(self._whole) > 1:
            subject_id, subject = self._whole.popitem(last=False)
            self._facts -= subject.size
            if subject.state.compact():
                self._compacted[subject_id] = subject
        while len(self._compacted) > self.limit:
            self._compacted.popitem(last=False)

    def _load(  # noqa: PLR0913, PLR0917 - as for `open`
        self,
        conn: Connection,
        subject_ids: Sequence[str],
        watermark: datetime | None,
        end: int,
        rulebook: Rulebook,
        rules_since: datetime | None,
    ) -> dict[str, CachedSubject]:
        facts: dict[str, list[Fact]] = {subject_id: [] for subject_id in subject_ids}
        for subject_id, headers, value, recorded in facts_before(conn, subject_ids, self.partition, end):
            facts[subject_id].append(again(headers, value, recorded))
        known = [subject_id for subject_id, of_subject in facts.items() if of_subject]
        alerts, standing = self._alerts(conn, known), self._standing(conn, known)
        subjects = {}
        for subject_id, of_subject in facts.items():
            due, position, presumption = standing.get(subject_id, (None, (0, -1), None))
            history = History(of_subject, _reached(of_subject, watermark))
            state = SubjectState(
                subject_id,
                history,
                rulebook,
                rules_since=rules_since,
                alerts=alerts.get(subject_id, ()),
                due=due,
                cleared=presumption == "cleared",
            )
            subject = subjects[subject_id] = CachedSubject(state, position, due)
            if not of_subject:
                # The tables hold no row of a person without facts. The rows of others are not known here.
                subject.names, subject.parts = {}, WrittenParts({})
        return subjects

    def _alerts(self, conn: Connection, subject_ids: Sequence[str]) -> Mapping[str, list[Alert]]:
        """Return the alerts of *subject_ids* so far, by subject."""
        alerts: dict[str, list[Alert]] = {}
        if subject_ids:
            query = _alerts_of(conn.dialect.name, self.tables)
            for row in conn.execute(query, values_parameter(conn, subject_ids)).mappings():
                alert = alert_from_row(row)
                alerts.setdefault(alert.subject, []).append(alert)
        return alerts

    def _standing(
        self, conn: Connection, subject_ids: Sequence[str]
    ) -> Mapping[str, tuple[datetime | None, tuple[int, int], str]]:
        """Return timer, position of the last fact and presumption of *subject_ids* according to the tables."""
        if not subject_ids:
            return {}
        query = _standing_of(conn.dialect.name, self.tables)
        rows = conn.execute(query, values_parameter(conn, subject_ids))
        return {subject_id: (due, (partition, offset), word) for subject_id, due, partition, offset, word in rows}


# Built once, as every batch executes them.
@cache
def _alerts_of(dialect: str, tables: Conclusions) -> Select[Any]:
    # The correlator keeps the alerts across people.
    return select(tables.alerts).where(in_values(dialect, tables.alerts.c.subject_id), not_(tables.alerts.c.across))


@cache
def _standing_of(dialect: str, tables: Conclusions) -> Select[Any]:
    columns = tables.subjects.c
    own = (columns.subject_id, columns.due, columns.position_partition, columns.position_offset, columns.presumption)
    return select(*own).where(in_values(dialect, columns.subject_id))


def _reached(facts: Sequence[Fact], watermark: datetime | None) -> datetime:
    """Return the instant up to which *facts* have been evaluated at *watermark*."""
    if watermark is None:
        return BEGINNING
    # A fact makes the facts that were announced for its own instant count. Time alone counts those due before it.
    at_watermark = any(fact.recorded == watermark for fact in facts)
    return watermark if at_watermark else watermark - timedelta(microseconds=1)
