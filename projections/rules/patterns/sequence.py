"""The pattern of a sequence: a fact of some types follows the anchor within a time (docs/design.md, 4.2)."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import ClassVar

from events.edtf import certainly_before, later, possibly_before, slack
from events.facts import Fact
from projections.history.history import History
from projections.history.lookup import events_ending
from projections.rules.limits import Length, Reading
from projections.rules.values import Certainty, FactTypes

from .pattern import Finding, Rule, Value, earliest_end


class SequenceRule(Rule):
    """A fact followed by one of `then` within a time, until one of `over` ends the pattern."""

    ends_when_cleared: ClassVar[bool] = True
    then: FactTypes
    within: Length
    over: FactTypes = frozenset()
    certainty: Certainty = "certain"

    @cached_property
    def follow(self) -> frozenset[str]:
        """The fact types that complete the pattern, or end it."""
        return self.then | self.over

    @property
    def reading(self) -> Reading:
        """The reading of a limit: a certain sequence takes the shortest, a possible one the longest there is."""
        return "shortest" if self.certainty == "certain" else "possible"

    def find(self, anchor: Fact, history: History) -> Finding:
        """Return the facts that complete the pattern from *anchor*."""
        within = self.length(self.within, anchor, history, self.reading)
        if within is None:
            return Finding(anchor, "void", final=True)
        start = earliest_end(anchor)
        follows = events_ending(history, start, self._latest_end(anchor, within), self.then)
        completing = [fact for fact in follows if fact is not anchor and self._completes(anchor, fact, within, history)]
        completing.sort(key=history.place)
        ends = [*events_ending(history, start, None, self.over)] if self.over and completing else []
        lasting = tuple(
            fact for fact in completing if not any(certainly_before(fact.occurred, end.occurred) for end in ends)
        )
        is_over = self._is_over(anchor, history.events[-1], within)
        return self._finding(anchor, tuple(completing), lasting, is_over=is_over)

    def extend(self, finding: Finding, fact: Fact, history: History) -> Finding:
        """Return the pattern once *fact* is at the end of the world order."""
        completing, lasting = finding.completing, finding.lasting
        within = self.length(self.within, finding.anchor, history, self.reading)
        assert within is not None, "a finding that is not final has its time"
        if fact.type in self.over:
            lasting = tuple(one for one in lasting if not certainly_before(one.occurred, fact.occurred))
        if fact.type in self.then and self._completes(finding.anchor, fact, within, history):
            completing, lasting = (*completing, fact), (*lasting, fact)
        is_over = self._is_over(finding.anchor, fact, within)
        after = self._finding(finding.anchor, completing, lasting, is_over=is_over)
        return finding if after == finding else after

    def _finding(
        self, anchor: Fact, completing: tuple[Fact, ...], lasting: tuple[Fact, ...], *, is_over: bool
    ) -> Finding:
        value: Value = "standing" if lasting else "ended" if completing else "void"
        # A pattern that stands can still end after the time in which it can be completed.
        final = is_over and not (self.over and lasting)
        return Finding(anchor, value, None, completing, final, lasting=lasting)

    def _latest_end(self, anchor: Fact, within: timedelta) -> datetime | None:
        """Return the instant by which every completing fact has ended; None where the end may be later."""
        return later(anchor.occurred.earliest, within) if self.certainty == "certain" else None

    def _is_over(self, anchor: Fact, last: Fact, within: timedelta) -> bool:
        """Return whether no fact after *last* in world order, which ends no earlier, can complete the pattern."""
        if self.certainty != "certain":
            return False
        return anchor.occurred.earliest is None or last.order[0] > later(anchor.occurred.earliest, within)

    def _completes(self, anchor: Fact, follow: Fact, within: timedelta, history: History) -> bool:
        """Return whether *follow* is in order and in time, and certainly fulfils the conditions of the rule."""
        in_time = is_certain if self.certainty == "certain" else is_possible
        if not in_time(anchor, follow, within):
            return False
        return not self.is_conditional or self.accepts(anchor, follow, history) is True


def is_certain(anchor: Fact, follow: Fact, within: timedelta) -> bool:
    """Return whether *follow* is certainly after *anchor*, and no later than *within* even at the longest reading."""
    earliest, latest = anchor.occurred.earliest, follow.occurred.latest
    if earliest is None or latest is None:
        return False
    spare = slack(anchor.occurred.earliest_exact, follow.occurred.latest_exact)
    return latest - earliest + spare <= within and certainly_before(anchor.occurred, follow.occurred)


def is_possible(anchor: Fact, follow: Fact, within: timedelta) -> bool:
    """Return whether *follow* is possibly after *anchor*, and sooner than *within* at the shortest reading."""
    latest, earliest = anchor.occurred.latest, follow.occurred.earliest
    if latest is not None and earliest is not None:
        spare = slack(anchor.occurred.latest_exact, follow.occurred.earliest_exact)
        if earliest - latest - spare >= within:
            return False
    return possibly_before(anchor.occurred, follow.occurred)
