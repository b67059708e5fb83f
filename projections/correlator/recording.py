"""The rows that a person contributes to the rules across people, written as far as they changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select

from events.edtf import Span
from events.vocabulary import TRACKS
from projections.across.contribution import Contribution, contributions_of
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.patterns.pattern import Rule
from projections.rules.rulebook import Rulebook
from projections.subjects.relations import RELATING
from projections.tables.bulk import store
from projections.tables.database import in_values, values_parameter
from projections.tables.schema import Conclusions

from .people import Person


class Counted(NamedTuple):
    """A contribution to a count, and whether its person is cleared."""

    held: Contribution
    cleared: bool


@dataclass
class Moves:
    """The contributions of one group that went, as they were, and those that came; one that changed is in both."""

    gone: list[Counted] = field(default_factory=list)
    come: list[Counted] = field(default_factory=list)


@dataclass
class Touch:
    """
    The groups and the people that one step touches.

    Attributes:
        groups: by rule and group, the contributions that moved.
        people: the people whose pairs may have changed.
    """

    groups: dict[tuple[str, str], Moves] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)

    def of(self, row: tuple[Any, ...]) -> Moves:
        """Return the moves in the group of a row of ``contributions``."""
        return self.groups.setdefault((row[0], row[3]), Moves())


CLEARING = frozenset(kind for track in ("service", "case", "custody") for kind in TRACKS[track])
"""The types of facts that can clear a person, or end that."""


def asked_across(rulebook: Rulebook) -> list[Rule]:
    """Return the rules across people that are asked, by id: all that are not disabled."""
    return [rule for rule in rulebook.across if rule.enabled != "false"]


class Recorder:
    """
    Writes the contributions and the links of people.

    Args:
        rulebook: the rules across people.
        tables: the tables to write.
    """

    def __init__(self, rulebook: Rulebook, tables: Conclusions) -> None:
        self.tables = tables
        self._counts = [rule for rule in asked_across(rulebook) if isinstance(rule, CountRule)]
        self._pairs = [rule for rule in asked_across(rulebook) if isinstance(rule, OfRule)]

    def record(
        self, conn: Connection, people: Mapping[str, Person], touched: Mapping[str, frozenset[str] | None] | None
    ) -> Touch:
        """
        Write the rows of *people* that changed, and return the windows and people that this touches.

        Args:
            conn: a transaction that writes.
            people: the people, as they are now.
            touched: by person, the types of the new facts; None for a person: any rule may be concerned. None: all.
        """
        touch = Touch()
        gone: list[dict[str, Any]] = []
        come: list[tuple[Any, ...]] = []
        for subject_id, person in people.items():
            types = touched[subject_id] if touched is not None else None
            for rule in self._counts:
                if types is None or types & (rule.types | CLEARING):
                    self._compare(person, rule, touch, gone, come)
            if self._pairs:
                self._link(conn, person, touch)
        if gone:
            table = self.tables.contributions
            for key in gone:
                conn.execute(delete(table).where(table.c.rule == key["rule"], table.c.fact_id == key["fact_id"]))
        store(conn, self.tables.contributions, come, replace=True)
        if self._pairs:
            table = self.tables.links
            naming = select(table.c.subject_id).where(in_values(conn.dialect.name, table.c.other_id))
            touch.people |= set(conn.scalars(naming, values_parameter(conn, people)))
        return touch

    def _compare(
        self, person: Person, rule: CountRule, touch: Touch, gone: list[dict[str, Any]], come: list[tuple[Any, ...]]
    ) -> None:
        before = {key: row for key, row in person.rows.items() if key[0] == rule.id}
        step = person.step
        cleared = step.status.is_cleared()
        after = {(rule.id, one.fact_id): row_of(Counted(one, cleared)) for one in contributions_of(rule, step)}
        for key in before.keys() - after.keys():
            gone.append({"rule": key[0], "fact_id": key[1]})
            old = person.rows.pop(key)
            touch.of(old).gone.append(counted_from(old))
        for key, row in after.items():
            was = before.get(key)
            if was == row:
                continue
            if was is not None:
                touch.of(was).gone.append(counted_from(was))
            touch.of(row).come.append(counted_from(row))
            come.append(row)
            person.rows[key] = row

    def _link(self, conn: Connection, person: Person, touch: Touch) -> None:
        table, named = self.tables.links, frozenset(self._named(person))
        for other in person.links - named:
            conn.execute(delete(table).where(table.c.subject_id == person.subject_id, table.c.other_id == other))
        store(conn, table, [(person.subject_id, other) for other in sorted(named - person.links)])
        touch.people |= {person.subject_id, *person.links, *named}
        person.links = named

    def _named(self, person: Person) -> Iterable[str]:
        """Yield the other people that the facts of *person* name."""
        history = person.fold.history
        if any(not rule.is_by for rule in self._pairs):
            for kind in RELATING:
                yield from (fact.data["other"] for fact in history.by_type.get(kind, ()))
            # Without a date they order nothing, but name a person.
            yield from (fact.data["other"] for fact in history.undated if fact.type in RELATING)
        for rule in self._pairs:
            if rule.is_by:
                yield from (one.by for one in contributions_of(rule, person.step) if one.by is not None)


def row_of(counted: Counted) -> tuple[Any, ...]:
    """Return the row of ``contributions``, the values of its columns in their order."""
    one = counted.held
    span = one.occurred
    spans = (span.earliest, span.latest, span.earliest_exact, span.latest_exact, span.marked)
    about = (one.rule, one.fact_id, one.subject_id, one.group, one.shown)
    return (*about, *spans, counted.cleared, one.recorded, [*one.reports])


def counted_from(row: Iterable[Any]) -> Counted:
    """Return the contribution of a row."""
    rule, fact_id, subject_id, group, shown, *span, cleared, recorded, reports = row
    # An event without a date contributes nothing.
    occurred = Span._make((*span, True))
    held = Contribution(rule, "count", subject_id, fact_id, group, shown, occurred, recorded, tuple(reports))
    return Counted(held, cleared)
