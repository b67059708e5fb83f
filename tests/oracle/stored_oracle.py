"""
An oracle for the stored alerts across people: at each instant everything is computed again from all facts so far.

It shares no code with `projections.correlator` and, of `projections.across`, the contributions only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid5

from events.edtf import END_OF_TIME, certainly_before
from events.facts import Fact
from projections.across.contribution import Contribution, contributions_of
from projections.alerts.alert import NAMESPACE
from projections.history.history import History
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.rulebook import Rulebook
from projections.subjects.fold import Fold, Step
from tests.oracle.across_oracle import Counted, Link, episodes, follows, related

STANDING = {"open", "acknowledged"}
ABOUT = {"Corrected", "Retracted"}
RELATING = ("RelationAsserted", "RelationWithdrawn")

LifeStep = tuple[str, datetime, str, str | None]
"""A state, its instant, its cause and its fact."""


@dataclass
class Told:
    """An alert, as a reader sees it."""

    rule: str
    owner: str
    first_anchor: str
    anchor: str
    opened_at: datetime
    evidence: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    reached: int | None = None
    life: list[LifeStep] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The latest state."""
        return self.life[-1][0]


class Known(NamedTuple):
    """Everything known at one instant: it, the facts it brought, each person's state and those of the step before."""

    at: datetime
    arrived: list[Fact]
    steps: dict[str, Step]
    before: dict[str, Step]


def stored_alerts(facts: Sequence[Fact], rules: Rulebook, until: datetime) -> dict[str, Told]:
    """Return the alerts across people that *facts* lead to in steps before *until*, by id."""
    alerts: dict[str, Told] = {}
    anchors = frozenset().union(*(rule.on for rule in rules.across))
    before: dict[str, Step] = {}
    recorded = sorted({fact.recorded for fact in facts})
    at = recorded[0] if recorded else until
    while at < until:
        so_far = [fact for fact in facts if fact.recorded <= at]
        steps = {one: _state(so_far, one, at, anchors) for one in sorted({fact.subject for fact in so_far})}
        known = Known(at, [fact for fact in facts if fact.recorded == at], steps, before)
        for rule in rules.across:
            if isinstance(rule, CountRule):
                _count(rule, known, alerts)
            elif isinstance(rule, OfRule):
                for subject in steps:
                    _pairs(rule, subject, known, alerts)
        dues = [step.due for step in steps.values() if step.due is not None]
        before, at = steps, min([until, *(one for one in (*recorded, *dues) if one > at)])
    return alerts


def _state(facts: Iterable[Fact], subject: str, at: datetime, anchors: frozenset[str]) -> Step:
    fold = Fold(History([fact for fact in facts if fact.subject == subject], at), anchors)
    return Step(fold.history, fold.status, fold.history.next_due, moved=True, everywhere=True)


def _count(rule: CountRule, known: Known, alerts: dict[str, Told]) -> None:
    now, old = (_groups(rule, steps) for steps in (known.steps, known.before))
    keys = {*now, *(alert.owner for alert in alerts.values() if alert.rule == rule.id)}
    for key in sorted(keys):
        about = {one.subject_id for one, _ in now.get(key, set()) ^ old.get(key, set())}
        _group(rule, key, [one for one, _ in now.get(key, ())], about, known, alerts)


def _groups(rule: CountRule, steps: dict[str, Step]) -> dict[str, set[tuple[Contribution, bool]]]:
    groups: dict[str, set[tuple[Contribution, bool]]] = {}
    for step in steps.values():
        for one in contributions_of(rule, step):
            groups.setdefault(one.group, set()).add((one, _is_cleared_of(step, one)))
    return groups


def _is_cleared_of(step: Step, one: Contribution) -> bool:
    clearing = step.status.clearing()
    return clearing is not None and not certainly_before(clearing.occurred, one.occurred)


