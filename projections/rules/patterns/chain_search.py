"""
The search for the first chain of facts in world order (docs/design.md, 4.5).

The steps are taken in the order of their facts, so the first chain that is found is the first of all. What led nowhere
is remembered: otherwise a history with hundreds of vague facts would be searched path by path.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import NamedTuple

from events.facts import Fact

from .instants import (
    Between,
    Bounds,
    Ends,
    alone_between,
    covers,
    ends_of,
    followed,
    last_between,
    less_than,
    started,
)
from .sequence import is_certain, is_possible

Chain = tuple[Fact, ...]


class Search(NamedTuple):
    """
    The parts of a chain, from one anchor.

    Attributes:
        anchor: the anchor.
        candidates: for each step the facts of its types, in world order, without the anchor.
        withins: for each step the time since the step before.
        whole: the time of the whole chain; None: there is no such limit.
        accepts: returns whether a fact fulfils the conditions of a step (its index), behind the fact before it.
    """

    anchor: Fact
    candidates: Sequence[Sequence[Fact]]
    withins: Sequence[timedelta]
    whole: timedelta | None
    accepts: Callable[[int, Fact, Fact], bool]


def first_certain(search: Search) -> Chain | None:
    """Return the first chain in which each fact certainly follows the one before it in time; None: there is none."""
    return _Ahead(search, is_certain).first(0, search.anchor)


def first_possible(search: Search) -> Chain | None:
    """Return the first chain for which one choice of instants fulfils all orders and lengths; None: there is none."""
    # Each two facts in a row must be possible alone. That is decided first, since it needs no choice of instants.
    ahead = _Ahead(search, is_possible)
    if ahead.first(0, search.anchor) is None:
        return None
    bounds = started(ends_of(search.anchor.occurred))
    return None if bounds is None else _Joint(search, ahead).first(0, search.anchor, bounds, frozenset())[0]


class _Ahead:
    """The steps from a fact on, if each is judged with the one before it and with the anchor alone."""

    def __init__(self, search: Search, in_time: Callable[[Fact, Fact, timedelta], bool]) -> None:
        self._search = search
        self._in_time = in_time
        self._nexts: dict[tuple[int, str], list[Fact]] = {}
        last = len(search.candidates) - 1
        whole = search.whole
        self._candidates = [
            facts if whole is None or index != last else [fact for fact in facts if in_time(search.anchor, fact, whole)]
            for index, facts in enumerate(search.candidates)
        ]

    def nexts(self, index: int, previous: Fact) -> list[Fact]:
        """Return the facts that can be the step *index* behind *previous*, with all steps after it."""
        key = (index, previous.id)
        if key not in self._nexts:
            self._nexts[key] = [
                fact
                for fact in self._candidates[index]
                if fact is not previous
                and self._in_time(previous, fact, self._search.withins[index])
                and self._search.accepts(index, previous, fact)
                and self._is_open(index + 1, fact)
            ]
        return self._nexts[key]

    def first(self, index: int, previous: Fact) -> Chain | None:
        """Return the first way through the steps from *index* on; None: there is none."""
        if index == len(self._candidates):
            return ()
        for fact in self.nexts(index, previous):
            rest = self.first(index + 1, fact)
            assert rest is not None, "a next fact has a way through the steps after it"
            return (fact, *rest)
        return None

    def _is_open(self, index: int, previous: Fact) -> bool:
        return index == len(self._candidates) or bool(self.nexts(index, previous))


class _Reach:
    """
    For each step and fact, the ticks at which the fact can lie if all steps after it are to follow.

    It judges more than two facts in a row, but neither the shift of days nor the time of the whole chain. With it the
    search of one choice of instants seldom goes a way that leads nowhere.
    """

    def __init__(self, search: Search, ahead: _Ahead, ends: Mapping[str, Ends]) -> None:
        self._ahead = ahead
        self._ends = ends
        self._withins = [less_than(within) for within in search.withins]
        self._between: dict[tuple[int, str], list[Between]] = {}

    def allows(self, index: int, fact: Fact, bounds: Bounds) -> bool:
        """Return whether *fact* as the step *index*, within *bounds*, can have all steps after it."""
        low, high = last_between(bounds)
        return any(first <= high and low <= last for first, last in self._of(index, fact))

    def _of(self, index: int, fact: Fact) -> list[Between]:
        key = (index, fact.id)
        if key not in self._between:
            own = alone_between(self._ends[fact.id])
            following = index + 1
            self._between[key] = (
                [own] if following == len(self._withins) else _within(own, self._before(following, fact))
            )
        return self._between[key]

    def _before(self, index: int, fact: Fact) -> Iterator[Between]:
        within = self._withins[index]
        for other in self._ahead.nexts(index, fact):
            for first, last in self._of(index, other):
                yield first - within, last - 1


def _within(own: Between, parts: Iterable[Between]) -> list[Between]:
    """Return the *parts* within *own*, those together that overlap."""
    joined: list[Between] = []
    for first, last in sorted(parts):
        low, high = max(first, own[0]), min(last, own[1])
        if low > high:
            continue
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return joined


class _Joint:
    """The search in which one choice of instants fulfils everything, and no fact is two steps."""

    def __init__(self, search: Search, ahead: _Ahead) -> None:
        self._ahead = ahead
        self._withins = [less_than(within) for within in search.withins]
        self._whole = None if search.whole is None else less_than(search.whole)
        self._ends = {fact.id: ends_of(fact.occurred) for fact in chain.from_iterable(search.candidates)}
        self._reach = _Reach(search, ahead, self._ends)
        # By step and fact: the bounds from which no way leads on, each with the facts that were taken already.
        self._failed: defaultdict[tuple[int, str], list[tuple[Bounds, frozenset[str]]]] = defaultdict(list)

    def first(
        self, index: int, previous: Fact, bounds: Bounds, taken: frozenset[str]
    ) -> tuple[Chain | None, frozenset[str]]:
        """
        Return the first way through the steps from *index* on; or None, and those of *taken* that were in the way.

        Args:
            index: the next step.
            previous: the fact of the step before.
            bounds: the bounds of the instants so far.
            taken: the ids of the facts that are steps of the chain so far.
        """
        if index == len(self._withins):
            return (), frozenset()
        failed = self._failed[index, previous.id]
        for wide, blocking in failed:
            if blocking <= taken and covers(wide, bounds):
                return None, blocking
        in_the_way: set[str] = set()
        for fact in self._ahead.nexts(index, previous):
            if fact.id in taken:
                in_the_way.add(fact.id)
                continue
            closed = followed(bounds, self._ends[fact.id], self._withins[index], self._whole)
            if closed is None or not self._reach.allows(index, fact, closed):
                continue
            rest, blocking = self.first(index + 1, fact, closed, taken | {fact.id})
            if rest is not None:
                return (fact, *rest), frozenset()
            in_the_way |= blocking - {fact.id}
        failed.append((bounds, frozenset(in_the_way)))
        return None, frozenset(in_the_way)
