"""
The pattern of a follow-up about another person: a rule with `of`, judged from the histories of the two (docs/rules.md).

It works as `then ... within` does in one history. The events of `over` are those of the other person. The pattern has
ended if either of the two was cleared since of the own event.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from events.edtf import BEGINNING, END_OF_TIME, certainly_before
from events.facts import Fact
from projections.rules.conditions.clauses import Truth, all_hold
from projections.rules.conditions.relation import has_same, undecided
from projections.rules.patterns.across import BY, OfRule
from projections.rules.patterns.pattern import Value
from projections.subjects.status import is_cleared_of

from .contribution import Contribution
from .relations import Relation


class Side(NamedTuple):
    """
    One of the two people.

    Attributes:
        contributions: those of the person to the rule.
        facts: the facts of the person that count, by id, as `History.counting` has them.
        clearing: the fact that cleared the person; None: the person is not cleared.
    """

    contributions: Sequence[Contribution]
    facts: Mapping[str, Fact]
    clearing: Fact | None = None


class Follow(NamedTuple):
    """
    A follow-up that completes a pattern.

    Attributes:
        held: the event of the other person.
        relation: the relation of this person to the subject, or `by`.
        relation_facts: the facts that assert the relation; empty for `by`, which the anchor states.
        known: the instant at which the anchor, the follow-up and the relation were all recorded.
    """

    held: Contribution
    relation: str
    relation_facts: tuple[str, ...]
    known: datetime


class PairFinding(NamedTuple):
    """
    The result of a rule for one anchor.

    Attributes:
        anchor: the event of the subject.
        value: *void*: nothing follows; *standing*: it does; *ended*: each follow-up is over, or somebody was cleared.
        completing: the follow-ups in world order.
        lasting: those that have not ended.
    """

    anchor: Contribution
    value: Value
    completing: tuple[Follow, ...]
    lasting: tuple[Follow, ...]

    @property
    def told(self) -> Follow | None:
        """The follow-up of the sentence: the first that has not ended, else the first; None: there is none."""
        return next(iter(self.lasting or self.completing), None)

    @property
    def evidence(self) -> tuple[str, ...]:
        """The ids of the facts of both people and of their relation, each once."""
        parts = [self.anchor.reports]
        for follow in self.completing:
            parts += [follow.relation_facts, follow.held.reports]
        return tuple(dict.fromkeys(fact_id for part in parts for fact_id in part))


def pair_findings(
    rule: OfRule, subject: Side, others: Mapping[str, Side], relations: Iterable[Relation]
) -> list[PairFinding]:
    """
    Return the finding of each anchor of one subject, in the order of its contributions.

    Args:
        rule: the rule.
        subject: the subject.
        others: the other people by subject_id. Somebody who is not among them has no follow-up.
        relations: those of the other people to the subject, as `relations_to` returns them; not read for `of: by`.
    """
    related = _related(rule.of, relations)
    findings = []
    for anchor in subject.contributions:
        if anchor.role != "anchor":
            continue
        to = related if not rule.is_by else {anchor.by: None} if anchor.by else {}
        completing, lasting = [], []
        for other_id, relation in to.items():
            if other_id is None or other_id not in others:
                continue
            other = others[other_id]
            for follow in _completing(rule, subject, anchor, other):
                told = _follow(anchor, follow, relation)
                completing.append(told)
                if not is_cleared(subject, anchor) and not is_cleared(other, follow) and not _is_over(follow, other):
                    lasting.append(told)
        value: Value = "standing" if lasting else "ended" if completing else "void"
        findings.append(
            PairFinding(anchor, value, tuple(sorted(completing, key=_order)), tuple(sorted(lasting, key=_order)))
        )
    return findings


def is_cleared(side: Side, event: Contribution) -> bool:
    """Return whether a person was cleared of an own event."""
    return is_cleared_of(side.clearing, event.occurred)


def _related(of: Collection[str], relations: Iterable[Relation]) -> dict[str | None, Relation | None]:
    """Return each person related as *of* says, with the first such relation in the order of the vocabulary."""
    related: dict[str | None, Relation | None] = {}
    for relation in relations:
        if relation.relation in of:
            related.setdefault(relation.other, relation)
    return related


def _completing(rule: OfRule, subject: Side, anchor: Contribution, other: Side) -> Iterator[Contribution]:
    start = subject.facts[anchor.fact_id]
    reports = [subject.facts[report] for report in anchor.reports]
    within = rule.within_of(start, reports)
    for follow in other.contributions:
        if follow.role != "follow" or not rule.in_time(start, other.facts[follow.fact_id], within):
            continue
        if _accepts(rule, reports, [other.facts[report] for report in follow.reports]):
            yield follow


def _accepts(rule: OfRule, anchors: Sequence[Fact], follows: Sequence[Fact]) -> bool:
    """Return whether one report of the follow-up fulfils `where` and `same` with one of the anchor."""
    if rule.where is None and not rule.same:
        return True
    return any(_hold(rule, anchor, follow) is True for anchor in anchors for follow in follows)


def _hold(rule: OfRule, anchor: Fact, follow: Fact) -> Truth:
    def same(name: str) -> Truth:
        return has_same(name, anchor, follow)

    facts = {"anchor": anchor, "then": follow}
    where = () if rule.where is None else (rule.where.holds(facts, same, undecided),)
    return all_hold([*where, *map(same, rule.same)])


def _is_over(follow: Contribution, other: Side) -> bool:
    return any(end.role == "over" and certainly_before(follow.occurred, end.occurred) for end in other.contributions)


def _follow(anchor: Contribution, held: Contribution, relation: Relation | None) -> Follow:
    known = max(anchor.recorded, held.recorded)
    if relation is None:
        return Follow(held, BY, (), known)
    return Follow(held, relation.relation, relation.facts, max(known, relation.recorded))


def _order(follow: Follow) -> tuple[datetime, datetime, str]:
    span = follow.held.occurred
    return (span.latest or END_OF_TIME, span.earliest or BEGINNING, follow.held.fact_id)
