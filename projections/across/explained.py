"""
The reasons of a rule across people for one event of one person: the people counted, or the follow-ups of others. Pure.

Nothing is judged a second time: the windows and the findings are those of the rule.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from events.edtf import certainly_before, format_instant, later, possibly_before
from events.facts import Fact
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.patterns.pattern import Value
from projections.rules.reasons import Reason

from .contribution import Contribution
from .pairs import PairFinding, Side, is_cleared
from .relations import Relation
from .windows import Node, Windows

MOST: Final = 100
"""The most facts that are named one by one."""

Facts = Mapping[str, Fact]
"""Facts by id."""

Answer = tuple[Value, list[Reason]]
"""The answer of the rule for one event, and its reasons."""


def count_reasons(rule: CountRule, own: Contribution | None, group: Iterable[Contribution], facts: Facts) -> Answer:
    """
    Return the answer for one event of a rule that counts.

    Args:
        rule: the rule.
        own: the event; None: it has no group.
        group: the contributions of its group near it, without it.
        facts: the facts of these people that count, by id.
    """
    if own is None:
        return "void", [Reason("no_group", holds=False, detail={"by": rule.count.by})]
    about = Reason("group", None, {"by": rule.count.by, "group": own.shown})
    # Each window is wanted, and not only those with enough people.
    every = Windows(rule.model_copy(update={"count": rule.count.model_copy(update={"at_least": 1})}))
    every.add(own)
    for one in group:
        every.add(one)
    node = every.nodes[own.fact_id]
    windows = [*every.counting(node)]
    if not windows:
        # Its law knows no time, and no later fact counts it; or its date is too vague for any window.
        law = () if rule.within_of(own) else (Reason("no_limit", holds=False, detail={"limit": rule.limits[0].name}),)
        return "void", [about, *law, Reason("not_counted", holds=False, facts=(own.fact_id,))]
    fullest = min(windows, key=lambda one: (-one.people, one.key))
    reasons = [about, *_window(rule, fullest, facts)]
    return ("standing" if fullest.people >= rule.count.at_least else "void"), reasons


def _window(rule: CountRule, fullest: Node, facts: Facts) -> Iterator[Reason]:
    counted = sorted(fullest.window, key=lambda one: one.order)
    needed = rule.count.at_least
    detail = {
        "people": str(fullest.people),
        "needed": str(needed),
        "first": str(facts[counted[0].held.fact_id].data["occurred"]),
        "last": str(facts[counted[-1].held.fact_id].data["occurred"]),
    }
    yield Reason("window", fullest.people >= needed, detail, (fullest.held.fact_id,))
    for one in counted[:MOST]:
        yield Reason("counted", holds=True, detail=_named(facts[one.held.fact_id]), facts=one.held.reports)
    if len(counted) > MOST:
        yield Reason("more", None, {"number": str(len(counted) - MOST)})
    if fullest.people < needed:
        yield Reason("missing", holds=False, detail=_missing(rule, fullest, [one.held for one in counted]))


def _missing(rule: CountRule, fullest: Node, counted: Sequence[Contribution]) -> dict[str, str]:
    """Return the number of people that are missing, and the instant by which an event of one more would count."""
    within = rule.within_of(fullest.held) or timedelta(0)
    starts = [one.occurred.earliest if rule.certainty == "certain" else one.occurred.latest for one in counted]
    start = min((at for at in starts if at is not None), default=None)
    until = "" if start is None else format_instant(later(start, within))
    return {"number": str(rule.count.at_least - fullest.people), "until": until, "types": ", ".join(sorted(rule.on))}


def pair_reasons(
    rule: OfRule, finding: PairFinding | None, relations: Sequence[Relation], subject: Side, others: Mapping[str, Side]
) -> Answer:
    """
    Return the answer for one anchor of a rule about a related person.

    Args:
        rule: the rule.
        finding: the finding of the anchor; None: it names nobody, or its limit has no value.
        relations: those of other people to the subject.
        subject: the subject.
        others: the other people, by subject_id.
    """
    if finding is None:
        if rule.is_by:
            return "void", [Reason("names_nobody", holds=False)]
        return "void", [Reason("no_limit", holds=False, detail={"limit": limit.name}) for limit in rule.limits]
    reasons = [*_others(rule, finding, relations, subject, others)]
    if not any(reason.holds for reason in reasons if reason.what in {"relation", "named"}):
        reasons.append(Reason("no_relation", holds=False, detail={"wanted": ", ".join(sorted(rule.of))}))
    elif finding.value == "void":
        reasons.append(Reason("none_completes", holds=False))
    if finding.value == "ended" and is_cleared(subject, finding.anchor):
        reasons.append(Reason("cleared", holds=False))
    return finding.value, reasons


def _others(
    rule: OfRule, finding: PairFinding, relations: Sequence[Relation], subject: Side, others: Mapping[str, Side]
) -> Iterator[Reason]:
    """Yield each relation, and below the first that counts of a person the follow-ups of this person."""
    if rule.is_by and finding.anchor.by is not None:
        yield Reason("named", holds=True, detail={"subject": finding.anchor.by})
        yield from _follow_ups(rule, finding, subject, finding.anchor.by, others)
        return
    shown = set()
    for relation in relations[:MOST]:
        counts = relation.relation in rule.of
        detail = {"subject": relation.other, "relation": relation.relation}
        yield Reason("relation", counts, detail, relation.facts)
        if counts and relation.other not in shown:
            shown.add(relation.other)
            yield from _follow_ups(rule, finding, subject, relation.other, others)
    if len(relations) > MOST:
        yield Reason("more", None, {"number": str(len(relations) - MOST)})


def _follow_ups(
    rule: OfRule, finding: PairFinding, subject: Side, other_id: str, others: Mapping[str, Side]
) -> Iterator[Reason]:
    other = others.get(other_id)
    follows = [one for one in other.contributions if one.role == "follow"] if other is not None else []
    if other is None or not follows:
        yield Reason("no_follow_up", None, {"subject": other_id, "types": ", ".join(sorted(rule.then))})
        return
    completing = {one.held.fact_id for one in finding.completing}
    lasting = {one.held.fact_id for one in finding.lasting}
    anchor = subject.facts[finding.anchor.fact_id]
    for one in follows[:MOST]:
        follow = other.facts[one.fact_id]
        if one.fact_id in completing:
            effect = "completes" if one.fact_id in lasting else "ended"
        else:
            effect = _why_not(rule, finding, subject, anchor, follow)
        detail = {**_named(follow), "effect": effect}
        yield Reason("pair_follow_up", effect == "completes", detail, one.reports)
    if len(follows) > MOST:
        yield Reason("more", None, {"number": str(len(follows) - MOST)})
    if any(is_cleared(other, one) for one in follows if one.fact_id in completing):
        yield Reason("other_cleared", holds=False, detail={"subject": other_id})


def _why_not(rule: OfRule, finding: PairFinding, subject: Side, anchor: Fact, follow: Fact) -> str:
    """Return the reason for which a fact does not complete the pattern: its order, its time, or the conditions."""
    in_order = certainly_before(anchor.occurred, follow.occurred)
    if not possibly_before(anchor.occurred, follow.occurred):
        return "before"
    if rule.certainty == "certain" and not in_order:
        return "undecided"
    reports = [subject.facts[report] for report in finding.anchor.reports]
    return "conditions" if rule.in_time(anchor, follow, rule.within_of(anchor, reports)) else "late"


def _named(fact: Fact) -> dict[str, str]:
    return {"subject": fact.subject, "type": fact.type, "occurred": str(fact.data["occurred"])}
