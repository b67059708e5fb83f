"""
One subject's facts in world order, with corrections and retractions applied.

Nothing here depends on the order in which facts arrive: a history of the same facts is the same history.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, islice
from operator import attrgetter
from typing import NamedTuple

from events.facts import Fact, replace_data
from events.vocabulary import data_problem

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
        world: the facts that count by now, in world order, with the data in force.
        announced: facts whose time has not come by the log's clock, by that time.
        undated: facts without a year: they order nothing and set no status.
        settled: what corrections and retractions did.
        flags: what is to be said of single facts, whatever the status: undated, announced, corrections without effect.
    """

    def __init__(self, facts: Iterable[Fact], clock: datetime) -> None:
        self.facts: dict[str, Fact] = {fact.id: fact for fact in facts}
        self.world: list[Fact] = []
        self.announced: list[Fact] = []
        self.undated: list[Fact] = []
        self._targets = {fact.data["fact_id"] for fact in self.facts.values() if fact.type in ABOUT_FACTS}
        self._settle(clock)

    def add(self, fact: Fact, clock: datetime) -> bool:
        """
        Take in *fact* at *clock*, the log's.

        Returns:
            True if everything that counted before still does, with *fact* at the most added at the end:
            a fold of ``world`` can go on from where it was.
        """
        self.facts[fact.id] = fact
        if fact.type in ABOUT_FACTS:
            self._targets.add(fact.data["fact_id"])
        elif fact.id not in self._targets:
            return self._place(fact, clock)
        self._settle(clock)
        return False

    def of(self, types: Collection[str]) -> list[Fact]:
        """Return the facts of *types* that count, in world order."""
        found = [facts for each in types if (facts := self._by_type.get(each))]
        return sorted(chain.from_iterable(found), key=world_order) if found else []

    def ending(self, after: datetime | None, until: datetime | None, types: Collection[str]) -> Iterator[Fact]:
        """
        Yield the facts of *types* that count and end after the one instant and no later than the other.

        Those of one type in world order, since what ends the search is often found among the first.

        Args:
            after: None: however early.
            until: None: however late.
            types: of these types.
        """
        for each in types:
            if facts := self._by_type.get(each):
                start = 0 if after is None else bisect_right(facts, after, key=_end)
                stop = None if until is None else bisect_right(facts, until, key=_end)
                yield from islice(facts, start, stop)

    def advance(self, clock: datetime) -> list[Fact]:
        """Let announced facts count whose time has come by *clock*; return them in world order."""
        if not self.announced:
            return []
        come = [fact for fact in self.announced if counts(fact, clock)]
        if come:
            self.announced = [fact for fact in self.announced if not counts(fact, clock)]
            for fact in come:
                self._count(fact)
        return sorted(come, key=world_order)

    @property
    def is_plain(self) -> bool:
        """Whether there are facts, and each counts as it was published: dated, not announced, none about another."""
        return bool(self.world) and len(self.world) == len(self.facts) and not self.flags

    def _place(self, fact: Fact, clock: datetime) -> bool:
        if not fact.occurred.dated:
            insort(self.undated, fact, key=attrgetter("id"))
            insort(self.flags, Flag("undated", fact.id))
            return True
        if fact.announced:
            insort(self.flags, Flag("announced", fact.id))
        if fact.announced and not counts(fact, clock):
            insort(self.announced, fact, key=world_order)
            return True
        at_end = not self.world or self.world[-1].order < fact.order
        self._count(fact)
        return at_end

    def _count(self, fact: Fact) -> None:
        insort(self.world, fact, key=world_order)
        insort(self._by_type[fact.type], fact, key=world_order)

    def _settle(self, clock: datetime) -> None:
        self.settled = settle(self.facts)
        dated = sorted((fact for fact in self.settled.facts if fact.occurred.dated), key=world_order)
        self.undated = sorted((f for f in self.settled.facts if not f.occurred.dated), key=attrgetter("id"))
        self.announced = [fact for fact in dated if fact.announced and not counts(fact, clock)]
        self.world = [fact for fact in dated if not fact.announced or counts(fact, clock)]
        self._by_type: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in self.world:
            self._by_type[fact.type].append(fact)
        undated = [Flag("undated", fact.id) for fact in self.undated]
        announced = [Flag("announced", fact.id) for fact in dated if fact.announced]
        self.flags = sorted([*undated, *announced, *self.settled.flags])


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
            fact = replace_data(fact, winner.data["data"])
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
