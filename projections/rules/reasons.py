"""
The reasons of a rule: for each anchor of one person, condition by condition, why it finds something or stays silent.

No condition is judged a second time here, since two judgements could differ. Each is put to the engine alone: a probe
is a rule with only that condition, and the effect of a follow-up is the finding of a history without the others.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from pydantic import ValidationError

from events.edtf import END_OF_TIME, certainly_before, format_instant, possibly_before
from events.facts import Fact
from events.vocabulary import TRACKS
from projections.history.ahead import NEVER_DUE
from projections.history.history import History
from projections.history.lookup import events_of, reports_of
from projections.subjects.fold import Fold, Step

from .behind import facts_behind
from .findings import Findings
from .patterns.absence import AbsenceRule
from .patterns.lasting import LastingRule
from .patterns.pattern import Finding, Rule, Value, Visible
from .rulebook import Rulebook

MOST: Final = 100
"""The most follow-ups of one anchor that are looked at one by one."""


class Reason(NamedTuple):
    """
    One condition, or one fact, and its part in the answer.

    Attributes:
        what: its kind, such as `jurisdiction`, `unless`, `deadline` or `follow_up`.
        holds: whether it speaks for the pattern; None: it decides nothing, or is not decided.
        detail: the words and dates of it, by name.
        facts: the ids of the facts on which it rests.
    """

    what: str
    holds: bool | None
    detail: Mapping[str, str] = MappingProxyType({})
    facts: tuple[str, ...] = ()


class AnchorReasons(NamedTuple):
    """
    The answer of a rule for one anchor, with its reasons.

    Attributes:
        anchor: the best report of the event.
        reports: the ids of all its reports.
        value: the value that an alert may state at the clock.
        due: the next instant at which time alone changes it; None: never.
        reasons: in the order in which the engine asks.
    """

    anchor: Fact
    reports: tuple[str, ...]
    value: Value
    due: datetime | None
    reasons: tuple[Reason, ...]


def reasons(rule: Rule, step: Step, clock: datetime) -> list[AnchorReasons]:
    """
    Return the reasons for each anchor, in world order.

    Args:
        rule: the rule.
        step: the state of a fold with the anchors of *rule*, whose facts count up to *clock*.
        clock: the instant of the log's clock.
    """
    probe = _Probe(rule, step)
    every = sorted(_visible(rule, step, clock), key=lambda seen: step.history.place(seen.finding.anchor))
    return [
        AnchorReasons(
            seen.finding.anchor,
            tuple(report.id for report in reports_of(step.history, seen.finding.anchor)),
            seen.value,
            seen.due,
            tuple(_reasons_of(rule, seen, step, clock, probe)),
        )
        for seen in every
    ]


def not_anchors(rule: Rule, history: History) -> list[Reason]:
    """Return the facts of the types from which *rule* starts that do not count: undated, or not yet."""
    undated = [Reason("undated_anchor", holds=False, detail=_named(fact), facts=(fact.id,)) for fact in history.undated]
    ahead = [_ahead(fact) for fact in history.announced]
    types = {fact.id: fact.type for fact in (*history.undated, *history.announced)}
    return [reason for reason in (*undated, *ahead) if types[reason.facts[0]] in rule.on]


def _visible(rule: Rule, step: Step, clock: datetime) -> list[Visible]:
    answers = Findings(Rulebook((rule,))).at(clock, step)
    if answers:
        return answers[0].visible
    # A rule across people is not asked about one person. Of it, only the conditions at the anchor are known here.
    return rule.look(None, step, clock)[1]


def _reasons_of(rule: Rule, seen: Visible, step: Step, clock: datetime, probe: "_Probe") -> list[Reason]:
    conditions = list(_conditions(rule, seen.finding.anchor, step, probe))
    # Of a rule across people, the other people decide the rest (projections/across/explained.py).
    if rule.across or any(reason.holds is False for reason in conditions):
        return conditions
    found = [*conditions, *_pattern(rule, seen, step, clock)]
    if seen.value == "void" and not any(reason.holds is False for reason in found):
        found.append(Reason("other" if seen.finding.deadline else "none_completes", holds=False))
    if seen.value == "standing" and not seen.finding.completing:
        found.append(Reason("none_prevents", holds=True))
    return found


def _pattern(rule: Rule, seen: Visible, step: Step, clock: datetime) -> Iterator[Reason]:
    """Yield the reasons of an anchor that no condition exempts: its time, and the facts around it."""
    finding, history = seen.finding, step.history
    if limit := rule.limit_without_value(finding.anchor, history):
        yield Reason("no_limit", holds=False, detail={"limit": limit.name})
        return
    if finding.deadline is not None:
        opens = finding.opens or finding.deadline
        detail = {"deadline": format_instant(finding.deadline), "opens": format_instant(opens)}
        yield Reason("deadline", opens <= clock, detail)
    elif getattr(rule, "start", None) is not None and finding.value == "void":
        yield Reason("no_until", holds=False)
    elif isinstance(rule, LastingRule):
        yield Reason("not_begun", holds=False)
    yield from _follow_ups(rule, finding, history)
    if isinstance(rule, AbsenceRule) and rule.still is not None and finding.deadline is not None:
        lasts = rule.lasts(finding, history)
        wanted = _listed(rule.normal()["still"])
        yield Reason("still", lasts, {"wanted": wanted, "has": "yes" if lasts else "no"})
    yield from _undated(rule, finding, history)
    yield from (_ahead(fact) for fact in history.announced if fact.type in rule.extended_by)
    if finding.value == "standing" and seen.value == "ended" and step.status.is_cleared():
        yield Reason("cleared", holds=False)
    if rule.once and seen.value == "void" and finding.value == "standing":
        own = rule.visible_at(finding, history, clock).value
        if own == "standing":
            yield Reason("once", holds=False, detail={"once": rule.once})


class _Probe:
    """The conditions of a rule at its anchors, each put to the engine alone."""

    def __init__(self, rule: Rule, step: Step) -> None:
        self._on, self._step = rule.on, step
        # A fact without a year is in no list by type, and prevents a silence too.
        present = {*rule.on, *(fact.type for fact in step.history.facts.values())}
        kinds = (kind for track, kinds in TRACKS.items() if track != "meta" for kind in kinds)
        # With a type that nobody has, and no time to wait, only the condition decides.
        self._absent = next((kind for kind in kinds if kind not in present), None)
        self._passing: dict[str, frozenset[str] | None] = {}

    def passes(self, anchor: Fact, condition: Mapping[str, object]) -> bool | None:
        """Return whether *anchor* passes one condition of a rule, as its normal form has it; None: not known."""
        key = repr(condition)
        if key not in self._passing:
            self._passing[key] = self._asked(condition)
        passing = self._passing[key]
        return None if passing is None else anchor.id in passing

    def _asked(self, condition: Mapping[str, object]) -> frozenset[str] | None:
        """Return the ids of all anchors that pass."""
        if self._absent is None:
            return None
        shape: dict[str, object] = {"id": "probe", "title": "probe", "explain": "probe", "on": sorted(self._on)}
        with suppress(ValidationError):
            rule = AbsenceRule.model_validate({**shape, "absent": self._absent, "before": 1, **condition})
            visible = rule.look(None, self._step, END_OF_TIME)[1]
            return frozenset(seen.finding.anchor.id for seen in visible if seen.value == "standing")
        return None


def _conditions(rule: Rule, anchor: Fact, step: Step, probe: _Probe) -> Iterator[Reason]:
    """Yield the conditions at the anchor: on its place, on the status, on its own data."""
    normal = rule.normal()
    if rule.jurisdiction:
        detail = {"wanted": ", ".join(sorted(rule.jurisdiction)), "found": _jurisdictions(anchor, step.history)}
        yield Reason("jurisdiction", probe.passes(anchor, {"jurisdiction": normal["jurisdiction"]}), detail)
    for key, wanted_answer in (("when", True), ("unless", False)):
        for name, wanted in normal.get(key, {}).items():
            # `unless` passes if the status has none of the words, `when` if it has one.
            words = wanted if isinstance(wanted, list) else []
            found = [word for word in words if probe.passes(anchor, {key: {name: [word]}}) is wanted_answer]
            holds = probe.passes(anchor, {key: {name: wanted}})
            facts = facts_behind(step, anchor, name, found) if holds is wanted_answer else []
            has = "" if holds is None else "yes" if holds is wanted_answer else "no"
            detail = {"condition": name, "wanted": _listed(wanted), "found": ", ".join(found), "has": has}
            yield Reason(key, holds, detail, tuple(fact.id for fact in facts))
    own = rule.where.about("anchor") if rule.where is not None else None
    if own is not None:
        plain = own.plain()
        for path, wanted in plain.items():
            beside = f"{path.removesuffix('amount')}currency" if path.endswith("amount") else ""
            alone = {path: wanted} | ({beside: plain[beside]} if beside in plain else {})
            yield Reason("where", probe.passes(anchor, {"where": alone}), {"path": path, "wanted": _listed(wanted)})
        if len(plain) > 1 and probe.passes(anchor, {"where": plain}) is False:
            yield Reason("together", holds=False)


def _jurisdictions(anchor: Fact, history: History) -> str:
    named = (str(report.data.get("jurisdiction", "")) for report in reports_of(history, anchor))
    return ", ".join(dict.fromkeys(filter(None, named)))


def _listed(wanted: object) -> str:
    match wanted:
        case list():
            return ", ".join(_listed(one) if not isinstance(one, dict) else f"({_listed(one)})" for one in wanted)
        case dict():
            return "; ".join(f"{name} {_listed(value)}" for name, value in wanted.items())
        case bool():
            return str(wanted).lower()
        case _:
            return str(wanted)


def _follow_ups(rule: Rule, finding: Finding, history: History) -> Iterator[Reason]:
    """Yield the events of the types that follow, each with its place and its effect on the answer."""
    anchor = finding.anchor
    events = [event for event in events_of(history, rule.follow) if event is not anchor]
    effects = _Effects(rule, anchor, history, events)
    for event in events[:MOST]:
        accepted = rule.accepts(anchor, event, history) if event.type not in _unconditional(rule) else True
        effect = effects.of(event) if accepted is not False else "none"
        if event.id in {fact.id for fact in finding.completing}:
            effect = "completes"
        elif finding.ended_by is not None and event.id == finding.ended_by.id:
            effect = "ends"
        detail = {
            **_named(event),
            "order": _order(anchor, event),
            "conditions": {True: "yes", False: "no", None: "undecided"}[accepted],
            "effect": effect,
        }
        holds = {"completes": True, "prevents": False, "ends": False}.get(effect)
        yield Reason("follow_up", holds, detail, tuple(report.id for report in reports_of(history, event)))
    if len(events) > MOST:
        yield Reason("more", None, {"number": str(len(events) - MOST)})


def _unconditional(rule: Rule) -> frozenset[str]:
    """Return the types that `where`, `same` and `new` do not concern: a death, and the ends of a sequence."""
    return (rule.follow - getattr(rule, "absent", rule.follow)) | getattr(rule, "over", frozenset())


def _order(anchor: Fact, event: Fact) -> str:
    if certainly_before(anchor.occurred, event.occurred):
        return "after"
    if not possibly_before(anchor.occurred, event.occurred):
        return "before"
    return "undecided"


class _Effects:
    """The effect of each follow-up: the finding with it as the only one, beside the finding without any."""

    def __init__(self, rule: Rule, anchor: Fact, history: History, events: Iterable[Fact]) -> None:
        self._rule, self._anchor, self._history = rule, anchor, history
        self._reports = {event.id: {report.id for report in reports_of(history, event)} for event in events}
        self._every = set[str]().union(*self._reports.values())
        self._none = self._value(self._every)
        self._all = self._value(set())

    def of(self, event: Fact) -> str:
        """Return completes, prevents, ends, changes (the answer of the others) or none; empty: not known."""
        if self._none is None:
            return ""
        alone = self._value(self._every - self._reports[event.id])
        effect = {("void", "standing"): "completes", ("standing", "void"): "prevents", ("standing", "ended"): "ends"}
        if alone is not None and (self._none, alone) in effect and (alone == "standing" or self._all != "standing"):
            return effect[self._none, alone]
        others = self._value(self._reports[event.id])
        if (others, self._all) == ("standing", "void"):
            return "prevents"
        return "none" if others == self._all else "changes"

    def _value(self, without: set[str]) -> Value | None:
        """Return the value of the finding in the history without some facts; None: the pattern has no such answer."""
        # A fact that does not count yet must not count here either, and the clock must not hide one that does.
        left_out = without | {fact.id for fact in self._history.announced}
        history = History([fact for fact in self._history.facts.values() if fact.id not in left_out], END_OF_TIME)
        anchor = history.counting.get(self._anchor.id)
        if anchor is None:
            return None
        return self._rule.find_in(anchor, Fold(history, self._rule.on).restart(self._rule.on)).value


def _undated(rule: Rule, finding: Finding, history: History) -> Iterator[Reason]:
    """Yield the facts without a year that the rule reads, each with its effect if it were the only one."""
    stands = finding._replace(value="standing")
    for fact in history.undated:
        if fact.type in rule.extended_by:
            others = {other.id for other in history.undated if other is not fact}
            alone = History([one for one in history.facts.values() if one.id not in others], END_OF_TIME)
            prevents = finding.opens is not None and rule.visible_at(stands, alone, END_OF_TIME).value == "void"
            yield Reason("undated", holds=False if prevents else None, detail=_named(fact), facts=(fact.id,))


def _ahead(fact: Fact) -> Reason:
    due = fact.occurred.latest
    counts = format_instant(due) if due is not None and fact.type not in NEVER_DUE else ""
    return Reason("announced", None, {**_named(fact), "counts": counts}, (fact.id,))


def _named(fact: Fact) -> dict[str, str]:
    return {"type": fact.type, "occurred": str(fact.data["occurred"])}
