"""The rows that people contribute to the rules across people: those that changed are written at the end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, delete, select

from events.edtf import Span
from events.facts import Fact
from events.vocabulary import TRACKS
from projections.across.contribution import Contribution, added_by_last, contributions_of
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.patterns.pattern import Rule
from projections.rules.rulebook import Rulebook
from projections.subjects.relations import RELATING
from projections.subjects.status import is_cleared_of
from projections.tables.bulk import store
from projections.tables.database import in_values, values_parameter
from projections.tables.schema import Conclusions

from .people import ContributionKey, Person


class Counted(NamedTuple):
    """A contribution to a count, and whether its person was cleared of the event since."""

    held: Contribution
    cleared: bool


class News(NamedTuple):
    """
    The news about one person in one step.

    Attributes:
        types: the types of the new facts; None: any rule may be concerned.
        last: the new fact, if there is one, and it is at the end and all others stay as they are; else None.
        is_correction: whether a fact may have other words now, of which a sentence can speak.
    """

    types: frozenset[str] | None
    last: Fact | None = None
    is_correction: bool = False


ANY_NEWS = News(None)


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
        people: by person whose pairs may have changed, the people with news that can have changed them.
    """

    groups: dict[tuple[str, str], Moves] = field(default_factory=dict)
    people: dict[str, set[str]] = field(default_factory=dict)

    def of(self, row: tuple[Any, ...]) -> Moves:
        """Return the moves in the group of a row of ``contributions``."""
        return self.groups.setdefault((row[0], row[3]), Moves())


def asked_across(rulebook: Rulebook) -> list[Rule]:
    """Return the rules across people that are asked, by id: all that are not disabled."""
    return [rule for rule in rulebook.across if rule.enabled != "false"]


class Links:
    """
    The links between people, as they are now; `write` writes those that changed.

    Args:
        tables: the tables to read and write.
    """

    def __init__(self, tables: Conclusions) -> None:
        self.tables = tables
        # By person, those with a fact that names that person.
        self._naming: dict[str, set[str]] = {}
        # By the person named and the one who names: whether a link came, or went.
        self._moved: dict[str, dict[str, bool]] = {}

    def read(self, conn: Connection, subject_ids: Iterable[str]) -> None:
        """Read at once the people who name one of *subject_ids*."""
        missing = {subject_id for subject_id in subject_ids if subject_id not in self._naming}
        if not missing:
            return
        naming: dict[str, set[str]] = {subject_id: set() for subject_id in missing}
        for row in conn.execute(_naming(conn.dialect.name, self.tables), values_parameter(conn, missing)):
            naming[row.other_id].add(row.subject_id)
        for subject_id, own in naming.items():
            for other, came in self._moved.get(subject_id, {}).items():
                (own.add if came else own.discard)(other)
        self._naming |= naming

    def of(self, conn: Connection, person: Person) -> set[str]:
        """Return the people whom *person* names, and those who name that person."""
        own = person.subject_id
        self.read(conn, [own])
        return {*person.links, *self._naming[own]} - {own}

    def put(self, person: Person, named: frozenset[str]) -> None:
        """Put *named* in the place of the people whom *person* names."""
        own = person.subject_id
        for other in person.links ^ named:
            came = other in named
            moved = self._moved.setdefault(other, {})
            # One that goes and comes again in one transaction stays as it is written.
            if moved.pop(own, None) is None:
                moved[own] = came
            if other in self._naming:
                (self._naming[other].add if came else self._naming[other].discard)(own)
        person.links = named

    def write(self, conn: Connection) -> None:
        """Write the links that came or went, and forget all."""
        table = self.tables.links
        moved = sorted((own, other, came) for other, of in self._moved.items() for own, came in of.items())
        gone = [{"own": own, "named": other} for own, other, came in moved if not came]
        if gone:
            these = (table.c.subject_id == bindparam("own"), table.c.other_id == bindparam("named"))
            conn.execute(delete(table).where(*these), gone)
        store(conn, table, [(own, other) for own, other, came in moved if came])
        self.forget()

    def forget(self) -> None:
        """Forget all links: a write was rolled back, or another transaction begins."""
        self._naming.clear()
        self._moved.clear()