def _group(  # noqa: PLR0913, PLR0917 - a group and everything that is known
    rule: CountRule, key: str, held: list[Contribution], about: set[str], known: Known, alerts: dict[str, Told]
) -> None:
    of = {one.fact_id: one for one in held}
    number, length = rule.count.at_least, rule.count.within
    assert isinstance(length, timedelta), "the rules of these tests have no limits"
    found = sorted(
        episodes(held, number, {one.fact_id: length for one in held}, certain=rule.certainty == "certain"),
        key=lambda one: (of[one.anchor].occurred.latest or END_OF_TIME, one.anchor),
    )
    home = {report: one for one in found for fact_id in one.evidence for report in of[fact_id].reports}
    owned: dict[str, list[str]] = {}
    for alert_id, alert in alerts.items():
        if (alert.rule, alert.owner) != (rule.id, key):
            continue
        more = alert.evidence if alert.state in STANDING else []
        belongs = next((home[name] for name in (alert.first_anchor, alert.anchor, *more) if name in home), None)
        if belongs is not None:
            owned.setdefault(belongs.anchor, []).append(alert_id)
        elif alert.state in STANDING:
            alert.life.append(_end("retracted", known, about, alert.evidence))
    for episode in found:
        own = owned.get(episode.anchor, [])
        own.sort(key=lambda one: (alerts[one].state not in STANDING, alerts[one].opened_at, one))
        _episode(rule, key, episode, own, of, about, known, alerts)


def _episode(  # noqa: PLR0913, PLR0917 - as for `_group`
    rule: CountRule,
    key: str,
    episode: Counted,
    own: list[str],
    of: dict[str, Contribution],
    about: set[str],
    known: Known,
    alerts: dict[str, Told],
) -> None:
    merged = [alerts[one] for one in own[1:] if alerts[one].state in STANDING]
    for other in merged:
        fact = _fact(known, about, other.evidence)
        other.life.append(("superseded", known.at, "same_event", fact.id if fact else None))
    alert_id = own[0] if own else str(uuid5(NAMESPACE, f"{rule.id} {episode.anchor}"))
    if not own and alert_id in alerts:
        alert_id = str(uuid5(NAMESPACE, f"{rule.id} {episode.anchor} {key}"))
    alert = alerts.setdefault(alert_id, Told(rule.id, key, episode.anchor, episode.anchor, known.at))
    rows = [
        (of[name].occurred.latest or END_OF_TIME, report) for name in episode.evidence for report in of[name].reports
    ]
    evidence = [report for _, report in sorted(rows)]
    grown = not set(evidence) <= set(alert.evidence)
    reached = max([0, *(one.reached or 1 for one in ([alert, *merged] if own else []))])
    now = episode.people // rule.count.at_least
    cause = _opening(known, about, evidence, episode.last)
    if not alert.life or alert.state not in STANDING or now > reached:
        alert.life.append(("open", known.at, *cause))
    elif grown:
        alert.life.append((alert.state, known.at, *cause))
    alert.anchor, alert.evidence, alert.reached = episode.anchor, evidence, max(now, reached)
    alert.people = sorted({of[name].subject_id for name in episode.evidence})


def _pairs(  # noqa: C901 - the whole life of the alerts of one person, in its order
    rule: OfRule, subject: str, known: Known, alerts: dict[str, Told]
) -> None:
    step = known.steps[subject]
    about = {subject, *_linked(subject, known.steps), *_linked(subject, known.before)}
    findings = {one.fact_id: _completing(rule, one, known.steps) for one in contributions_of(rule, step)
                if one.role == "anchor"}  # fmt: skip
    own = {alert_id: one for alert_id, one in alerts.items() if (one.rule, one.owner) == (rule.id, subject)}
    evidence = {name for one in own.values() for name in one.evidence} | {
        name for completing, _ in findings.values() for name in completing
    }
    owned: dict[str, list[str]] = {}
    for alert_id, alert in sorted(own.items(), key=lambda item: (item[1].opened_at, item[0])):
        counting = step.history.counting
        names = [
            name for name in (alert.first_anchor, alert.anchor) if name in counting and counting[name].type in rule.on
        ]
        if names:
            owned.setdefault(step.history.stands_for.get(names[0], names[0]), []).append(alert_id)
        elif alert.state in {*STANDING, "resolved"}:
            alert.life.append(_end("retracted", known, about, evidence))
    for event, (first, *others) in owned.items():
        alerts[first].anchor = event
        for other in others:
            if alerts[other].state in {*STANDING, "resolved"}:
                fact = _fact(known, about, evidence)
                alerts[other].life.append(("superseded", known.at, "same_event", fact.id if fact else None))
    for event in [*findings, *(one for one in owned if one not in findings)]:
        names, last = findings.get(event, ([], None))
        old = alerts[owned[event][0]] if event in owned else None
        if last is not None:
            alert_id = owned[event][0] if old else str(uuid5(NAMESPACE, f"{rule.id} {event}"))
            alert = alerts.setdefault(alert_id, Told(rule.id, subject, event, event, known.at))
            if not alert.life or alert.state not in STANDING:
                alert.life.append(("open", known.at, *_opening(known, about, names, last)))
            alert.evidence = names
            alert.people = sorted({fact.subject for one in known.steps.values() for fact in one.history.facts.values()
                                   if fact.id in names})  # fmt: skip
        elif old is not None:
            state, before = ("resolved", {*STANDING, "retracted"}) if names else ("retracted", {*STANDING, "resolved"})
            if old.state in before:
                old.life.append(_end(state, known, about, evidence))


