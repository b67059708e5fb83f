"""
One subject's facts in world order, with corrections and retractions applied.

Nothing here depends on the order in which facts arrive: a history of the same facts is the same history.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain, islice
from operator import attrgetter
from typing import Any, NamedTuple

from events.edtf import LOCAL_DAY_SLACK
from events.facts import Fact, replace_data
from events.vocabulary import TRACK_OF, TRACKS, data_problem

from .placing import NOTHING_PLACED, Placing
from .reports import EVENT_TYPES, agree, grouped

NEVER_COMES = frozenset({*TRACKS["case"], *TRACKS["custody"]})
"""The types of which an announcement never counts, whatever time has passed."""
BEGINNING = datetime.min.replace(tzinfo=UTC)
CORRECTED, RETRACTED = "Corrected", "Retracted"
ABOUT_FACTS = frozenset({CORRECTED, RETRACTED})

world_order = attrgetter("order")


class Flag(NamedTuple):
    """Something a reader should know about one fact: a stable code, and the fact's id."""

    code: str
    fact_id: str


class Settled(NamedTuple):
    """
    What corrections and retractions leave.

    Attributes:
        facts: the facts in force, each with the data in force, about the world and not about facts.
        replaced_by: fact id -> id of the correction whose data is in force.
        retracted_by: fact id -> id of the retraction that took it back.
        flags: corrections and retractions that have no effect, and why.
    """

    facts: tuple[Fact, ...]
    replaced_by: Mapping[str, str]
    retracted_by: Mapping[str, str]
    flags: tuple[Flag, ...]


