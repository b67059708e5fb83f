"""The pattern of an absence: no fact of some types follows the anchor for a time (docs/design.md, 4.3)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import ClassVar

from pydantic import Field

from events.edtf import later, possibly_before, slack
from events.facts import Fact
from projections.history.history import History
from projections.history.lookup import events_ending

from .pattern import Finding, Rule, Visible, earliest_end
from .values import FactTypes, Settle, Wait


class AbsenceRule(Rule):
    """A fact with none of `absent` after it for the time `wait` (`for` in the file), evaluated `settle` later."""

    facts: ClassVar[tuple[str, ...]] = ("anchor",)
    waits: ClassVar[bool] = True
    absent: FactTypes
    wait: Wait = Field(alias="for")
    settle: Settle = timedelta(0)

    @cached_property
    def follow(self) -> frozenset[str]:
        """The fact types that end the silence. Death is one, unless the rule starts from it."""
        return self.absent if "Died" in self.on else self.absent | {"Died"}

    def find(self, anchor: Fact, history: History) -> Finding:
        """Return the silence after *anchor*."""
        return self._silence(anchor, events_ending(history, earliest_end(anchor), None, self.follow))

    def extend(self, finding: Finding, fact: Fact) -> Finding:
        """Return the silence once *fact* is at the end of the world order."""
        after = self._silence(finding.anchor, (fact,), ended=finding.value == "ended")
        return finding if after.value == finding.value else after

    def visible_at(self, finding: Finding, history: History, clock: datetime) -> Visible:
        """
        Return the value that an alert may state of *finding* at *clock*.

        A silence is not stated before its time, nor while an undated fact may have ended it.
        """
        if finding.opens is None or finding.value == "void":
            return Visible(finding, finding.value)
        if history.undated and any(fact.type in self.follow for fact in history.undated):
            return Visible(finding, "void")
        if clock < finding.opens:
            # An end waits for this instant too: an alert that opened under another date may be ended by it.
            return Visible(finding, "void", finding.opens)
        return Visible(finding, finding.value)

    def _silence(self, anchor: Fact, follows: Iterable[Fact], *, ended: bool = False) -> Finding:
        """Return the silence after *anchor* that *follows* leave; *ended*: whether an earlier fact ended it."""
        deadline = later(anchor.occurred.latest, self.wait)
        opens = later(deadline, self.settle)
        for fact in follows:
            if fact is anchor or not possibly_before(anchor.occurred, fact.occurred):
                continue
            earliest = fact.occurred.earliest
            spare = slack(anchor.occurred.latest_exact, fact.occurred.earliest_exact)
            if earliest is None or earliest < later(deadline, spare):
                return Finding(anchor, "void", opens, final=True)
            ended = True
        return Finding(anchor, "ended" if ended else "standing", opens)
