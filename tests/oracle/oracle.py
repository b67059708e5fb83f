"""
A second computation of alerts: a literal reading of docs/design.md, 4, as plain and as slow as possible.

Every finding is computed from the whole set of facts, at every instant that could matter. Only the alerts are kept from
one instant to the next. Nothing of `projections` is used. Events and statuses come from the other oracle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid5

from events.edtf import parse
from events.facts import Fact
from tests.oracle.chains import Chain
from tests.oracle.limits import Entry, length_at
from tests.oracle.model_oracle import Life as Person
from tests.oracle.model_time import (
    LAST,
    TRACK,
    Event,
    Statement,
    certainly_before,
    in_force,
    later,
    possibly_before,
    slack,
    world,
)
from tests.oracle.statuses import StatusKeys, first_only, is_cleared_of, is_concerned, lasts, read_in_groups

NAMESPACE = UUID("b8f7a8a4-6d0e-5c3b-9a55-0f3c6f1f7d21")
"""The namespace of the ids of alerts, which never changes."""
Limits = tuple[tuple[str, tuple[Entry, ...]], ...]
"""The durations of a rule that are limits, by name, each with its entries."""


class Silence(NamedTuple):
    """``absent`` with ``for``, ``before`` or both, with the exceptions of the packaged rule."""

    id: str
    on: frozenset[str]
    absent: frozenset[str]
    wait: timedelta | None
    settle: timedelta
    service: frozenset[str]
    custody: frozenset[str]
    stage: frozenset[str]
    before: timedelta | None = None
    from_until: bool = False
    jurisdiction: frozenset[str] = frozenset()
    keys: StatusKeys = StatusKeys()
    limits: Limits = ()
    closings: frozenset[str] = frozenset()
    """The follow-ups that count only if their case is new."""

    @property
    def waits(self) -> bool:
        """Return whether time alone can change an answer."""
        return True

    @property
    def delays(self) -> set[timedelta]:
        """Return the times after an end of a fact at which an answer can change."""
        lengths = {"wait": {self.wait or timedelta(0)}, "settle": {self.settle}}
        for name, entries in self.limits:
            lengths[name] = {entry.longest or entry.value for entry in entries}
        return {wait + settle for wait in {timedelta(0), *lengths["wait"]} for settle in lengths["settle"]}

    @property
    def follow(self) -> frozenset[str]:
        """Return the types of its follow-ups; death is one of them, unless the rule starts from it."""
        return self.absent | ({"Died"} - self.on)

    def counts(
        self, fact: Event | Statement, anchor: Event, events: Sequence[Event], facts: Sequence[Fact]
    ) -> bool | None:
        """Return whether *fact* may be a follow-up: a closing, if no other fact before *anchor* names its case."""
        if fact.type not in self.closings:
            return True
        own = {fact.id, *getattr(fact, "reports", ())}
        counted = {report for event in events for report in event.reports}
        answer: bool | None = True
        for other in in_force(facts)[0]:
            if other.id in own or other.data.get("case_id") != fact.data["case_id"]:
                continue
            if other.id in counted and (other.id in anchor.reports or certainly_before(other, anchor)):
                return False
            if not other.span.dated or (other.id in counted and possibly_before(other.span, anchor.span)):
                answer = None
        return answer


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
    over: frozenset[str] = frozenset()
    jurisdiction: frozenset[str] = frozenset()
    keys: StatusKeys = StatusKeys()
    limits: Limits = ()

    @property
    def waits(self) -> bool:
        """Return whether time alone can change an answer."""
        return False


Rule = Silence | Following
AnyRule = Rule | Chain
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


def keys_of(rule: AnyRule) -> StatusKeys:
    """Return the conditions on statuses of *rule*, those of the packaged exceptions included."""
    packaged = {name: words for name in ("service", "custody", "stage") if (words := getattr(rule, name))}
    keys = rule.keys if not isinstance(rule, Chain) else StatusKeys()
    return keys._replace(unless=packaged | dict(keys.unless))


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


def is_over(rule: Following, follow: Event, events: Sequence[Event]) -> bool:
    """Return whether an event of the types `over` of *rule* is certainly after *follow*."""
    return any(event.type in rule.over and certainly_before(follow, event) for event in events)


def following(rule: Following, anchor: Event, events: Sequence[Event], clearing: Event | None) -> str:
    """Return the value of the sequence from *anchor* on: void, ended or standing."""
    completing = [event for event in events if completes(rule, anchor, event)]
    if not completing:
        return "void"
    over = [is_over(rule, event, events) or is_cleared_of(clearing, (anchor, event)) for event in completing]
    return "ended" if all(over) else "standing"


def reports_of(anchor: Event, facts: Sequence[Fact]) -> list[Statement]:
    """Return the reports of *anchor*, with the data in force."""
    return [fact for fact in in_force(facts)[0] if fact.id in anchor.reports]


def is_elsewhere(rule: AnyRule, anchor: Event, facts: Sequence[Fact]) -> bool:
    """Return whether *rule* has jurisdictions and no report of *anchor* names one of them."""
    named = {fact.data.get("jurisdiction") for fact in reports_of(anchor, facts)}
    return bool(rule.jurisdiction) and not named & rule.jurisdiction


def with_lengths(rule: Rule, anchor: Event, facts: Sequence[Fact]) -> Rule | None:
    """Return *rule* with the lengths that *anchor* selects in the place of limits; None if one has no value there."""
    if not rule.limits:
        return rule
    places = {fact.data["jurisdiction"] for fact in reports_of(anchor, facts) if "jurisdiction" in fact.data}
    for name, entries in rule.limits:
        reading = "longest" if isinstance(rule, Silence) else "shortest" if rule.certain else "possible"
        length = length_at(entries, places, anchor.span, reading)
        if length is None:
            return None
        rule = rule._replace(**{name: length})  # type: ignore[arg-type]
    return rule


def possibly_in_window(before: timedelta, anchor: Event, event: Event) -> bool:
    """
    Return whether *event* possibly lies between *before* ahead of the anchor's earliest instant and its latest one.

    An unknown end is unlimited. Between a day and a date-time, 14 hours are to spare.
    """
    a, b = anchor.span, event.span
    ends_ahead = (
        a.earliest is not None
        and b.latest is not None
        and later(b.latest, slack(a.earliest_exact, b.latest_exact)) <= a.earliest - before
    )
    begins_behind = (
        a.latest is not None
        and b.earliest is not None
        and b.earliest >= later(a.latest, slack(a.latest_exact, b.earliest_exact))
    )
    return not ends_ahead and not begins_behind


def start_of_wait(rule: Silence, anchor: Event, facts: Sequence[Fact]) -> tuple[datetime, bool] | None:
    """
    Return the instant from which `for` counts, and whether it is exact, or None without such an instant.

    It is the latest instant of the anchor, or of the latest `until` that its reports name. An open end never comes.
    """
    if not rule.from_until:
        return anchor.span.latest or LAST, anchor.span.latest_exact
    untils = [parse(fact.data["until"]) for fact in reports_of(anchor, facts) if "until" in fact.data]
    return max(((span.latest or LAST, span.latest_exact) for span in untils), default=None)


def silence(rule: Silence, anchor: Event, events: Sequence[Event], facts: Sequence[Fact], at: datetime) -> str:
    """Return the value of the silence around *anchor* at *at*: void, ended or standing."""
    if rule.before is not None and any(
        event.type in rule.absent and event.id != anchor.id and possibly_in_window(rule.before, anchor, event)
        for event in events
    ):
        return "void"
    if rule.wait is not None:
        return silence_after(rule, rule.wait, anchor, events, facts, at)
    undated = [fact for fact in in_force(facts)[0] if not fact.span.dated and fact.type in rule.absent]
    # The facts themselves, and not their corrections: the event has been known since then.
    recorded = min(fact.recorded for fact in facts if fact.id in anchor.reports)
    return "void" if undated or at < later(recorded, rule.settle) else "standing"


def silence_after(  # noqa: PLR0913, PLR0917 - the parts of a silence
    rule: Silence, wait: timedelta, anchor: Event, events: Sequence[Event], facts: Sequence[Fact], at: datetime
) -> str:
    """Return the value of the silence of length *wait* after *anchor* at *at*: void, ended or standing."""
    start = start_of_wait(rule, anchor, facts)
    read = rule.follow | of_statuses(rule.keys.still)
    counts = {event.id: rule.counts(event, anchor, events, facts) for event in events}
    undated = [
        fact
        for fact in in_force(facts)[0]
        if not fact.span.dated and fact.type in read and rule.counts(fact, anchor, events, facts) is not False
    ]
    if undated or start is None:
        return "void"
    deadline = later(start[0], wait)
    if at < later(deadline, rule.settle):
        return "void"
    follows = [
        event
        for event in events
        if event.type in rule.follow and event.id != anchor.id and possibly_before(anchor.span, event.span)
        if counts[event.id] is not False
    ]
    for event in follows:
        spare = slack(start[1], event.span.earliest_exact)
        if event.span.earliest is None or event.span.earliest < later(deadline, spare):
            return "void"
    if rule.keys.still and not lasts(rule.keys.still, anchor, events, deadline, exact=start[1]):
        return "void"
    return "ended" if any(counts[event.id] for event in follows) else "standing"


def of_statuses(conditions: Iterable[str]) -> set[str]:
    """Return the fact types that the *conditions*, by name, read."""
    tracks = {
        "service": {"service"}, "stage": {"case"}, "custody": {"custody", "case"}, "wanted": {"custody", "case"},
        "presumption": {"custody", "case"}, "open_cases": {"custody", "case"},
    }  # fmt: skip
    read = {track for name in conditions for track in tracks[name]}
    return {kind for kind, track in TRACK.items() if track in read} | ({"Died"} if read else set())


def values(rule: AnyRule, events: Sequence[Event], facts: Sequence[Fact], at: datetime) -> dict[str, str]:
    """Return the value of *rule* at *at* for each anchor, by the id of its best report: void, ended or standing."""
    person = Person(set())
    read_in_groups(person, events)
    clearing = person.clearing()
    result = {}
    for anchor in events:
        if anchor.type not in rule.on:
            continue
        own = rule if isinstance(rule, Chain) else with_lengths(rule, anchor, facts)
        if own is None or not is_concerned(keys_of(rule), anchor, events) or is_elsewhere(rule, anchor, facts):
            result[anchor.id] = "void"
        elif isinstance(own, Silence):
            result[anchor.id] = silence(own, anchor, events, facts, at)
        else:
            result[anchor.id] = (
                following(own, anchor, events, clearing)
                if isinstance(own, Following)
                else own.value(anchor, events, facts, at, lambda chain: is_cleared_of(clearing, chain))
            )
    reports = {anchor.id: reports_of(anchor, facts) for anchor in events if anchor.id in result}
    cases = {name: {fact.data["case_id"] for fact in of if "case_id" in fact.data} for name, of in reports.items()}
    return first_only(keys_of(rule).once, result, cases)


def lives(rule: AnyRule, ledger: Sequence[Fact], until: datetime) -> list[ExpectedAlert]:
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


def _instants(rule: AnyRule, ledger: Sequence[Fact]) -> set[datetime]:
    """Return every instant at which time alone could change a value, with any number of the facts known."""
    versions = [fact for n in range(len(ledger)) for fact in in_force(ledger[: n + 1])[0]]
    ends = {fact.span.latest for fact in versions if fact.span.latest is not None}
    if isinstance(rule, Following):
        return ends
    untils = {parse(fact.data["until"]).latest for fact in versions if "until" in fact.data}
    starts = {fact.recorded for fact in versions} | ends | {end for end in untils if end is not None}
    return ends | {later(start, wait) for start in starts for wait in rule.delays}


def _step(
    rule: AnyRule, facts: Sequence[Fact], at: datetime, alerts: list[ExpectedAlert], *, still_coming: bool
) -> None:
    events, _ = world(facts, at, None)
    current = _of_events(rule, events, at, alerts)
    for anchor, value in values(rule, events, facts, at).items():
        alert = current.get(anchor)
        state = alert.state if alert else ""
        if value == "standing" and state != "open":
            if rule.waits and still_coming:
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
    rule: AnyRule, events: Sequence[Event], at: datetime, alerts: Sequence[ExpectedAlert]
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
