"""Contributions: the events of one person that count for a rule across people."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from events.edtf import BEGINNING, Span
from events.facts import Fact
from projections.history.history import History
from projections.history.lookup import events_of, reports_of
from projections.rules.limits import jurisdictions_of
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.patterns.pattern import Rule, Visible
from projections.subjects.fold import Step

from .group import Group, group_of

Role = Literal["count", "anchor", "follow", "over"]
"""`count`: it counts in a group. `anchor`, `follow`, `over`: of a rule with `of`: it starts, completes or ends it."""


class Contribution(NamedTuple):
    """
    One event of one person that counts for a rule.

    Attributes:
        rule: the id of the rule.
        role: its part in the rule.
        subject_id: the person.
        fact_id: the best report of the event.
        group: the group in the form for comparison; empty for a rule with `of`.
        shown: the group as the source writes it.
        occurred: the time of the event.
        recorded: the instant at which the first report in force was recorded.
        reports: the ids of all reports, the best first.
        jurisdictions: those that select the limit of a rule that counts: that of the group, else those of the reports;
            empty for all other rules.
        by: the person whom the anchor of a rule with `of: by` names; None in all other cases.
    """

    rule: str
    role: Role
    subject_id: str
    fact_id: str
    group: str
    shown: str
    occurred: Span
    recorded: datetime
    reports: tuple[str, ...]
    jurisdictions: tuple[str, ...] = ()
    by: str | None = None


def contributions_of(rule: Rule, step: Step) -> list[Contribution]:
    """
    Return all contributions of one person to *rule*.

    Args:
        rule: a rule across people.
        step: the state of the person's fold, which keeps the status before each type of `rule.on`.
    """
    # Such a rule has no deadline, so that the clock decides nothing.
    _, anchors = rule.look(None, step, BEGINNING)
    follows = [(role, event) for role, types in _roles(rule) for event in events_of(step.history, types)]
    return _contributions(rule, step, anchors, follows)


def added_by_last(rule: Rule, step: Step) -> list[Contribution]:
    """
    Return the contributions that the last fact of *step* adds to those before it, which all stay as they are.

    Args:
        rule: a rule across people.
        step: the step of the fold by a fact at the end of the world order: `step.last` is this fact.
    """
    last = step.last
    assert last is not None, "after any other fact all contributions are looked at"
    _, anchors = rule.look((), step, BEGINNING)
    follows = [(role, last) for role, types in _roles(rule) if last.type in types]
    return _contributions(rule, step, anchors, follows)


def _roles(rule: Rule) -> tuple[tuple[Role, frozenset[str]], ...]:
    """Return the types of the facts that follow an anchor, by their role."""
    return (("follow", rule.then), ("over", rule.over)) if isinstance(rule, OfRule) else ()


def _contributions(
    rule: Rule, step: Step, anchors: Iterable[Visible], follows: Iterable[tuple[Role, Fact]]
) -> list[Contribution]:
    standing = [seen.finding.anchor for seen in anchors if seen.value == "standing"]
    match rule:
        case CountRule():
            return [*_counted(rule, step, standing)]
        case OfRule():
            others = [_contribution(rule, role, event, step.history) for role, event in follows]
            return [*_anchors(rule, step, standing), *others]
        case _:
            return []


def _counted(rule: CountRule, step: Step, standing: Iterable[Fact]) -> Iterator[Contribution]:
    for anchor in standing:
        group = group_of(rule.count.by, anchor, step)
        if group is not None:
            held = _contribution(rule, "count", anchor, step.history, group)
            yield held._replace(jurisdictions=_of_law(anchor, step.history, group)) if rule.limits else held


def _of_law(event: Fact, history: History, group: Group) -> tuple[str, ...]:
    """Return the jurisdictions with a law for a count that *event* completes."""
    return (group.jurisdiction,) if group.jurisdiction else tuple(sorted(jurisdictions_of(reports_of(history, event))))


def _anchors(rule: OfRule, step: Step, standing: Iterable[Fact]) -> Iterator[Contribution]:
    for anchor in standing:
        if not rule.is_by:
            yield _contribution(rule, "anchor", anchor, step.history)
        elif (by := named_in(anchor, step.history)) not in {None, anchor.subject}:
            yield _contribution(rule, "anchor", anchor, step.history)._replace(by=by)


def named_in(anchor: Fact, history: History) -> str | None:
    """Return the person that a report of the event of *anchor* names in `by.subject_id`; None if no report does."""
    for report in reports_of(history, anchor):
        by = report.data.get("by")
        if isinstance(by, dict) and "subject_id" in by:
            named: str = by["subject_id"]
            return named
    return None


def _contribution(rule: Rule, role: Role, event: Fact, history: History, group: Group | None = None) -> Contribution:
    reports = tuple(report.id for report in reports_of(history, event))
    recorded = min(history.facts[report].recorded for report in reports)
    key, shown = group[:2] if group else ("", "")
    return Contribution(rule.id, role, event.subject, event.id, key, shown, event.occurred, recorded, reports)