class History:
    """
    A subject's facts, kept in world order as they come.

    Attributes:
        facts: every fact known, by id, as it was published.
        events: the facts that count by now, with the data in force, in world order; of several reports of an event the
            one that stands for it.
        stands_for: for each fact that is one of several reports of an event, the fact that stands for it.
        regrouped: how often reports were grouped anew without a look at everything.
        placing: where facts stand that a source places behind others.
        announced: facts whose time has not come by the log's clock, in world order; some never count.
        undated: facts without a year: they order nothing and set no status.
        settled: what corrections and retractions did.
        flags: what is to be said of single facts, whatever the status: undated, announced, corrections without effect.
    """

    def __init__(self, facts: Iterable[Fact], clock: datetime, as_of: datetime | None = None) -> None:
        """
        Read *facts*, in any order.

        Args:
            facts: they.
            clock: the log's; what was announced for an instant up to there counts.
            as_of: leave out of what counts all that had not certainly happened by this instant; None: nothing.
        """
        self._as_of = as_of
        self.facts: dict[str, Fact] = {fact.id: fact for fact in facts}
        self._targets = {fact.data["fact_id"] for fact in self.facts.values() if fact.type in ABOUT_FACTS}
        # Ids that an `after` names, here already or not.
        self._named: set[str] = set()
        self.regrouped = 0
        self._agreeing: dict[str, int] | None = None
        self._settle(clock)

    def add(self, fact: Fact, clock: datetime) -> bool:
        """
        Take in *fact* at *clock*, the log's.

        Returns:
            True if every event that counted before still does, with *fact* at the most added at the end of them:
            a fold of ``events`` can go on from where it was.
        """
        self.facts[fact.id] = fact
        if fact.type in ABOUT_FACTS:
            self._targets.add(fact.data["fact_id"])
        elif fact.id not in self._targets and fact.id not in self._named and "after" not in fact.data:
            return self._place(fact, clock)
        self._settle(clock)
        return False

    def of(self, types: Collection[str]) -> list[Fact]:
        """Return the facts of *types* that stand for an event, in world order."""
        found = [facts for each in types if (facts := self._by_type.get(each))]
        events = [fact for fact in chain.from_iterable(found) if fact.id not in self.stands_for]
        return sorted(events, key=self._key)

    def ending(self, after: datetime | None, until: datetime | None, types: Collection[str]) -> Iterator[Fact]:
        """
        Yield the events of *types* that end after the one instant and no later than the other.

        Those of one type by their ends, since what ends the search is often found among the first.

        Args:
            after: None: however early.
            until: None: however late.
            types: of these types.
        """
        for each in types:
            if facts := self._by_type.get(each):
                start = 0 if after is None else bisect_right(facts, after, key=_end)
                stop = None if until is None else bisect_right(facts, until, key=_end)
                yield from (fact for fact in islice(facts, start, stop) if fact.id not in self.stands_for)

    def reports(self, fact: Fact) -> list[Fact]:
        """Return all reports of the event for which *fact* stands, itself first, the others by id."""
        if not self.stands_for:
            return [fact]
        others = [self._counting[each] for each, best in self.stands_for.items() if best == fact.id]
        return [fact, *sorted(others, key=attrgetter("id"))]

    def counting(self, fact_id: str) -> Fact | None:
        """Return a fact with the data in force, if it counts by now."""
        return self._counting.get(fact_id)

    def agreeing(self) -> dict[str, int]:
        """Return how many facts report each event that has several, by the fact that stands for it."""
        if self._agreeing is None:
            self._agreeing = {}
            for best in self.stands_for.values():
                self._agreeing[best] = self._agreeing.get(best, 1) + 1
        return self._agreeing

    def advance(self, clock: datetime) -> list[Fact]:
        """Let announced facts count whose time has come by *clock*; return them in world order."""
        if not self._coming:
            return []
        come = [fact for fact in self._coming if counts(fact, clock)]
        if come:
            self._settle(clock)
        return sorted(come, key=world_order)

    @property
    def world(self) -> list[Fact]:
        """The facts that count by now, with the data in force, in world order: every report of an event."""
        return sorted(self._counting.values(), key=self._key)

    @property
    def next_due(self) -> datetime | None:
        """The next instant at which a fact counts whose time has not come; None: none will."""
        return self._coming[0].occurred.latest if self._coming else None

    @property
    def is_plain(self) -> bool:
        """Whether there are facts, and each counts as it was published, as an event of its own, at its own place."""
        plain = bool(self.events) and len(self.events) == len(self.facts) and not self.flags
        return plain and not self.placing.places

    @property
    def is_tied(self) -> bool:
        """Whether a source says of any fact that it came after another."""
        return bool(self._named)

    def _place(self, fact: Fact, clock: datetime) -> bool:
        if not fact.occurred.dated:
            insort(self.undated, fact, key=attrgetter("id"))
            insort(self.flags, Flag("undated", fact.id))
            return True
        if fact.ahead:
            insort(self.flags, Flag(_ahead(fact), fact.id))
            if not comes(fact, clock):
                insort(self.announced, fact, key=world_order)
                if fact.type not in NEVER_COMES:
                    insort(self._coming, fact, key=world_order)
                return True
        alike = self._by_type[fact.type]
        agrees = bool(alike) and fact.type in EVENT_TYPES and _agrees(fact, alike)
        self._counting[fact.id] = fact
        _insert(alike, fact, world_order)
        if agrees:
            return self._regroup(fact)
        return self._append(fact)

    def _append(self, fact: Fact) -> bool:
        """Put an event of its own in its place; return whether a fold can go on with it."""
        last = self.events[-1] if self.events else None
        _insert(self.events, fact, self._key)
        if self.events[-1] is not fact:
            return False
        if last is None:
            return True
        # Facts of one span on one track are read together, and with them those that a source places behind one.
        together = last.occurred[:2] == fact.occurred[:2] and TRACK_OF[last.type] == TRACK_OF[fact.type]
        return not together and last.id not in self.placing.places

    def _regroup(self, fact: Fact) -> bool:
        """Say anew which facts of the type of *fact* stand for an event; return whether a fold can go on."""
        before = {report: best for report, best in self.stands_for.items() if self.facts[report].type == fact.type}
        after = grouped(self._by_type[fact.type], self.placing.tied)
        for report in before:
            del self.stands_for[report]
        self.stands_for.update(after)
        self._agreeing = None
        self.regrouped += 1
        if self._named or before != {report: best for report, best in after.items() if report != fact.id}:
            # Another fact stands for an event now, or for some report; or others are placed behind it.
            self._place_all()
            return False
        return fact.id in after or self._append(fact)

    def _settle(self, clock: datetime) -> None:
        self.settled = settle(self.facts)
        dated = sorted((fact for fact in self.settled.facts if fact.occurred.dated), key=world_order)
        self.undated = sorted((f for f in self.settled.facts if not f.occurred.dated), key=attrgetter("id"))
        self.announced = [fact for fact in dated if fact.ahead and not comes(fact, clock)]
        self._coming = [fact for fact in self.announced if fact.type not in NEVER_COMES]
        counting = [fact for fact in dated if not fact.ahead or comes(fact, clock)]
        if (as_of := self._as_of) is not None:
            counting = [fact for fact in counting if counts(fact, as_of)]
        self._counting = {fact.id: fact for fact in counting}
        self._by_type: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in counting:
            self._by_type[fact.type].append(fact)
        self._group()
        self._place_all()
        undated = [Flag("undated", fact.id) for fact in self.undated]
        ahead = [Flag(_ahead(fact), fact.id) for fact in dated if fact.ahead]
        missing = [Flag("after_missing", fact_id) for fact_id in self.placing.missing]
        circles = [Flag("after_circle", fact_id) for fact_id in self.placing.circles]
        self.flags = sorted([*undated, *ahead, *missing, *circles, *self.settled.flags])

    def _group(self) -> None:
        self._named = {
            other for fact in self.facts.values() if "after" in fact.data for other in fact.data["after"]
        } | {other for fact in self.settled.facts if "after" in fact.data for other in fact.data["after"]}
        tied = Placing(self._counting, {}).tied if self._named else None
        self.stands_for: dict[str, str] = {}
        self._agreeing = None
        for type_, facts in self._by_type.items():
            if len(facts) > 1 and type_ in EVENT_TYPES:
                self.stands_for |= grouped(facts, tied)

    def _place_all(self) -> None:
        self.placing = Placing(self._counting, self.stands_for) if self._named else NOTHING_PLACED
        self._key: Callable[[Fact], Any] = self.placing.place if self.placing.places else world_order
        self.events = [fact for fact in self.world if fact.id not in self.stands_for]