def _completing(rule: OfRule, anchor: Contribution, steps: dict[str, Step]) -> tuple[list[str], str | None]:
    """Return the evidence of a pattern, empty without a follow-up, and the first follow-up that has not ended."""
    assert isinstance(rule.within, timedelta), "the rules of these tests have no limits"
    links = {one: _links(step) for one, step in steps.items()}
    told = []
    for other, step in steps.items():
        if other == anchor.subject_id:
            continue
        words = related(anchor.subject_id, other, ([link for link, _ in own] for own in links.values()), rule.of)
        parts = contributions_of(rule, step)
        for one in parts if words else ():
            if one.role != "follow" or not follows(
                anchor.occurred, one.occurred, rule.within, certain=rule.certainty == "certain"
            ):
                continue
            over = any(end.role == "over" and certainly_before(one.occurred, end.occurred) for end in parts)
            cleared = _is_cleared_of(steps[anchor.subject_id], anchor) or _is_cleared_of(step, one)
            span = one.occurred
            place = (span.latest or END_OF_TIME, span.earliest, one.fact_id)
            told.append((place, one, _stating(anchor.subject_id, other, links), over or cleared))
    told.sort(key=lambda item: item[0])
    names = [*anchor.reports, *(name for _, one, facts, _ in told for name in (*facts, *one.reports))]
    lasting = next((one.fact_id for _, one, _, over in told if not over), None)
    return (list(dict.fromkeys(names)) if told else []), lasting


def _links(step: Step) -> list[tuple[Link, str]]:
    history = step.history
    dated = [fact for kind in RELATING for fact in history.by_type.get(kind, ())]
    return [
        (Link(one.subject, one.data["other"], one.data["relation"], one.type == RELATING[0]), one.id)
        for one in sorted(dated, key=history.place)
    ]


def _stating(subject: str, other: str, links: dict[str, list[tuple[Link, str]]]) -> list[str]:
    """Return the facts that state the one relation of the stories, siblings: that of the subject first."""
    names = []
    for one, to in ((subject, other), (other, subject)):
        said = [(link.asserted, name) for link, name in links[one] if link.other == to]
        names += [name for asserted, name in said[-1:] if asserted]
    return names


def _linked(subject: str, steps: dict[str, Step]) -> set[str]:
    links = [link for step in steps.values() for link, _ in _links(step)]
    return {other for one in links for other in (one.about, one.other) if subject in {one.about, one.other}}


def _fact(known: Known, about: set[str], evidence: Iterable[str]) -> Fact | None:
    """Return the fact that a step is put down to: a correction first, then evidence, and of equals the last."""
    own = [fact for fact in known.arrived if fact.subject in about]
    taking = {*ABOUT, "RelationWithdrawn"}
    return max(own, key=lambda one: (one.type in taking, one.id in set(evidence), one.order), default=None)


def _end(state: str, known: Known, about: set[str], evidence: Iterable[str]) -> LifeStep:
    fact = _fact(known, about, evidence)
    if fact is not None and fact.type in ABOUT:
        cause = fact.type.lower()
    elif fact is not None and fact.type == "RelationWithdrawn" and state == "retracted":
        cause = "retracted"
    else:
        cause = "world_changed" if state == "resolved" else "late_knowledge"
    return (state, known.at, cause, fact.id if fact else None)


def _opening(known: Known, about: set[str], evidence: list[str], last: str) -> tuple[str, str | None]:
    fact = _fact(known, about, evidence)
    if fact is None:
        return ("followed", last)
    if fact.type in ABOUT:
        return (fact.type.lower(), fact.id)
    return ("followed" if fact.id in evidence else "world_changed", fact.id)


def seen(rows: Iterable[dict[str, Any]]) -> dict[str, Told]:
    """Return stored alerts, the rows of `House.alerts`, in the form of the oracle."""
    return {
        row["alert_id"]: Told(
            row["rule"],
            row["subject_id"] or row["group_key"],
            row["first_anchor"],
            row["anchor"],
            row["opened_at"],
            row["evidence"],
            row["people"],
            row["reached"],
            [(state, at, cause, fact_id) for state, at, cause, fact_id, _ in row["life"]],
        )
        for row in rows
    }
