"""The people that rules across people concern, in memory: each with every fact up to the last step about them."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, select

from events.edtf import BEGINNING
from events.facts import Fact
from events.record import again
from projections.history.history import History
from projections.subjects.fold import Fold, Step
from projections.tables.database import in_values, values_parameter
from projections.tables.ledger_rows import facts_known_before
from projections.tables.schema import Conclusions

INSTANT = timedelta(microseconds=1)
"""The shortest time between two instants."""

ContributionKey = tuple[str, str]
"""A rule, and the fact that contributes to it."""


@dataclass
class Person:
    """
    A person in memory.

    Attributes:
        subject_id: the person.
        fold: the facts so far, and the status.
        rows: the written rows of ``contributions``, by rule and fact.
        links: the other people in the written rows of ``links``.
        written: whether the person is in the table of the people concerned.
        written_due: the timer in that table.
        clearing: the fact that cleared the person when the rows were compared; None: the person was not cleared.
        is_compared: whether the rows were compared since they were read.
        size: the number of facts when the person was last kept.
    """

    subject_id: str
    fold: Fold
    rows: dict[ContributionKey, tuple[Any, ...]] = field(default_factory=dict)
    links: frozenset[str] = frozenset()
    written: bool = False
    written_due: datetime | None = None
    clearing: Fact | None = None
    is_compared: bool = False
    size: int = 0

    @property
    def due(self) -> datetime | None:
        """The next instant at which an announced fact counts; None: there is none."""
        return self.fold.history.next_due

    @property
    def step(self) -> Step:
        """The history and the status by now, as a rule reads them."""
        history = self.fold.history
        return Step(history, self.fold.status, history.next_due, moved=True, everywhere=True)

    def take(self, facts: Sequence[Fact], at: datetime) -> Step:
        """
        Apply *facts*, which are recorded at the instant *at*, and count the announced facts that are due by then.

        Returns:
            the state after that: with `last` if one fact came at the end and all others stay as they are, and
            `everywhere` if facts of any type can have moved.
        """
        steps = [step for fact in facts if (step := self.fold.apply(fact)) is not None]
        after = self.fold.advance(at)
        last = steps[0].last if len(steps) == 1 and not after.moved else None
        return after._replace(last=last, everywhere=any(step.everywhere for step in (*steps, after)))


class People:
    """
    The people that were used last. At most one correlator writes, so the memory is valid as long as it is fenced.

    Args:
        tables: the tables of conclusions.
        anchors: the fact types from which rules start; the status before each such fact is kept.
        limit: the number of facts to keep.
    """

    def __init__(self, tables: Conclusions, anchors: frozenset[str], limit: int) -> None:
        self.tables = tables
        self.anchors = anchors
        self.limit = limit
        self._held: OrderedDict[str, Person] = OrderedDict()
        self._facts = 0
        # People who are not in the table of the people concerned, as far as that is known.
        self._absent: set[str] = set()

    def concerned(self, conn: Connection, subject_ids: Collection[str]) -> set[str]:
        """Return those of *subject_ids* that are in memory or in the table of the people concerned."""
        held = {subject_id for subject_id in subject_ids if subject_id in self._held}
        others = set(subject_ids) - held - self._absent
        if others:
            query = _among(conn.dialect.name, self.tables)
            found = {row.subject_id for row in conn.execute(query, values_parameter(conn, others))}
            self._absent |= others - found
            held |= found
        return held

    def due(self, conn: Connection, until: datetime) -> set[str]:
        """Return the people with an announced fact that counts before *until*."""
        table = self.tables.correlated
        return set(conn.scalars(select(table.c.subject_id).where(table.c.due < until)))

    def open(self, conn: Connection, subject_ids: Collection[str], reached: datetime | None) -> dict[str, Person]:
        """Return *subject_ids* as they are once every step before *reached* is done."""
        opened = {subject_id: self._held[subject_id] for subject_id in subject_ids if subject_id in self._held}
        missing = sorted(set(subject_ids) - opened.keys())
        if missing:
            opened |= self._load(conn, missing, reached)
        return {subject_id: opened[subject_id] for subject_id in sorted(opened)}

    def keep(self, people: Iterable[Person]) -> None:
        """Keep *people* in memory, and drop those that were not used for longest."""
        for person in people:
            before = self._held.pop(person.subject_id, None)
            self._facts -= before.size if before else 0
            person.size = len(person.fold.history.facts)
            self._facts += person.size
            self._held[person.subject_id] = person
            self._absent.discard(person.subject_id)
        if len(self._absent) > self.limit:
            self._absent.clear()
        while self._facts > self.limit and len(self._held) > 1:
            _, dropped = self._held.popitem(last=False)
            self._facts -= dropped.size

    def forget(self) -> None:
        """Drop everybody: a write was rolled back, or another correlator was at work."""
        self._held.clear()
        self._absent.clear()
        self._facts = 0

    def _load(self, conn: Connection, subject_ids: list[str], reached: datetime | None) -> dict[str, Person]:
        dialect, parameters = conn.dialect.name, values_parameter(conn, subject_ids)
        facts: dict[str, list[Fact]] = {subject_id: [] for subject_id in subject_ids}
        if reached is not None:
            for subject_id, headers, value, recorded in facts_known_before(conn, subject_ids, reached):
                facts[subject_id].append(again(headers, value, recorded))
        # The facts that were announced for *reached* itself do not count yet.
        clock = BEGINNING if reached is None else reached - INSTANT
        people = {
            subject_id: Person(subject_id, Fold(History(own, clock), self.anchors)) for subject_id, own in facts.items()
        }
        for row in conn.execute(_among(dialect, self.tables), parameters):
            people[row.subject_id].written, people[row.subject_id].written_due = True, row.due
        for row in conn.execute(_contributions(dialect, self.tables), parameters):
            people[row.subject_id].rows[row.rule, row.fact_id] = tuple(row)
        for row in conn.execute(_links(dialect, self.tables), parameters):
            people[row.subject_id].links |= {row.other_id}
        return people


# Built once: most transactions execute them.
@cache
def _among(dialect: str, tables: Conclusions) -> Select[Any]:
    return select(tables.correlated).where(in_values(dialect, tables.correlated.c.subject_id))


@cache
def _contributions(dialect: str, tables: Conclusions) -> Select[Any]:
    return select(tables.contributions).where(in_values(dialect, tables.contributions.c.subject_id))


@cache
def _links(dialect: str, tables: Conclusions) -> Select[Any]:
    return select(tables.links).where(in_values(dialect, tables.links.c.subject_id))
