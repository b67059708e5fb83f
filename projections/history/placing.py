"""
The places of facts that a source puts behind others with *after* (docs/design.md, 3.1).

A fact with `after` stands right behind the last fact that it names, or at its normal place if that is later.
"""

from collections.abc import Collection, Iterable, Mapping

from events.facts import Fact, Order

Place = tuple[Order, ...]
"""The orders along a chain of `after`: the place of the fact in front, then the order of the fact itself."""


class Placing:
    """
    The places that follow from the `after` of all facts.

    Args:
        facts: the facts that count, by id.
        stands_for: for each report of an event, the fact that stands for it. Behind a report is behind that fact.

    Attributes:
        places: by id; a fact at its normal place is left out.
        missing: ids of facts with an `after` that names no fact that counts.
        circles: ids of facts that are behind themselves; their `after` has no effect.
    """

    def __init__(self, facts: Mapping[str, Fact], stands_for: Mapping[str, str]) -> None:
        self.missing: list[str] = []
        targets: dict[str, tuple[str, ...]] = {}
        for fact in facts.values():
            if "after" in fact.data:
                named = [other for other in fact.data["after"] if other in facts]
                if named:
                    events = (stands_for.get(other, other) for other in named)
                    targets[fact.id] = tuple(dict.fromkeys([*named, *events]))
                else:
                    self.missing.append(fact.id)
        self.circles = sorted(_circles(targets))
        self._targets = {fact_id: named for fact_id, named in targets.items() if fact_id not in self.circles}
        # A report of an event has the place of the fact that stands for it.
        of_events = {
            fact_id: tuple(dict.fromkeys(stands_for.get(other, other) for other in named))
            for fact_id, named in self._targets.items()
        }
        self.places = _places(facts, of_events)

    def place(self, fact: Fact) -> Place:
        """Return the place of *fact* in world order, as a sort key."""
        return self.places.get(fact.id) or (fact.order,)

    def is_behind(self, fact: Fact, other: Fact) -> bool:
        """Return whether a source says that *fact* came after *other*, directly or along a chain."""
        return fact.id in self._targets and other.id in _reachable(fact.id, self._targets)

    def tied(self, one: Fact, other: Fact) -> bool:
        """Return whether a source says of two facts that one came after the other: then they are two events."""
        return bool(self._targets) and (self.is_behind(one, other) or self.is_behind(other, one))


def _circles(targets: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the ids from which `after` leads back to themselves."""
    left = set(targets)
    while True:
        # A fact that names no fact that is left, or that none of them names, is in no circle.
        named = {other for fact_id in left for other in targets[fact_id]}
        ends = {fact_id for fact_id in left if fact_id not in named or left.isdisjoint(targets[fact_id])}
        if not ends:
            return {fact_id for fact_id in left if fact_id in _reachable(fact_id, targets)}
        left -= ends


def _reachable(start: str, targets: Mapping[str, Iterable[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [*targets.get(start, ())]
    while waiting:
        fact_id = waiting.pop()
        if fact_id not in seen:
            seen.add(fact_id)
            waiting.extend(targets.get(fact_id, ()))
    return seen


def _places(facts: Mapping[str, Fact], targets: Mapping[str, Collection[str]]) -> dict[str, Place]:
    """Return the places along *targets*, in which there are no circles."""
    places: dict[str, Place] = {}
    waiting = list(targets)
    while waiting:
        fact_id = waiting[-1]
        unknown = [other for other in targets[fact_id] if other in targets and other not in places]
        if unknown and fact_id not in places:
            waiting += unknown
            continue
        waiting.pop()
        if fact_id not in places:
            normal = (facts[fact_id].order,)
            last = max(places.get(other) or (facts[other].order,) for other in targets[fact_id])
            # Within one span, a source that says "then" outweighs the order of types and ids.
            follows = last > normal or last[0][:2] == normal[0][:2]
            places[fact_id] = (*last, *normal) if follows else normal
    return {fact_id: place for fact_id, place in places.items() if len(place) > 1}


NOTHING_PLACED = Placing({}, {})
