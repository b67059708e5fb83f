"""The pattern of an absence: no fact of some types follows the anchor for a time (docs/design.md, 4.3)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import ClassVar, Self

from pydantic import Field, model_validator

from events.edtf import END_OF_TIME, later, parse, slack
from events.facts import Fact
from projections.history.history import History
from projections.history.lookup import events_ending, reports_of
from projections.rules.conditions.status import Conditions
from projections.rules.limits import Delay, Length
from projections.rules.values import WANTED, FactTypes, From, wrong
from projections.subjects.anchor_status import statuses_behind

from .deadline import is_in_time
from .pattern import Finding, Rule, Visible, earliest_end
from .silence import Accepts, accepts_all, silence_after, silence_follows, visible_silence


class AbsenceRule(Rule):
    """
    A fact with none of `absent` around it, evaluated `settle` later.

    None follows for the time `wait` (`for` in the file), counted from the anchor or from its `until`. None precedes by
    the time `before`. One of the two, or both.
    """

    facts: ClassVar[tuple[str, ...]] = ("anchor",)
    roles: ClassVar[tuple[str, ...]] = ("anchor", "absent")
    waits: ClassVar[bool] = True
    absent: FactTypes
    wait: Length | None = Field(alias="for", default=None)
    start: From | None = Field(alias="from", default=None)
    before: Length | None = None
    settle: Delay = timedelta(0)
    still: Conditions | None = None

    @model_validator(mode="after")
    def _has_a_time(self) -> Self:
        if self.wait is None and self.before is None:
            raise wrong("neither for nor before is in this rule", f"for or before or both: {WANTED['for']}")
        if self.wait is None and self.start is not None:
            raise wrong("from stands without for", "for, the time that is counted from until")
        if self.wait is None and self.still is not None:
            raise wrong("still stands without for", "for, the time for which the status must last")
        return self

    @cached_property
    def follow(self) -> frozenset[str]:
        """The fact types that end the silence. Death is one, unless the rule starts from it or looks back only."""
        return self.absent if self.wait is None else silence_follows(self.absent, self.on)

    @cached_property
    def extended_by(self) -> frozenset[str]:
        """The fact types that end the silence, or the status that must last."""
        return self.follow | self.still.types if self.still else self.follow

    def find(self, anchor: Fact, history: History) -> Finding:
        """Return the silence around *anchor*."""
        deadline, exact = self._deadline(anchor, history)
        if deadline is None:
            return Finding(anchor, "void", final=True)
        settle = self.length(self.settle, anchor, history)
        if settle is None or (self.before is not None and self.length(self.before, anchor, history) is None):
            return Finding(anchor, "void", final=True)
        silence = Finding(anchor, "standing", later(deadline, settle), deadline=deadline, exact=exact)
        after = earliest_end(anchor) if self.before is None else None
        silence = self._continued(silence, events_ending(history, after, None, self.follow), history)
        return self._unless_changed(silence, history)

    def extend(self, finding: Finding, fact: Fact, history: History) -> Finding:
        """Return the silence once *fact* is at the end of the world order."""
        after = self._continued(finding, (fact,), history) if fact.type in self.follow else finding
        if self.still is None or fact.type not in self.still.types or not _is_in_time(finding, fact):
            return after
        return self._unless_changed(after, history)

    def visible_at(self, finding: Finding, history: History, clock: datetime) -> Visible:
        """
        Return the value that an alert may state at *clock* of *finding*, which is not void.

        A silence is not stated before its time, nor while an undated fact may have ended it or changed the status.
        """
        accepts, still = self._asked(finding.anchor, history), self.still.types if self.still else frozenset()
        return visible_silence(
            finding, history, clock, self.follow | still, lambda fact: fact.type in still or accepts(fact)
        )

    def _deadline(self, anchor: Fact, history: History) -> tuple[datetime | None, bool]:
        """Return the deadline after *anchor*, and whether it counts from a date-time; None: the anchor has none."""
        if self.wait is None:
            # Nothing is awaited: the silence is known as soon as the event is, by its first report. That is the fact
            # itself and not its correction: a corrected note would retract the alert and open it again.
            return min(history.facts[report.id].recorded for report in reports_of(history, anchor)), True
        wait = self.length(self.wait, anchor, history)
        if wait is None:
            return None, False
        if self.start is None:
            return later(anchor.occurred.latest, wait), anchor.occurred.latest_exact
        reports = reports_of(history, anchor)
        ends = [parse(report.data["until"]) for report in reports if report.data.get("until")]
        if not ends:
            return None, False
        last = max(ends, key=lambda end: end.latest or END_OF_TIME)
        return later(last.latest, wait), last.latest_exact

    def _continued(self, silence: Finding, facts: Iterable[Fact], history: History) -> Finding:
        """Return *silence* after *facts*: void, ended or as it was."""
        anchor = silence.anchor
        before = None if self.before is None else self.length(self.before, anchor, history)

        def ahead(fact: Fact) -> bool:
            return before is not None and fact.type in self.absent and _precedes(anchor, fact, before)

        others = (fact for fact in facts if fact is not anchor and (self.wait is not None or ahead(fact)))
        return silence_after(silence, anchor, others, history, self._asked(anchor, history), ahead)

    def _unless_changed(self, silence: Finding, history: History) -> Finding:
        """Return *silence*; void if the status of `still` does not certainly last to the deadline."""
        if self.still is None or silence.value == "void":
            return silence
        return silence if self.lasts(silence, history) else silence._replace(value="void", final=True)

    def lasts(self, silence: Finding, history: History) -> bool:
        """Return whether the status of `still` certainly lasts to the deadline of *silence*, as far as is known."""
        if self.still is None:
            return True
        statuses = statuses_behind(silence.anchor, history, self.still.types, partial(_is_in_time, silence))
        return all(map(self.still.all_hold, statuses))

    def _asked(self, anchor: Fact, history: History) -> Accepts:
        # The death that ends every silence is asked no conditions.
        if not self.is_conditional:
            return accepts_all
        return lambda fact: True if fact.type not in self.absent else self.accepts(anchor, fact, history)


def _is_in_time(silence: Finding, fact: Fact) -> bool:
    """Return whether *fact* was possibly before the deadline of *silence*."""
    assert silence.deadline is not None, "a silence has a deadline"
    return is_in_time(fact, silence.deadline, exact=silence.exact)


def _precedes(anchor: Fact, fact: Fact, before: timedelta) -> bool:
    """Return whether *fact* possibly lies in the time *before* the anchor, or in the anchor's own span."""
    own, other = anchor.occurred, fact.occurred
    if own.latest is not None and other.earliest is not None:
        spare = slack(own.latest_exact, other.earliest_exact)
        if other.earliest - own.latest >= spare:
            return False
    if own.earliest is not None and other.latest is not None:
        spare = slack(own.earliest_exact, other.latest_exact)
        if own.earliest - other.latest >= before + spare:
            return False
    return True
