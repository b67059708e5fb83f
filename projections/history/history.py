"""
The facts of one subject in world order, with corrections and retractions applied.

Nothing here depends on the order in which facts arrive: the same facts make the same history.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any

from events.edtf import BEGINNING, LOCAL_DAY_SLACK
from events.facts import Fact
from events.vocabulary import TRACK_OF

from .ahead import NEVER_DUE, ahead_code, has_passed, is_due
from .corrections import ABOUT_FACTS, apply_corrections
from .flag import Flag
from .placing import NOTHING_PLACED, Placing
from .reports import EVENT_TYPES, agree, grouped, reports_by_type

world_order = attrgetter("order")


class History:
    """
    The facts of one subject, kept in world order as they arrive.

    `lookup` has the functions that only read a history. The methods here change it, or read the state that it caches:
    each new fact takes one path through them, and the attributes must change together.

    Attributes:
        facts: every known fact as it was published, by id.
        counting: the facts that count by now, with the data in force, by id.
        by_type: the same in world order, by type.
        events: the same in world order; of several reports of an event only the one that stands for it.
        stands_for: for each other report of an event, the id of the fact that stands for it, by the report's id.
        regrouped: the number of times that `add` grouped reports without rebuilding everything.
        placing: the places of facts that a source puts behind others.
        place: the function that returns the sort key of a fact in world order.
        named: the ids that an `after` names, whether the facts are known or not.
        announced: facts that lie ahead of the log's clock, in world order; some never count.
        undated: facts without a year, by id; they order nothing and set no status.
        corrections: the effect of corrections and retractions.
        flags: the flags of single facts that do not depend on the status: undated, announced, corrections without
            effect.
    """

    def __init__(self, facts: Iterable[Fact], clock: datetime, as_of: datetime | None = None) -> None:
        """
        Read *facts*, in any order.

        Args:
            facts: the facts of one subject.
            clock: the log's clock; facts announced for an instant up to there count.
            as_of: count only facts that had certainly happened by this instant; None: no such limit.
        """
        self._as_of = as_of
        self.facts: dict[str, Fact] = {fact.id: fact for fact in facts}
        self._targets = {fact.data["fact_id"] for fact in self.facts.values() if fact.type in ABOUT_FACTS}
        self.named: set[str] = set()
        self.regrouped = 0
        self._agreeing: dict[str, int] | None = None
        self._rebuild(clock)

    def add(self, fact: Fact, clock: datetime) -> bool:
        """
        Add *fact* at *clock*, the log's clock.

        Returns:
            True if every event that counted before still counts, and *fact* is at most added at the end of them. Then
            a fold of ``events`` can continue with it.
        """
        self.facts[fact.id] = fact
        if fact.type in ABOUT_FACTS:
            self._targets.add(fact.data["fact_id"])
        elif fact.id not in self._targets and fact.id not in self.named and "after" not in fact.data:
            return self._place(fact, clock)
        self._rebuild(clock)
        return False

    def advance(self, clock: datetime) -> list[Fact]:
        """Count the announced facts that are due by *clock*; return them in world order."""
        if not self._pending:
            return []
        due = [fact for fact in self._pending if has_passed(fact, clock)]
        if due:
            self._rebuild(clock)
        return sorted(due, key=world_order)

    def agreeing(self) -> dict[str, int]:
        """Return the number of reports of each event that has several, by the fact that stands for it."""
        if self._agreeing is None:
            self._agreeing = {}
            for best in self.stands_for.values():
                self._agreeing[best] = self._agreeing.get(best, 1) + 1
        return self._agreeing

    @property
    def world(self) -> list[Fact]:
        """The facts that count by now, with the data in force, in world order: every report of an event."""
        return sorted(self.counting.values(), key=self.place)

    @property
    def next_due(self) -> datetime | None:
        """The next instant at which an announced fact counts; None: there is none."""
        return self._pending[0].occurred.latest if self._pending else None

    def _place(self, fact: Fact, clock: datetime) -> bool:
        if not fact.occurred.dated:
            insort(self.undated, fact, key=attrgetter("id"))
            insort(self.flags, Flag("undated", fact.id))
            return True
        if fact.ahead:
            insort(self.flags, Flag(ahead_code(fact), fact.id))
            if not is_due(fact, clock):
                insort(self.announced, fact, key=world_order)
                if fact.type not in NEVER_DUE:
                    insort(self._pending, fact, key=world_order)
                return True
        alike = self.by_type[fact.type]
        agrees = bool(alike) and fact.type in EVENT_TYPES and _agrees(fact, alike)
        self.counting[fact.id] = fact
        _insert(alike, fact, world_order)
        if agrees:
            return self._regroup(fact)
        return self._append(fact)

    def _append(self, fact: Fact) -> bool:
        """Put an event of its own in its place; return whether a fold can continue with it."""
        last = self.events[-1] if self.events else None
        _insert(self.events, fact, self.place)
        if self.events[-1] is not fact:
            return False
        if last is None:
            return True
        # Facts of one span on one track are read together, and with them those that a source places behind one.
        together = last.occurred[:2] == fact.occurred[:2] and TRACK_OF[last.type] == TRACK_OF[fact.type]
        return not together and last.id not in self.placing.places

    def _regroup(self, fact: Fact) -> bool:
        """Group the reports of the type of *fact* again; return whether a fold can continue with *fact*."""
        before = {report: best for report, best in self.stands_for.items() if self.facts[report].type == fact.type}
        after = grouped(self.by_type[fact.type], self.placing.tied)
        for report in before:
            del self.stands_for[report]
        self.stands_for.update(after)
        self._agreeing = None
        self.regrouped += 1
        if self.named or before != {report: best for report, best in after.items() if report != fact.id}:
            # Another fact stands for an event or a report now, or other facts are placed behind it.
            self._place_all()
            return False
        return fact.id in after or self._append(fact)

    def _rebuild(self, clock: datetime) -> None:
        """Apply corrections, group reports and place all facts again."""
        self.corrections = apply_corrections(self.facts)
        in_force = self.corrections.facts
        dated = sorted((fact for fact in in_force if fact.occurred.dated), key=world_order)
        self.undated = sorted((fact for fact in in_force if not fact.occurred.dated), key=attrgetter("id"))
        self.announced = [fact for fact in dated if fact.ahead and not is_due(fact, clock)]
        self._pending = [fact for fact in self.announced if fact.type not in NEVER_DUE]
        counting = [fact for fact in dated if not fact.ahead or is_due(fact, clock)]
        if (as_of := self._as_of) is not None:
            counting = [fact for fact in counting if has_passed(fact, as_of)]
        self.counting = {fact.id: fact for fact in counting}
        self.by_type: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in counting:
            self.by_type[fact.type].append(fact)
        statements = (*self.facts.values(), *in_force)
        self.named = {other for fact in statements if "after" in fact.data for other in fact.data["after"]}
        tied = Placing(self.counting, {}).tied if self.named else None
        self.stands_for: dict[str, str] = reports_by_type(self.by_type, tied)
        self._agreeing = None
        self._place_all()
        undated = [Flag("undated", fact.id) for fact in self.undated]
        ahead = [Flag(ahead_code(fact), fact.id) for fact in dated if fact.ahead]
        missing = [Flag("after_missing", fact_id) for fact_id in self.placing.missing]
        circles = [Flag("after_circle", fact_id) for fact_id in self.placing.circles]
        self.flags = sorted([*undated, *ahead, *missing, *circles, *self.corrections.flags])

    def _place_all(self) -> None:
        self.placing = Placing(self.counting, self.stands_for) if self.named else NOTHING_PLACED
        self.place: Callable[[Fact], Any] = self.placing.place if self.placing.places else world_order
        self.events = [fact for fact in self.world if fact.id not in self.stands_for]


def latest_end(fact: Fact) -> datetime:
    """Return the first key of world order: the latest instant of *fact*, for an open end the end of time."""
    return fact.order[0]


def _agrees(fact: Fact, others: list[Fact]) -> bool:
    """
    Return whether *fact* can be a report of an event among *others*, which are in world order.

    Events that ended before it began are skipped.
    """
    earliest = fact.occurred.earliest
    if earliest is not None and earliest - BEGINNING > LOCAL_DAY_SLACK:
        others = others[bisect_right(others, earliest - LOCAL_DAY_SLACK, key=latest_end) :]
    return any(agree(fact, other) for other in others)


def _insert(facts: list[Fact], fact: Fact, key: Callable[[Fact], Any]) -> None:
    """Put *fact* in its place among *facts*, which is most often the last."""
    if not facts or key(facts[-1]) < key(fact):
        facts.append(fact)
    else:
        insort(facts, fact, key=key)