class Recorder:
    """
    Keeps the contributions and the links of people; `write` writes those that changed.

    Args:
        rulebook: the rules across people.
        tables: the tables to write.

    Attributes:
        links: the links between people.
    """

    def __init__(self, rulebook: Rulebook, tables: Conclusions) -> None:
        self.tables = tables
        self.links = Links(tables)
        self._counts = [rule for rule in asked_across(rulebook) if isinstance(rule, CountRule)]
        self._pairs = [rule for rule in asked_across(rulebook) if isinstance(rule, OfRule)]
        # The name of a person is in the sentences about pairs.
        self._pair_types = frozenset(TRACKS["subject"]).union(*(rule.types for rule in self._pairs))
        self._end_types = frozenset(TRACKS["subject"]).union(*(rule.on | rule.follow for rule in self._pairs))
        self._relates = any(not rule.is_by for rule in self._pairs)
        # By rule and fact; None: the row is gone.
        self._moved: dict[ContributionKey, tuple[Any, ...] | None] = {}

    def record(self, conn: Connection, people: Mapping[str, Person], touched: Mapping[str, News] | None) -> Touch:
        """
        Compare the rows of *people* with those before, and return the windows and people that this touches.

        Args:
            conn: a connection.
            people: the people, as they are now.
            touched: by person, the news; None: any rule may be concerned in everybody.
        """
        touch = Touch()
        paired = []
        for subject_id, person in people.items():
            types, last, is_correction = touched[subject_id] if touched is not None else ANY_NEWS
            clearing = person.fold.status.clearing()
            if clearing is not person.clearing or not person.is_compared:
                types, last, person.clearing, person.is_compared = None, None, clearing, True
            for rule in self._counts:
                if last is not None:
                    if last.type in rule.on:
                        self._add(person, rule, last, touch)
                elif types is None or types & rule.types:
                    self._compare(person, rule, touch, is_correction=is_correction)
            if self._pairs and (types is None or types & (self._pair_types if last is None else self._end_types)):
                paired.append(person)
        self._touch_pairs(conn, paired, touch)
        return touch

    def write(self, conn: Connection) -> None:
        """Write the rows that changed, and forget the links."""
        table = self.tables.contributions
        gone = [{"of_rule": key[0], "of_fact": key[1]} for key, row in self._moved.items() if row is None]
        if gone:
            these = (table.c.rule == bindparam("of_rule"), table.c.fact_id == bindparam("of_fact"))
            conn.execute(delete(table).where(*these), gone)
        store(conn, table, [row for row in self._moved.values() if row is not None], replace=True)
        self._moved.clear()
        self.links.write(conn)

    def forget(self) -> None:
        """Forget what is not written: the transaction was rolled back."""
        self._moved.clear()
        self.links.forget()

    def _add(self, person: Person, rule: CountRule, last: Fact, touch: Touch) -> None:
        """Add the contributions of a fact at the end, after which all others stay as they are."""
        for one in added_by_last(rule, person.step._replace(last=last)):
            counted = _counted(person, one)
            row = row_of(counted)
            touch.of(row).come.append(counted)
            person.rows[rule.id, one.fact_id] = self._moved[rule.id, one.fact_id] = row

    def _touch_pairs(self, conn: Connection, people: Sequence[Person], touch: Touch) -> None:
        """Put the links of *people*, and touch everybody who is or was linked to one of them."""
        # All links before are read ahead of the first change: two of these people can be linked to each other.
        linked = [{person.subject_id, *self.links.of(conn, person)} for person in people]
        for person in people:
            self.links.put(person, frozenset(self._named(person)))
        for person, before in zip(people, linked, strict=True):
            for one in before | self.links.of(conn, person):
                touch.people.setdefault(one, set()).add(person.subject_id)

    def _compare(self, person: Person, rule: CountRule, touch: Touch, *, is_correction: bool) -> None:
        before = {key: row for key, row in person.rows.items() if key[0] == rule.id}
        found = contributions_of(rule, person.step)
        after = {(rule.id, one.fact_id): row_of(_counted(person, one)) for one in found}
        for key in before.keys() - after.keys():
            self._moved[key] = None
            old = person.rows.pop(key)
            touch.of(old).gone.append(counted_from(old))
        for key, row in after.items():
            was = before.get(key)
            if was == row and not is_correction:
                continue
            if was is not None:
                touch.of(was).gone.append(counted_from(was))
            touch.of(row).come.append(counted_from(row))
            if was != row:
                person.rows[key] = self._moved[key] = row

    def _named(self, person: Person) -> Iterable[str]:
        """Yield the other people that the facts of *person* name."""
        history = person.fold.history
        if self._relates:
            for kind in RELATING:
                yield from (fact.data["other"] for fact in history.by_type.get(kind, ()))
            # Without a date they order nothing, but name a person.
            yield from (fact.data["other"] for fact in history.undated if fact.type in RELATING)
        for rule in self._pairs:
            if rule.is_by:
                yield from (one.by for one in contributions_of(rule, person.step) if one.by is not None)


def _counted(person: Person, held: Contribution) -> Counted:
    return Counted(held, is_cleared_of(person.clearing, held.occurred))


# Built once: most transactions execute it.
@cache
def _naming(dialect: str, tables: Conclusions) -> Select[Any]:
    return select(tables.links).where(in_values(dialect, tables.links.c.other_id))


def row_of(counted: Counted) -> tuple[Any, ...]:
    """Return the row of ``contributions``, the values of its columns in their order."""
    one = counted.held
    span = one.occurred
    spans = (span.earliest, span.latest, span.earliest_exact, span.latest_exact, span.marked)
    about = (one.rule, one.fact_id, one.subject_id, one.group, one.shown)
    of_law = [*one.jurisdictions] or None
    return (*about, *spans, counted.cleared, one.recorded, [*one.reports], of_law)


def counted_from(row: Iterable[Any]) -> Counted:
    """Return the contribution of a row."""
    rule, fact_id, subject_id, group, shown, *span, cleared, recorded, reports, of_law = row
    # An event without a date contributes nothing.
    occurred = Span._make((*span, True))
    about = (subject_id, fact_id, group, shown)
    held = Contribution(rule, "count", *about, occurred, recorded, tuple(reports), tuple(of_law or ()))
    return Counted(held, cleared)