def _agrees(fact: Fact, others: list[Fact]) -> bool:
    """Whether *fact* can be a report of an event among *others*, in world order: of none that ended before it began."""
    earliest = fact.occurred.earliest
    if earliest is not None and earliest - BEGINNING > LOCAL_DAY_SLACK:
        others = others[bisect_right(others, earliest - LOCAL_DAY_SLACK, key=_end) :]
    return any(agree(fact, other) for other in others)


def _insert(facts: list[Fact], fact: Fact, key: Callable[[Fact], Any]) -> None:
    """Put *fact* in its place among *facts*, which is most often the last."""
    if not facts or key(facts[-1]) < key(fact):
        facts.append(fact)
    else:
        insort(facts, fact, key=key)


def _ahead(fact: Fact) -> str:
    return "announced" if fact.announced else "dated_ahead"


def comes(fact: Fact, clock: datetime) -> bool:
    """
    Whether *fact*, whose time had not come when it became known, counts by *clock*.

    "Will be charged on Monday" is not a charge: on the case and custody tracks only the report that it happened counts.
    """
    return fact.type not in NEVER_COMES and counts(fact, clock)


def _end(fact: Fact) -> datetime:
    return fact.order[0]


def counts(fact: Fact, clock: datetime) -> bool:
    """Whether the latest instant at which *fact* can have happened has come by *clock*."""
    latest = fact.occurred.latest
    return latest is not None and latest <= clock


def settle(facts: Mapping[str, Fact]) -> Settled:
    """
    Apply the corrections and retractions among *facts* (by id) to each other and to the rest.

    Among live corrections the greatest (published, id) wins; a cycle voids its members; one whose target is
    not among *facts*, or whose data does not fit the target, has no effect and is flagged. What a correction
    or retraction speaks of cannot be changed by correcting it: that would be another statement.
    """
    about: dict[str, list[Fact]] = defaultdict(list)
    flags: list[Flag] = []
    replaced_by: dict[str, str] = {}
    retracted_by: dict[str, str] = {}
    in_force: dict[str, Fact] = {}

    def judge(fact: Fact) -> None:
        retractions = [meta.id for meta in about[fact.id] if meta.type == RETRACTED]
        if retractions:
            retracted_by[fact.id] = min(retractions)
            return
        fitting = [meta for meta in about[fact.id] if meta.type == CORRECTED and _fits(meta, fact, flags)]
        if fitting:
            winner = max(fitting, key=_precedence)
            replaced_by[fact.id] = winner.id
            fact = replace_data(fact, winner.data["data"], winner.recorded)
        in_force[fact.id] = fact

    metas = {fact.id: fact for fact in facts.values() if fact.type in ABOUT_FACTS}
    for meta_id in _judgeable(metas, flags):
        judge(metas[meta_id])
        meta = in_force.pop(meta_id, None)
        if meta is None:
            continue
        if meta.data["fact_id"] in facts:
            about[meta.data["fact_id"]].append(meta)
        else:
            flags.append(Flag("target_missing", meta_id))
    for fact in facts.values():
        if fact.id not in metas:
            judge(fact)
    return Settled(tuple(in_force.values()), replaced_by, retracted_by, tuple(sorted(flags)))


def _judgeable(metas: Mapping[str, Fact], flags: list[Flag]) -> list[str]:
    """Order *metas* so that each comes after all that speak of it; what is left over is cycles, and flagged."""
    waiting: dict[str, int] = dict.fromkeys(metas, 0)
    for meta in metas.values():
        if meta.data["fact_id"] in waiting:
            waiting[meta.data["fact_id"]] += 1
    ready = [meta_id for meta_id, count in waiting.items() if not count]
    for meta_id in ready:
        target = metas[meta_id].data["fact_id"]
        if target in waiting:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    flags.extend(Flag("correction_cycle", meta_id) for meta_id, count in waiting.items() if count)
    return ready


def _fits(correction: Fact, target: Fact, flags: list[Flag]) -> bool:
    data = correction.data["data"]
    fits = data_problem(target.type, data) is None and (
        target.type not in ABOUT_FACTS or data["fact_id"] == target.data["fact_id"]
    )
    if not fits:
        flags.append(Flag("correction_misfit", correction.id))
    return fits


def _precedence(correction: Fact) -> tuple[datetime, datetime, str]:
    published = correction.published
    assert published.latest is not None, "published always has an end"
    return (published.latest, published.earliest or datetime.min.replace(tzinfo=published.latest.tzinfo), correction.id)
