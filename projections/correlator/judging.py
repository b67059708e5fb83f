"""The judgement of all rules across people at one step."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from events.facts import Fact
from projections.alerts.alert import Change, Trigger
from projections.alerts.rules_change import RulesChange
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.rulebook import Rulebook
from projections.subjects.relations import RELATING
from projections.tables.schema import Conclusions

from .counting import Counting, OpenPeople, Scene
from .keeping import Desk, Interrupted, supersede_standing, unword, write_superseded
from .pairing import Pairing
from .people import Person
from .recording import News, Recorder, Touch, asked_across

CHUNK = 500


class Judging:
    """
    Judges rules across people.

    Args:
        rulebook: the rules in force.
        tables: the tables to read and write.
        limit: the number of contributions to keep in memory.

    Attributes:
        anchors: the fact types from which a rule starts.
        starts: the types of facts by which a rule begins to concern a person.
    """

    def __init__(self, rulebook: Rulebook, tables: Conclusions, limit: int) -> None:
        rules = asked_across(rulebook)
        self.tables = tables
        self.anchors = frozenset[str]().union(*(rule.on for rule in rules))
        self._counts = {rule.id: rule for rule in rules if isinstance(rule, CountRule)}
        self._pairs = [rule for rule in rules if isinstance(rule, OfRule)]
        follows = frozenset[str]().union(*(rule.follow for rule in self._pairs))
        self.starts = self.anchors | follows | (RELATING if self._pairs else frozenset())
        self._recorder = Recorder(rulebook, tables)
        self._counting = Counting(tables, limit)
        self._pairing = Pairing(self._recorder.links)

    def forget(self) -> None:
        """Drop what is in memory: a write was rolled back, or another correlator was at work."""
        self._counting.groups.forget()
        self._recorder.forget()

    def prepare(self, desk: Desk, subject_ids: Iterable[str]) -> None:
        """Read at once the alerts and the links that the next steps need, about the people whose facts they bring."""
        if self._pairs:
            self._recorder.links.read(desk.conn, subject_ids)
            desk.read_people(subject_ids)

    def write(self, desk: Desk) -> None:
        """Write everything that changed since this was last called."""
        self._recorder.write(desk.conn)
        desk.write()
        self._counting.groups.trim()

    def record(self, conn: Connection, people: Mapping[str, Person], touched: Mapping[str, News] | None) -> Touch:
        """Compare the rows of *people* with those before, as `Recorder.record` does."""
        return self._recorder.record(conn, people, touched)

    def judge(
        self, desk: Desk, touch: Touch, arrived: Sequence[Fact], trigger: Trigger, people: OpenPeople
    ) -> list[Change]:
        """
        Judge the groups and the people of *touch*; return the changes of their alerts.

        Args:
            desk: the alerts of the transaction.
            touch: the groups and people that a step touches.
            arrived: the facts that it brought.
            trigger: its occasion.
            people: returns people as they are at the step.
        """
        scene = Scene(desk, trigger, arrived, people, Interrupted())
        changes: list[Change] = []
        for (rule_id, key), moves in sorted(touch.groups.items()):
            changes += self._counting.judge(scene, self._counts[rule_id], key, moves)
        for subject_id, about in sorted(touch.people.items()):
            changes += self._pairing.judge(scene, self._pairs, subject_id, about)
        return changes

    def judge_all(self, conn: Connection, change: RulesChange, at: datetime, people: OpenPeople) -> list[Change]:
        """
        Judge every group and every person again, after a change of rules.

        Args:
            conn: a transaction that writes.
            change: the change.
            at: its instant.
            people: returns people as they are then.
        """
        trigger = Trigger("rules", at, rules_since=at, rules=change)
        interrupted = supersede_standing(conn, self.tables, change.changed, trigger)
        asked = {rule.id: rule.version for rule in (*self._counts.values(), *self._pairs) if rule.id in change.changed}
        unword(conn, self.tables, asked)
        desk = Desk(conn, self.tables)
        scene = Scene(desk, trigger, (), people, interrupted)
        changes: list[Change] = []
        for _, rule in sorted(self._counts.items()):
            changes += self._counting.judge_all(scene, rule)
        table, after = self.tables.correlated, ""
        query = select(table.c.subject_id).order_by(table.c.subject_id).limit(CHUNK)
        while self._pairs and (page := conn.scalars(query.where(table.c.subject_id > after)).all()):
            self.prepare(desk, page)
            for subject_id in page:
                changes += self._pairing.judge(scene, self._pairs, subject_id, ())
            self.write(desk)
            after = page[-1]
        return [*write_superseded(conn, self.tables, interrupted), *changes]
