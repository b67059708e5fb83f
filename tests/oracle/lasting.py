"""
A second computation of `while`: a literal reading of docs/design.md, 4.3, as plain and as slow as possible.

The words of all parts are noted after each event in world order, by the other oracle's reading of the status. A spell
is a run of such notes. Nothing of `projections` is used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from events.facts import Fact
from tests.oracle.model_custody import Custody, Key
from tests.oracle.model_oracle import Life
from tests.oracle.model_time import (
    TYPES,
    Event,
    Statement,
    in_force,
    later,
    possibly_before,
    slack,
    world,
)
from tests.oracle.oracle import ExpectedAlert

Part = tuple[Any, ...]
"""The identity of a part."""
Note = tuple[Event, str, bool]
"""An event, the word of a part after it, and whether the word can begin a spell."""

VERDICTS = frozenset(
    "Convicted Acquitted Sentenced AppealFiled VerdictUpheld VerdictOverturned VerdictFinal ChargesDropped CaseClosed"  # noqa: SIM905
    " Amnestied Pardoned PardonAnnulled AllegationWithdrawn".split()
)
STEPS = {
    "accused": "Accused",
    "materials_referred": "MaterialsReferred",
    "investigation": "InvestigationOpened InvestigationSuspended InvestigationResumed",
    "suspect": "SuspectNamed",
    "charged": "Charged ChargesAmended",
    "indicted": "Indicted",
    "trial": "TrialOpened",
}
ONE_WORD = {
    "service": {
        "suspended": "Suspended", "removed": "Removed", "dismissed": "Dismissed", "resigned": "Resigned",
        "retired": "Retired", "term_ended": "TermEnded", "left_office": "LeftOffice",
        "in_office": "SuspensionLifted Reinstated DismissalAnnulled",
    },
    "custody": {
        "detained": "Detained", "remanded": "Arrested", "house_arrest": "HouseArrested", "bailed": "Bailed",
        "released": "Released", "imprisoned": "Imprisoned", "paroled": "Paroled", "sentence_served": "SentenceServed",
    },
    "stage": STEPS,
}  # fmt: skip
"""For each word, the types that can only lead to this word."""
ENDING = {
    "service": TYPES["service"],
    "custody": f"Detained Arrested HouseArrested Bailed Released Extradited Imprisoned Paroled SentenceServed Died"
    f" ChargesAmended {' '.join(VERDICTS)}",
    "wanted": f"Arrested WantedCancelled Detained Imprisoned Extradited Died ChargesAmended {' '.join(VERDICTS)}",
    "stage": f"MistrialDeclared PleaEntered Died {' '.join(VERDICTS)} {' '.join(STEPS.values())}",
    "measure": "MeasureLifted Died",
}
"""The types that can change a word of each kind."""


class Lasting(NamedTuple):
    """``while`` with ``for``."""

    id: str
    kind: str
    words: frozenset[str]
    wait: timedelta
    settle: timedelta
    jurisdiction: frozenset[str] = frozenset()

    def ends(self, event: Event | Statement, begin: Event) -> bool:
        """Return whether the type of *event* can end the status, in no other case than that of *begin*."""
        in_words = {name for word in self.words for name in ONE_WORD.get(self.kind, {}).get(word, "").split()}
        if {"in_office", "moved"} <= self.words and self.kind == "service":
            in_words |= {"Appointed", "Elected", "Transferred"}
        if {"extradited", "released"} <= self.words:
            in_words.add("Extradited")
        if self.kind == "stage" and not self.words >= OVER:
            # An amendment can end a case, by replacing its last open charge.
            in_words -= {"ChargesAmended"}
        one, other = begin.data.get("case_id"), event.data.get("case_id")
        return event.type in {*ENDING[self.kind].split()} - in_words and (one == other or not one or not other)


OVER = frozenset("final dropped closed acquitted withdrawn amnestied pardoned".split())  # noqa: SIM905


@dataclass
class TracedCustody(Custody):
    """Custody that gives each hold a number, and tells which holds turned out to be one."""

    number: dict[Key, int] = field(default_factory=dict)
    given: int = 0
    joined: list[tuple[int, int, str]] = field(default_factory=list)

    def name(self) -> None:
        """Give a number to each new hold."""
        for key in self.holds:
            if key not in self.number:
                self.given += 1
                self.number[key] = self.given

    def _take_over(self, key: Key) -> None:
        if None not in self.active():
            return
        self.name()
        own, unnamed = self.holds.get(key), self.holds[None]
        keeps_own = own is not None and own.active and own.since.pos > unnamed.since.pos
        winner, loser = (key, None) if keeps_own else (None, key)
        winning, losing = self.number[winner], self.number.get(loser)
        word = self.holds[winner].status
        super()._take_over(key)
        if losing is not None:
            self.joined.append((losing, winning, word))
        self.number.pop(None)
        self.number[key] = winning


@dataclass
class Traced(Life):
    """A person, with the words of all parts after each event."""

    kind: str = ""
    notes: dict[Part, list[Note]] = field(default_factory=dict)
    quiet: dict[Part, tuple[str, str]] = field(default_factory=dict)
    follows: dict[Part, Part] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.custody = TracedCustody(self.flag)

    def _apply(self, event: Event, keys: set[Key] | None = None) -> None:
        assert isinstance(self.custody, TracedCustody)
        self.custody.joined.clear()
        super()._apply(event, keys)
        self.custody.name()
        words = dict(self._words_now())
        if self.kind == "custody":
            for losing, winning, word in self.custody.joined:
                self.notes.setdefault((losing,), []).append((event, word, False))
                self.follows[losing,] = (winning,)
        for part in self.notes.keys() | words.keys():
            last = part
            while last in self.follows:
                last = self.follows[last]
            self.notes.setdefault(part, []).append((event, words.get(last, ""), last == part))

    def _words_now(self) -> Iterator[tuple[Part, str]]:
        match self.kind:
            case "service":
                for n, post in enumerate(self.posts.known):
                    yield (n,), "" if self.died and post.status != "deceased" else post.status
            case "stage":
                for case_id, case in self.cases.items():
                    yield (case_id,), case.shown_stage[0] if case.shown_stage and not self.died else ""
            case "custody":
                yield from self._words_of_holds()
            case "wanted":
                yield from self._words_of_searches()
            case _:
                for measure in self.measures.standing:
                    yield (measure.since.id,), "" if self.died else measure.since.data.get("kind", "")

    def _words_of_holds(self) -> Iterator[tuple[Part, str]]:
        assert isinstance(self.custody, TracedCustody)
        for key, hold in self.custody.holds.items():
            part, cell = (self.custody.number[key],), (hold.status, hold.since.id)
            if (hold.active and self._over(key)) or (self.died and hold.status != "deceased"):
                self.quiet[part] = cell
            yield part, "" if self.quiet.get(part) == cell else hold.status

    def _words_of_searches(self) -> Iterator[tuple[Part, str]]:
        for search in self.custody.searches:
            if self._over(search.key[0]):
                self.quiet[search.since.id,] = "", ""
            yield (search.since.id,), "" if (search.since.id,) in self.quiet else search.scope

    def _over(self, key: Key) -> bool:
        case = self.cases.get(key) if key else None
        return case is not None and not case.open and not any(count.stands_convicted for count in case.counts)


def read(kind: str, events: Sequence[Event]) -> Traced:
    """Return the person of *events*, with the words of the parts of *kind*."""
    person = Traced(set(), kind=kind)
    for _, group in groupby(events, key=lambda event: event.pos[0][:2]):
        person.read(list(group))
    return person


def spells(notes: Sequence[Note], words: frozenset[str]) -> Iterator[tuple[Event, Event | None]]:
    """Yield the beginning and the end of each run of *notes* in *words*."""
    begin: Event | None = None
    for event, word, begins in notes:
        if begin is None and begins and word in words:
            begin = event
        elif begin is not None and word not in words:
            yield begin, event
            begin = None
    if begin is not None:
        yield begin, None


def value_of(rule: Lasting, begin: Event, ends: Sequence[Event]) -> str:
    """Return the value of a status since *begin*, with the events that ended it or may have ended it."""
    deadline = later(begin.span.latest or datetime.max.replace(tzinfo=begin.pos[0][0].tzinfo), rule.wait)
    for end in ends:
        spare = slack(begin.span.latest_exact, end.span.earliest_exact)
        if end.span.earliest is None or end.span.earliest < later(deadline, spare):
            return "void"
    return "ended" if ends else "standing"


def values(rule: Lasting, facts: Sequence[Fact], at: datetime) -> dict[str, str]:
    """Return the value of *rule* at *at* for each event, by the id of its best report: void, ended or standing."""
    events, _ = world(facts, at, None)
    person = read(rule.kind, events)
    names = {name for code, name in person.flags if code in {"order_unknown", "post_unknown"}}
    unclear = [event for event in events if event.id in names]
    statements = in_force(facts)[0]
    found: dict[str, set[str]] = {event.id: {"void"} for event in events}
    for notes in person.notes.values():
        for begin, end in spells(notes, rule.words):
            places = {fact.data.get("jurisdiction") for fact in statements if fact.id in begin.reports}
            opens = later(later(begin.pos[-1][0], rule.wait), rule.settle)
            elsewhere = rule.jurisdiction and not places & rule.jurisdiction
            undated = any(not fact.span.dated and rule.ends(fact, begin) for fact in statements)
            if begin not in unclear and not undated and not elsewhere and at >= opens:
                maybe = [e for e in unclear if rule.ends(e, begin) and possibly_before(begin.span, e.span)]
                found[begin.id].add(value_of(rule, begin, [*maybe, *([end] if end else [])]))
    return {
        name: "standing" if "standing" in some else "ended" if "ended" in some else "void"
        for name, some in found.items()
    }


def lives(rule: Lasting, ledger: Sequence[Fact], until: datetime) -> list[ExpectedAlert]:
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
        if at < until:
            _step(rule, facts, at, alerts, still_coming=False)
    return alerts


def _instants(rule: Lasting, ledger: Sequence[Fact]) -> set[datetime]:
    """Return every instant at which time alone could change a value, with any number of the facts known."""
    versions = [fact for n in range(len(ledger)) for fact in in_force(ledger[: n + 1])[0]]
    ends = {fact.span.latest for fact in versions if fact.span.latest is not None}
    return ends | {later(later(end, rule.wait), rule.settle) for end in ends}


def _step(
    rule: Lasting, facts: Sequence[Fact], at: datetime, alerts: list[ExpectedAlert], *, still_coming: bool
) -> None:
    current = alerts_of_events(world(facts, at, None)[0], at, alerts)
    for anchor, value in values(rule, facts, at).items():
        alert = current.get(anchor)
        state = alert.state if alert else ""
        if value == "standing" and state != "open":
            if still_coming:
                continue
            if alert is None:
                alert = ExpectedAlert(rule.id, anchor, anchor)
                alerts.append(alert)
            alert.life.append(("open", at))
        elif alert and value == "ended" and state in {"open", "retracted"}:
            alert.life.append(("resolved", at))
        elif alert and value == "void" and state in {"open", "resolved"}:
            alert.life.append(("retracted", at))


def alerts_of_events(
    events: Sequence[Event], at: datetime, alerts: Sequence[ExpectedAlert]
) -> dict[str, ExpectedAlert]:
    """Return the alert of each event: the first one continues, and the others of the event are superseded."""
    event_of = {report: event.id for event in events for report in event.reports}
    owned: dict[str, list[ExpectedAlert]] = {}
    for alert in alerts:
        event = event_of.get(alert.first) or event_of.get(alert.anchor)
        if event is not None:
            owned.setdefault(event, []).append(alert)
        elif alert.state in {"open", "resolved"}:
            alert.life.append(("retracted", at))
    for event, several in owned.items():
        several.sort(key=lambda alert: (alert.opened, alert.id))
        several[0].anchor = event
        for other in several[1:]:
            if other.state in {"open", "resolved"}:
                other.life.append(("superseded", at))
    return {event: several[0] for event, several in owned.items()}
