"""The findings of all rules in one person's history, kept from fact to fact."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from events.facts import Fact
from events.vocabulary import TRACK_OF
from projections.history.corrections import ABOUT_FACTS
from projections.rules.patterns.pattern import Finding, Rule, Visible
from projections.subjects.anchor_status import may_precede_anchor
from projections.subjects.fold import Step
from projections.subjects.status import is_cleared_of

from .once import first_of_each
from .rulebook import Rulebook

CLEARING = frozenset({"service", "case", "custody"})
"""The tracks with facts that clear a person or end that: death, a verdict, custody in another case."""
ACCUSING: Final = frozenset({"case", "custody"})
"""The tracks with facts of which a person can be cleared."""


class Answer(NamedTuple):
    """
    The findings of one rule that may differ from those before.

    Attributes:
        rule: the rule.
        whole: whether these are the findings of every anchor.
        visible: the findings.
    """

    rule: Rule
    whole: bool
    visible: list[Visible]


class Findings:
    """
    The memory of the findings that a fact at the end of the world order can change.

    Args:
        rulebook: the rules.
    """

    def __init__(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        # A rule that has not been asked yet is left out.
        self._kept: dict[str, tuple[Finding, ...]] = {}
        # The fact that cleared the person when rules were last asked, and whether this is known.
        self._clearing: Fact | None = None
        self._knows_clearing = False

    def clear(self) -> None:
        """Ask every rule of every anchor the next time: events before the last one moved."""
        self._kept = {}

    def after(self, fact: Fact, step: Step, renamed: Iterable[str]) -> list[Answer]:
        """
        Return the answers that *fact* can have changed.

        Args:
            fact: the fact that was applied.
            step: the fold after it.
            renamed: ids of rules with alerts that call the person by an earlier name.
        """
        rules = self.rulebook.asked
        if step.everywhere or fact.type in ABOUT_FACTS:
            self._knows_clearing = False
        else:
            rules = self._touched(fact, step, renamed)
        return self._ask(rules, step, fact.recorded)

    def at(self, clock: datetime, step: Step) -> list[Answer]:
        """Return the answers that can have changed because it is *clock*, or because all rules are new."""
        if not step.everywhere:
            return self._ask(self.rulebook.waiting, step, clock)
        self._knows_clearing = False
        return self._ask(self.rulebook.asked, step, clock)

    def _touched(self, fact: Fact, step: Step, renamed: Iterable[str]) -> tuple[Rule, ...]:
        """Return the rules that *fact* can give another answer, by id."""
        at_end = step.last is not None
        named = (self.rulebook.continued_by if at_end else self.rulebook.by_type)[fact.type]
        again = {*renamed}
        if fact.id in step.history.stands_for:
            # Another report of an event belongs to the evidence, of findings that are final too.
            again |= {rule.id for rule in named}
        again |= self.rulebook.reread_by[fact.type]
        judged = self.rulebook.judged_by[fact.type]
        if at_end and judged and may_precede_anchor(fact, step):
            # Last in world order by its end, it may have begun before an anchor, and changed the status there.
            again |= judged
        if not self._knows_clearing or not at_end or TRACK_OF[fact.type] in CLEARING:
            knew, before = self._knows_clearing, self._clearing
            self._read_clearing(step)
            if not knew or self._clearing is not before:
                again |= self.rulebook.ended_when_cleared
        if not again:
            return named
        for rule_id in again:
            self._kept.pop(rule_id, None)
        again |= {rule.id for rule in named}
        return tuple(rule for rule in self.rulebook.asked if rule.id in again)

    def _ask(self, rules: Iterable[Rule], step: Step, clock: datetime) -> list[Answer]:
        answers = []
        for rule in rules:
            before = self._kept.get(rule.id)
            if before is None or before or step.last is None or step.last.type in rule.on:
                self._kept[rule.id], visible = rule.look(before, step, clock)
                if rule.ends_when_cleared and any(seen.value == "standing" for seen in visible):
                    visible = self._ended_if_cleared(visible, step)
                if rule.once:
                    visible = first_of_each(rule.once, visible, step.history)
                if visible or before is None:
                    answers.append(Answer(rule, before is None, visible))
        return answers

    def _ended_if_cleared(self, visible: list[Visible], step: Step) -> list[Visible]:
        """Return *visible*; patterns that stand have ended if the person was cleared of their events."""
        if not self._knows_clearing:
            self._read_clearing(step)
        clearing = self._clearing
        if clearing is None:
            return visible
        return [_unless_cleared(seen, clearing) if seen.value == "standing" else seen for seen in visible]

    def _read_clearing(self, step: Step) -> None:
        self._clearing, self._knows_clearing = step.status.clearing(), True


def _unless_cleared(seen: Visible, clearing: Fact) -> Visible:
    """Return a pattern that stands without the facts of which *clearing* clears the person; ended, if none is left."""
    finding = seen.finding
    if not finding.lasting:
        is_over = _clears(clearing, (finding.anchor, *finding.completing))
        return seen._replace(value="ended") if is_over else seen
    lasting = tuple(fact for fact in finding.lasting if not _clears(clearing, (finding.anchor, fact)))
    return Visible(finding._replace(lasting=lasting), "standing" if lasting else "ended", seen.due)


def _clears(clearing: Fact, events: Sequence[Fact]) -> bool:
    """Return whether *clearing* clears the person of *events*; of a dismissal beside an arrest nobody is cleared."""
    accusing = [event for event in events if TRACK_OF[event.type] in ACCUSING] or events
    return is_cleared_of(clearing, *(event.occurred for event in accusing))
