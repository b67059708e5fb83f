"""A literal reading of docs/design.md, 3.4: one count of a case and its states."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.model_posts import same
from tests.oracle.model_time import Event

Charge = Mapping[str, Any]


@dataclass(eq=False)
class Count:
    """One count: a charge, or the whole case while no charge is stated."""

    since: Event
    charge: Charge = field(default_factory=dict)
    charge_event: Event | None = None
    n: int = 1
    status: str = "undecided"
    verdict: str | None = None
    verdict_event: Event | None = None
    final: Event | None = None
    appeal: Event | None = None
    settled: Event | None = None
    in_absentia: bool = False
    rehabilitated: bool = False
    once_convicted: bool = False
    sentence: Event | None = None
    before_pardon: tuple[str, Event] | None = None

    @property
    def decided(self) -> bool:
        """Return whether it is convicted or acquitted now."""
        return self.status in {"convicted", "acquitted"}

    @property
    def open(self) -> bool:
        """Return whether it keeps its case open."""
        unsettled = self.status == "convicted" and not self.final
        return self.status == "undecided" or unsettled or self.appeal is not None

    @property
    def finally_convicted(self) -> bool:
        """Return whether it has a final conviction."""
        return self.status == "convicted" and self.final is not None

    @property
    def stands_convicted(self) -> bool:
        """Return whether a conviction stands; a pardon or an amnesty does not change that."""
        return self.verdict == "convicted" and self.status in {"convicted", "pardoned", "amnestied"}

    @property
    def end(self) -> Event:
        """Return the event that ended it."""
        settled = {"convicted": self.final, "acquitted": self.settled}.get(self.status)
        return settled or self.since

    def become(self, status: str, event: Event) -> None:
        """Set a status without a verdict."""
        self.status, self.since = status, event
        self.verdict = self.verdict_event = self.final = self.appeal = self.settled = self.sentence = None
        self.in_absentia = self.rehabilitated = False

    def decide(self, verdict: str, event: Event) -> None:
        """Set a verdict."""
        sentence = self.sentence if verdict == "convicted" else None
        self.become(verdict, event)
        self.verdict, self.verdict_event, self.sentence = verdict, event, sentence
        self.final = event if event.data.get("final") else None
        self.in_absentia = event.data.get("in_absentia", False)
        self.rehabilitated = verdict == "acquitted" and self.once_convicted
        self.once_convicted = self.once_convicted or verdict == "convicted"


def matches(a: Charge, b: Charge) -> bool:
    """Return whether two charges are the same, in the fields that both name."""
    if "count_id" in a and "count_id" in b:
        return bool(a["count_id"] == b["count_id"])
    equal = [same(a.get(name), b.get(name)) for name in ("article", "title")]
    return False not in equal and True in equal


def settle(count: Count, event: Event) -> None:
    """End the appeal of *count*."""
    if count.appeal:
        count.appeal, count.settled = None, event


def overturnable(count: Count) -> bool:
    """Return whether it has a verdict that can be set aside."""
    return count.decided or (count.status in {"pardoned", "amnestied"} and count.verdict == "convicted")


def waits(event: Event, count: Count) -> bool:
    """Return whether *event* can be about *count*, if its words fit several counts."""
    kind = event.type
    if kind in {"Sentenced", "SentenceChanged"}:
        return count.status == "convicted"
    if kind == "AppealFiled" and event.data.get("by") != "prosecution":
        return count.status == "convicted" and not count.final
    if kind in {"AppealFiled", "VerdictUpheld", "VerdictFinal"}:
        return count.decided and not count.final
    if kind in {"VerdictOverturned", "Pardoned", "Amnestied"}:
        return count.stands_convicted
    return count.status == "undecided" or count.appeal is not None


def changes(event: Event, count: Count) -> bool:
    """Return whether the decision *event* changes a count that it names."""
    if event.type in {"Convicted", "Acquitted"}:
        return not count.final
    if event.type in {"Amnestied", "Pardoned"}:
        return count.status in {"convicted", "undecided"} and event.data.get("scope") != "partial"
    if event.type == "VerdictOverturned":
        return overturnable(count)
    clears = event.type == "CaseClosed" and event.data.get("rehabilitating", False)
    return count.open or (clears and count.finally_convicted)
