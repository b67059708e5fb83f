"""The measures against one person (docs/design.md, 3.5): each stands until it is lifted."""

from collections.abc import Callable, Mapping
from typing import Final

from events.facts import Fact
from projections.history.reports import compatible

_KEY: Final = ("kind", "case_id", "authority", "program", "title", "jurisdiction")
_BY_ONE_ONLY: Final = frozenset({"sanction", "debarment"})
_NAMED: Final = ("kind", "case_id", "program", "jurisdiction")


class Measure:
    """A measure that stands: the fact that imposed it, later facts that repeated it, and the last that named an end."""

    __slots__ = ("fact", "reports", "until")

    def __init__(self, fact: Fact) -> None:
        self.fact = fact
        self.until = fact if "until" in fact.data else None
        self.reports = {fact.id}

    @property
    def is_liftable_by_others(self) -> bool:
        """Whether an authority other than the one that imposed it can lift it."""
        return "authority" not in self.fact.data or self.fact.data.get("kind") not in _BY_ONE_ONLY


class Measures:
    """
    The fold of the measure track.

    Args:
        flag: receives the code of each anomaly and its fact.
        stands_for: the fact that stands for the event of another, by the other's id.

    Attributes:
        standing: the measures that stand.
        ended: the measures that were lifted, or that the person did not outlive, each with the fact that ended it.
        steps: the number of changes so far.
    """

    def __init__(self, flag: Callable[[str, Fact], None], stands_for: Mapping[str, str]) -> None:
        self.standing: list[Measure] = []
        self.ended: dict[str, tuple[Measure, Fact]] = {}
        self.steps = 0
        self._flag = flag
        self._stands_for = stands_for

    def advance(self, fact: Fact) -> None:
        """Apply the next fact of the measure track."""
        self.steps += 1
        if fact.type == "MeasureLifted":
            meant = [measure for measure in self.standing if self._lifts(fact, measure)]
            authority = fact.data.get("authority")
            own = [measure for measure in meant if measure.fact.data.get("authority", "") == authority]
            # A court lifts the travel ban of an investigator. A sanction is lifted only by the body that imposed it.
            lifted = own or [m for m in meant if authority is None or m.is_liftable_by_others]
            if not lifted:
                self._flag("not_imposed", fact)
            for measure in lifted:
                self.ended.setdefault(measure.fact.id, (measure, fact))
            self.standing = [measure for measure in self.standing if measure not in lifted]
            return
        same = [m for m in self.standing if all(m.fact.data.get(name) == fact.data.get(name) for name in _KEY)]
        if not same:
            self.standing.append(Measure(fact))
            return
        same[0].reports.add(fact.id)
        if "until" in fact.data:
            same[0].until = fact

    def outlive(self, death: Fact) -> None:
        """Speak no longer of the measures that stand: the person died. They stay until they are lifted."""
        for measure in self.standing:
            self.ended.setdefault(measure.fact.id, (measure, death))

    def _lifts(self, lift: Fact, measure: Measure) -> bool:
        named: str | None = lift.data.get("fact_id")
        if named is not None:
            return not measure.reports.isdisjoint({named, self._stands_for.get(named)})
        return all(compatible(lift.data.get(name), measure.fact.data.get(name)) for name in _NAMED)
