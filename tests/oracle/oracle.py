"""
A second computation of alerts: a literal reading of docs/design.md, 4, as plain and as slow as possible.

Every finding is computed from the whole set of facts, at every instant that could matter. Only the alerts are kept from
one instant to the next. Nothing of `projections` is used. Events and statuses come from the other oracle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from events.facts import Fact
from tests.oracle.model_oracle import Life as Person
from tests.oracle.model_time import LAST, Event, in_force, later, possibly_before, slack, world

NAMESPACE = UUID("b8f7a8a4-6d0e-5c3b-9a55-0f3c6f1f7d21")
"""The namespace of the ids of alerts, which never changes."""


class Silence(NamedTuple):
    """``absent ... for``, with the exceptions of the packaged rule."""

    id: str
    on: frozenset[str]
    absent: frozenset[str]
    wait: timedelta
    settle: timedelta
    service: frozenset[str]
    custody: frozenset[str]
    stage: frozenset[str]

    @property
    def follow(self) -> frozenset[str]:
        """Return the types of its follow-ups; death is one of them, unless the rule starts from it."""
        return self.absent | ({"Died"} - self.on)


class Following(NamedTuple):
    """``then ... within``, with the exceptions of the packaged rule."""

    id: str
    on: frozenset[str]
    then: frozenset[str]
    within: timedelta
    certain: bool
    service: frozenset[str]
    custody: frozenset[str]
    stage: frozenset[str]


Rule = Silence | Following
Life = list[tuple[str, datetime]]


@dataclass
class ExpectedAlert:
    """An alert: its first anchor, its latest anchor, and the changes of its state."""

    rule: str
    first: str
    anchor: str
    life: Life = field(default_factory=list)

    @property
    def id(self) -> str:
        """Return the UUIDv5 of the rule and the first anchor."""
        return str(uuid5(NAMESPACE, f"{self.rule} {self.first}"))

    @property
    def state(self) -> str:
        """Return the latest state."""
        return self.life[-1][0] if self.life else ""

    @property
    def opened(self) -> datetime:
        """Return the instant at which it first opened."""
        return self.life[0][1]


@dataclass
class WatchedPerson(Person):
    """A person with the status before each event of the types *on*."""

    on: frozenset[str] = frozenset()
    before: dict[str, dict[str, Any]] = field(default_factory=dict)

    def _apply(self, event: Event, keys: set[str | None] | None = None) -> None:
        if event.type in self.on:
            self.before.setdefault(event.id, self.row("anybody"))
        super()._apply(event, keys)


def read(rule: Rule, events: Sequence[Event]) -> WatchedPerson:
    """Return the person of *events*, with the status before each anchor of *rule*."""
    person = WatchedPerson(set(), on=rule.on)
    for _, group in groupby(events, key=lambda event: event.pos[0][:2]):
        person.read(list(group))
    return person


def is_exempt(rule: Rule, before: dict[str, Any]) -> bool:
    """Return whether an `unless` of *rule* holds in the status *before* the anchor."""
    words = {name: (before[name] or {}).get("status") for name in ("service", "custody", "stage")}
    return words["service"] in rule.service or words["custody"] in rule.custody or words["stage"] in rule.stage


def certainly_before(anchor: Event, follow: Event) -> bool:
    """
    Return whether *anchor* certainly ended before *follow* began.

    Both must be unmarked. Between a day and a date-time, 14 hours are to spare.
    """
    a, b = anchor.span, follow.span
    if a.marked or b.marked or a.latest is None or b.earliest is None:
        return False
    return later(a.latest, slack(a.latest_exact, b.earliest_exact)) <= b.earliest


def completes(rule: Following, anchor: Event, follow: Event) -> bool:
    """Return whether *follow* completes the pattern of *rule* from *anchor* on."""
    a, b = anchor.span, follow.span
    if follow.type not in rule.then or follow.id == anchor.id:
        return False
    if rule.certain:
        if a.earliest is None or b.latest is None:
            return False
        length = b.latest - a.earliest + slack(a.earliest_exact, b.latest_exact)
        return length <= rule.within and certainly_before(anchor, follow)
    if a.latest is not None and b.earliest is not None:
        length = b.earliest - a.latest - slack(a.latest_exact, b.earliest_exact)
        return length < rule.within and possibly_before(a, b)
    return possibly_before(a, b)


def silence(rule: Silence, anchor: Event, events: Sequence[Event], facts: Sequence[Fact], at: datetime) -> str:
    """Return the value of the silence after *anchor* at *at*: void, ended or standing."""
    deadline = later(anchor.span.latest or LAST, rule.wait)
    undated = [fact for fact in in_force(facts)[0] if not fact.span.dated and fact.type in rule.follow]
    if undated or at < later(deadline, rule.settle):
        return "void"
    follows = [
        event
        for event in events
        if event.type in rule.follow and event.id != anchor.id and possibly_before(anchor.span, event.span)
    ]
    for event in follows:
        spare = slack(anchor.span.latest_exact, event.span.earliest_exact)
        if event.span.earliest is None or event.span.earliest < later(deadline, spare):
            return "void"
    return "ended" if follows else "standing"


def values(rule: Rule, events: Sequence[Event], facts: Sequence[Fact], at: datetime) -> dict[str, str]:
    """Return the value of *rule* at *at* for each anchor, by the id of its best report: void, ended or standing."""
    person = read(rule, events)
    result = {}
    for anchor in events:
        if anchor.type not in rule.on:
            continue
        if is_exempt(rule, person.before[anchor.id]):
            result[anchor.id] = "void"
        elif isinstance(rule, Silence):
            result[anchor.id] = silence(rule, anchor, events, facts, at)
        elif not any(completes(rule, anchor, event) for event in events):
            result[anchor.id] = "void"
        else:
            cleared = person.row("anybody")["presumption"] == "cleared"
            result[anchor.id] = "ended" if cleared else "standing"
    return result


def lives(rule: Rule, ledger: Sequence[Fact], until: datetime) -> list[ExpectedAlert]:
    """
    Return the alerts of *rule* about one person, each with its life.

    Args:
        rule: the pattern.
        ledger: the person's facts in the order in which they were recorded.
        until: the watermark at the end.
    """
    alerts: list[ExpectedAlert] = []
    facts: list[Fact] = []
    for at in sorted({fact.recorded for fact in ledger} | _instants(rule, ledger)):
        for fact in ledger:
            if fact.recorded == at <= until:
                facts.append(fact)
                _step(rule, facts, at, alerts, still_coming=True)
        # Strictly past the instant, so that every record with this stamp is in.
        if at < until:
            _step(rule, facts, at, alerts, still_coming=False)
    return alerts


def _instants(rule: Rule, ledger: Sequence[Fact]) -> set[datetime]:
    """Return every instant at which time alone could change a value, with any number of the facts known."""
    versions = [fact for n in range(len(ledger)) for fact in in_force(ledger[: n + 1])[0]]
    ends = {fact.span.latest for fact in versions if fact.span.latest is not None}
    return ends | ({later(end, rule.wait + rule.settle) for end in ends} if isinstance(rule, Silence) else set())


def _step(rule: Rule, facts: Sequence[Fact], at: datetime, alerts: list[ExpectedAlert], *, still_coming: bool) -> None:
    events, _ = world(facts, at, None)
    current = _of_events(rule, events, at, alerts)
    for anchor, value in values(rule, events, facts, at).items():
        alert = current.get(anchor)
        state = alert.state if alert else ""
        if value == "standing" and state != "open":
            if isinstance(rule, Silence) and still_coming:
                continue
            if alert is None:
                alert = ExpectedAlert(rule.id, anchor, anchor)
                alerts.append(alert)
            alert.life.append(("open", at))
        elif alert and value == "ended" and state in {"open", "retracted"}:
            alert.life.append(("resolved", at))
        elif alert and value == "void" and state in {"open", "resolved"}:
            alert.life.append(("retracted", at))


def _of_events(
    rule: Rule, events: Sequence[Event], at: datetime, alerts: Sequence[ExpectedAlert]
) -> dict[str, ExpectedAlert]:
    """Return the alert of each event: the first one continues, and the others of the event are superseded."""
    event_of = {report: event.id for event in events if event.type in rule.on for report in event.reports}
    owned: dict[str, list[ExpectedAlert]] = {}
    for alert in alerts:
        event = event_of.get(alert.first) or event_of.get(alert.anchor)
        if event is not None:
            owned.setdefault(event, []).append(alert)
        elif alert.state in {"open", "resolved"}:
            alert.life.append(("retracted", at))
    current = {}
    for event, several in owned.items():
        first, *others = sorted(several, key=lambda alert: (alert.opened, alert.id))
        current[event], first.anchor = first, event
        for other in others:
            if other.state in {"open", "resolved"}:
                other.life.append(("superseded", at))
    return current
