"""The pattern of a sequence: a fact of some types follows the anchor within a time (docs/design.md, 4.2)."""

from datetime import datetime
from functools import cached_property
from typing import ClassVar

from events.edtf import certainly_before, later, possibly_before, slack
from events.facts import Fact
from projections.history.history import History
from projections.history.lookup import events_ending

from .pattern import Finding, Rule, Value, earliest_end
from .values import Certainty, FactTypes, Wait


class SequenceRule(Rule):
    """A fact followed by one of `then` within a time."""

    ends_when_cleared: ClassVar[bool] = True
    then: FactTypes
    within: Wait
    certainty: Certainty = "certain"

    @cached_property
    def follow(self) -> frozenset[str]:
        """The fact types that complete the pattern."""
        return self.then

    def find(self, anchor: Fact, history: History) -> Finding:
        """Return the facts that complete the pattern from *anchor*."""
        follows = events_ending(history, earliest_end(anchor), self._latest_end(anchor), self.then)
        completing = [fact for fact in follows if fact is not anchor and self._completes(anchor, fact)]
        completing.sort(key=history.placing.place)
        value: Value = "standing" if completing else "void"
        return Finding(anchor, value, None, tuple(completing), self._is_over(anchor, history.events[-1]))

    def extend(self, finding: Finding, fact: Fact) -> Finding:
        """Return the pattern once *fact* is at the end of the world order."""
        if self._completes(finding.anchor, fact):
            return finding._replace(value="standing", completing=(*finding.completing, fact))
        return finding._replace(final=True) if self._is_over(finding.anchor, fact) else finding

    def _latest_end(self, anchor: Fact) -> datetime | None:
        """Return the instant by which every completing fact has ended; None where the end may be later."""
        return later(anchor.occurred.earliest, self.within) if self.certainty == "certain" else None

    def _is_over(self, anchor: Fact, last: Fact) -> bool:
        """Return whether no fact after *last* in world order, which ends no earlier, can complete the pattern."""
        if self.certainty != "certain":
            return False
        return anchor.occurred.earliest is None or last.order[0] > later(anchor.occurred.earliest, self.within)

    def _completes(self, anchor: Fact, follow: Fact) -> bool:
        return self._is_certain(anchor, follow) if self.certainty == "certain" else self._is_possible(anchor, follow)

    def _is_certain(self, anchor: Fact, follow: Fact) -> bool:
        earliest, latest = anchor.occurred.earliest, follow.occurred.latest
        if earliest is None or latest is None:
            return False
        spare = slack(anchor.occurred.earliest_exact, follow.occurred.latest_exact)
        return latest - earliest + spare <= self.within and certainly_before(anchor.occurred, follow.occurred)

    def _is_possible(self, anchor: Fact, follow: Fact) -> bool:
        latest, earliest = anchor.occurred.latest, follow.occurred.earliest
        if latest is not None and earliest is not None:
            spare = slack(anchor.occurred.latest_exact, follow.occurred.earliest_exact)
            if earliest - latest - spare >= self.within:
                return False
        return possibly_before(anchor.occurred, follow.occurred)
