"""
The path from rows below the horizon to conclusions across people: live, late, backtest and rebuild all take it.

All rows of one instant, in all partitions, are one step. A step sees exactly the facts recorded up to it. Announced
facts count at their own instants, which are steps too.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from events.facts import Fact
from projections.alerts.alert import Change, Trigger
from projections.alerts.rules_change import RulesChange
from projections.history.corrections import ABOUT_FACTS
from projections.rules.rulebook import Rulebook
from projections.subjects.fold import Step
from projections.tables.bulk import store
from projections.tables.ledger_rows import AppliedRow, subjects_with_types
from projections.tables.schema import Conclusions

from .horizon import ROWS, next_page
from .judging import Judging
from .keeping import Desk, acknowledgement_ends, end_acknowledgements
from .people import People, Person
from .recording import ANY_NEWS, News, asked_across

CACHE_FACTS = 200_000
CHUNK = 500
"""The number of people that a change of the rules judges at once."""


class Reached(NamedTuple):
    """The instant before which every step is done, and the changes of alerts that the last steps made."""

    until: datetime
    changes: list[Change]


class Stepper:
    """
    Steps the rules across people through the ledger.

    Args:
        rulebook: the rules; only those across people are read.
        tables: the tables to write: the live ones, or their twins for a rebuild.
        topic: the log's topic.
        cache_facts: the number of facts to keep in memory.

    Attributes:
        old_before: what opens in steps before this instant is told to nobody; None: all is told.
    """

    def __init__(self, rulebook: Rulebook, tables: Conclusions, topic: str, *, cache_facts: int = CACHE_FACTS) -> None:
        self.tables = tables
        self.topic = topic
        self.cache_facts = cache_facts
        self.old_before: datetime | None = None
        self._put(rulebook)

    def forget(self) -> None:
        """Drop the people in memory: a write was rolled back, or another correlator was at work."""
        self._people.forget()
        self._judging.forget()

    def advance(self, conn: Connection, reached: datetime | None, horizon: datetime, rows: int = ROWS) -> Reached:
        """
        Take the next steps before *horizon*.

        Args:
            conn: a transaction that writes.
            reached: every step before this instant is done; None: none is.
            horizon: all partitions have been read up to there.
            rows: about the number of rows to read of each partition.
        """
        positions = self.tables.positions
        before = {row.partition: row.seq for row in conn.execute(select(positions))}
        page = next_page(conn, before, self.topic, horizon, rows)
        people = self._open(conn, page.rows, reached, page.until)
        desk = Desk(conn, self.tables)
        self._judging.prepare(desk, people)
        changes = self._steps(desk, people, page.rows, page.until)
        self._judging.write(desk)
        self._write_people(conn, people.values())
        self._people.keep(people.values())
        moved = [(number, seq) for number, seq in page.positions.items() if before.get(number) != seq]
        store(conn, positions, moved, replace=True)
        return Reached(page.until, changes)

    def change_rules(
        self, conn: Connection, before: Rulebook, rulebook: Rulebook, at: datetime | None, *, tells_backfilled: bool
    ) -> list[Change]:
        """
        Put *rulebook* in force in the place of *before*, at the instant *at*; everybody is judged again as then.

        Args:
            conn: a transaction that writes.
            before: the rules in force until now.
            rulebook: the rules in force from now on.
            at: every step before this instant is done; None: none is.
            tells_backfilled: whether to tell of the alerts that a new rule finds in old history.
        """
        self._put(rulebook)
        if at is None:
            return []
        for table in (self.tables.correlated, self.tables.contributions, self.tables.links):
            conn.execute(delete(table))
        for subject_ids in self._starting(conn, at):
            people = self._people.open(conn, subject_ids, at)
            self._judging.record(conn, people, None)
            self._judging.write(Desk(conn, self.tables))
            self._write_people(conn, people.values())
            self._people.keep(people.values())
        change = RulesChange(rulebook, _changed(before, rulebook), tells_backfilled, in_one_step=True)
        return self._judging.judge_all(conn, change, at, lambda subject_ids: self._others(conn, {}, subject_ids, at))

    def _put(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        self._judging = Judging(rulebook, self.tables, self.cache_facts)
        self._people = People(self.tables, self._judging.anchors, self.cache_facts)

    def _open(
        self,
        conn: Connection,
        rows: Mapping[datetime, Iterable[AppliedRow]],
        reached: datetime | None,
        until: datetime,
    ) -> dict[str, Person]:
        """Return the people concerned by *rows* and by the time before *until*, as they were before the first step."""
        subjects: set[str] = set()
        starting: set[str] = set()
        for of_instant in rows.values():
            for row in of_instant:
                subjects.add(row.subject_id)
                if row.fact_type in self._judging.starts:
                    starting.add(row.subject_id)
        wanted = self._people.due(conn, until) | starting
        wanted |= self._people.concerned(conn, subjects - wanted)
        return self._people.open(conn, wanted, reached)

    def _steps(
        self,
        desk: Desk,
        people: Mapping[str, Person],
        rows: Mapping[datetime, Iterable[AppliedRow]],
        until: datetime,
    ) -> list[Change]:
        changes: list[Change] = []
        dues = [(person.due, subject_id) for subject_id, person in people.items() if person.due is not None]
        heapify(dues)
        ends = acknowledgement_ends(desk.conn, self.tables, until)
        instants = [*rows, *(due for due, _ in dues), *ends]
        heapify(instants)
        last: datetime | None = None
        while instants and (at := heappop(instants)) < until:
            if at == last:
                continue
            last = at
            arrived = _arrived(people, rows.get(at, ()))
            wanted = dict.fromkeys(arrived)
            while dues and dues[0][0] <= at:
                # Their time comes; a due that is not the person's any more does no harm.
                wanted[heappop(dues)[1]] = None
            touched: dict[str, News] = {}
            for subject_id in wanted:
                person, facts = people[subject_id], arrived.get(subject_id, [])
                touched[subject_id] = _news(facts, person.take(facts, at))
                if person.due is not None:
                    heappush(dues, (person.due, subject_id))
                    heappush(instants, person.due)
            changes += self._judge(desk, people, touched, arrived, at)
            changes += end_acknowledgements(desk, ends.get(at, ()), at)
        return changes

    def _judge(
        self,
        desk: Desk,
        people: Mapping[str, Person],
        touched: Mapping[str, News],
        arrived: Mapping[str, list[Fact]],
        at: datetime,
    ) -> list[Change]:
        """Judge the rules again for the people *touched*, by the news about each."""
        touch = self._judging.record(desk.conn, {subject_id: people[subject_id] for subject_id in touched}, touched)
        facts = sorted((fact for own in arrived.values() for fact in own), key=lambda fact: fact.order)
        is_old = self.old_before is not None and at < self.old_before
        trigger = Trigger("fact" if facts else "time", at, is_old=is_old)
        return self._judging.judge(
            desk, touch, facts, trigger, lambda subject_ids: self._others(desk.conn, people, subject_ids, at)
        )

    def _others(
        self, conn: Connection, people: Mapping[str, Person], subject_ids: Iterable[str], at: datetime
    ) -> dict[str, Person]:
        """Return those of *subject_ids* that the rules concern, as they are at the step."""
        here, away = dict[str, Person](), set[str]()
        for subject_id in subject_ids:
            if subject_id in people:
                here[subject_id] = people[subject_id]
            else:
                away.add(subject_id)
        if not away:
            return here
        # No row of these steps is about the others, so they are as they were before the first one.
        others = self._people.concerned(conn, away)
        opened = self._people.open(conn, others, at)
        self._people.keep(opened.values())
        return here | opened

    def _write_people(self, conn: Connection, people: Iterable[Person]) -> None:
        rows = []
        for person in people:
            if not person.written or person.written_due != person.due:
                rows.append((person.subject_id, person.due))
            person.written, person.written_due = True, person.due
        store(conn, self.tables.correlated, rows, replace=True)

    def _starting(self, conn: Connection, at: datetime) -> Iterable[list[str]]:
        """Yield the people with a fact from which a rule starts, recorded before *at*, some at a time."""
        types, after = sorted(self._judging.starts), ""
        while page := subjects_with_types(conn, types, at, after, CHUNK):
            yield [*page]
            after = page[-1]


def _changed(before: Rulebook, after: Rulebook) -> frozenset[str]:
    """Return the ids of the rules that are new, gone, or another version, enabled, disabled or on trial since."""
    old, new = ({rule.id: (rule.version, rule.is_trial) for rule in asked_across(book)} for book in (before, after))
    return frozenset(rule_id for rule_id in old.keys() | new.keys() if old.get(rule_id) != new.get(rule_id))


def _news(facts: Sequence[Fact], step: Step) -> News:
    """Return the news about a person: the *facts* that arrived, and the state after them."""
    types = frozenset(fact.type for fact in facts)
    if types & ABOUT_FACTS:
        return News(None, is_correction=True)
    return ANY_NEWS if step.everywhere else News(types, step.last)


def _arrived(people: Mapping[str, Person], rows: Iterable[AppliedRow]) -> dict[str, list[Fact]]:
    arrived: dict[str, list[Fact]] = {}
    for row in rows:
        if row.subject_id in people:
            arrived.setdefault(row.subject_id, []).append(row.fact())
    return arrived
