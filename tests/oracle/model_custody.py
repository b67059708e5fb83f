"""A literal reading of docs/design.md, 3.5: holds, searches and measures after the events in world order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.model_posts import Flag
from tests.oracle.model_time import Event, contradicts_order

STATUS = {
    "Detained": "detained", "Arrested": "remanded", "HouseArrested": "house_arrest", "Bailed": "bailed",
    "Released": "released", "Extradited": "extradited", "Imprisoned": "imprisoned", "Paroled": "paroled",
    "SentenceServed": "sentence_served",
}  # fmt: skip
HELD = {"detained", "remanded", "house_arrest", "imprisoned", "extradited"}
FREE = {"released", "bailed", "paroled", "sentence_served"}
INACTIVE = {"released", "sentence_served", "deceased"}
BEGINNING = {"Detained", "Arrested", "HouseArrested", "Imprisoned"}
ENDING = {"Released", "SentenceServed", "Bailed", "Paroled"}
STRICTEST = [
    "imprisoned", "remanded", "detained", "extradited", "house_arrest", "paroled", "bailed", "released",
    "sentence_served",
]  # fmt: skip
OF_A_MEASURE = ("kind", "title", "authority", "program", "case_id", "jurisdiction")

Key = str | None


@dataclass
class Hold:
    """The custody in one case, or without a case."""

    status: str
    since: Event
    until: str | None = None
    until_event: Event | None = None

    @property
    def active(self) -> bool:
        """Return whether it has no known end."""
        return self.status not in INACTIVE


@dataclass
class Search:
    """One search for the person."""

    since: Event

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the case, scope and jurisdiction that distinguish searches."""
        return self.since.data.get("case_id"), self.scope, self.since.data.get("jurisdiction")

    @property
    def scope(self) -> str:
        """Return the scope, which is national by default."""
        return str(self.since.data.get("scope", "national"))


@dataclass
class Measure:
    """One standing measure."""

    since: Event
    until: str | None
    until_event: Event | None
    reports: frozenset[str] = frozenset()


def in_absence(event: Event) -> bool:
    """Return whether *event* is an arrest in absentia, and so a search."""
    return event.type == "Arrested" and bool(event.data.get("in_absentia"))


def begins(event: Event) -> bool:
    """Return whether *event* begins custody."""
    return event.type in BEGINNING and not in_absence(event)


def agrees(a: Event, b: Event, names: Sequence[str]) -> bool:
    """Return whether two events are equal in *names*, in the fields that both name."""
    return all(a.data[name] == b.data[name] for name in names if name in a.data and name in b.data)


@dataclass
class Custody:
    """All holds and searches of one person."""

    flag: Flag
    holds: dict[Key, Hold] = field(default_factory=dict)
    searches: list[Search] = field(default_factory=list)
    let_go: Event | None = None

    def read(self, event: Event, keys: set[Key] | None = None) -> None:
        """
        Apply one event of the custody track.

        *keys*, if any, limits the holds that a `Released` without a case ends.
        """
        if event.type == "Wanted" or in_absence(event):
            if Search(event).key not in [search.key for search in self.searches]:
                self.searches.append(Search(event))
        elif event.type == "WantedCancelled":
            self._cancel(event)
        elif event.type == "Released":
            self._release(event, keys)
        elif event.type in STATUS:
            self._hold(event)

    def active(self) -> list[Key]:
        """Return the cases of the holds without a known end; None stands for no case."""
        return [key for key, hold in self.holds.items() if hold.active]

    def die(self, event: Event) -> None:
        """End every hold and search by the death *event*."""
        for key in self.active():
            self.holds[key] = Hold("deceased", event)
        self.searches.clear()

    def case_ended(self, case_id: str, event: Event, *, convicted: bool) -> None:
        """End bail in a case that *event* ended, and house arrest too, unless the person is finally *convicted*."""
        ending = {"bailed"} if convicted else {"bailed", "house_arrest"}
        if case_id in self.holds and self.holds[case_id].status in ending:
            self.holds[case_id] = Hold("released", event)

    def target(self, event: Event) -> Key:
        """Return the key of the hold that *event* concerns, or of one of them for a `Released` without a case."""
        case_id = event.data.get("case_id")
        if case_id is not None or begins(event) or event.type == "Extradited":
            return case_id
        active = self.active()
        return active[0] if None not in active and len(active) == 1 else None

    def _put(self, key: Key, status: str, event: Event) -> None:
        """Set the status of a hold; the same status again keeps its cell."""
        ordered = event.data.get("until")
        hold = self.holds.get(key)
        if hold is None or hold.status != status:
            self.holds[key] = Hold(status, event, ordered, event if ordered else None)
        elif ordered:
            hold.until, hold.until_event = ordered, event

    def _hold(self, event: Event) -> None:
        key, status = self.target(event), STATUS[event.type]
        over = begins(event) and self._may_be_over(event, key)
        if key is not None and not (over and key in self.holds):
            self._take_over(key)
        if over:
            self.flag("order_unknown", event)
        else:
            self._put(key, status, event)
        if event.type in {"Detained", "Arrested", "Imprisoned"}:
            self.searches = [s for s in self.searches if not agrees(s.since, event, ["jurisdiction"])]
        if event.type == "Extradited":
            self.searches.clear()
            here = event.data.get("jurisdiction")
            for other in self.holds.values():
                elsewhere = other.since.data.get("jurisdiction")
                if other.active and other.since is not event and here and elsewhere and here != elsewhere:
                    other.status, other.since, other.until, other.until_event = "released", event, None, None

    def _may_be_over(self, event: Event, key: Key) -> bool:
        """
        Return whether a beginning may lie before a release that was read.

        If so, a hold that was unknown before is recorded as released.
        """
        hold = self.holds.get(key)
        if hold is None and None in self.active():
            hold = self.holds[None]
        if hold is not None:
            return hold.status in FREE and contradicts_order(event, hold.since)
        if self.let_go and contradicts_order(event, self.let_go):
            self.holds[key] = Hold("released", self.let_go)
            return True
        return False

    def _take_over(self, key: Key) -> None:
        """Merge the active hold without a case into the one of *key*."""
        if None not in self.active():
            return
        both = [hold for hold in (self.holds.get(key), self.holds.pop(None)) if hold and hold.active]
        self.holds[key] = max(both, key=lambda hold: hold.since.pos)

    def _release(self, event: Event, keys: set[Key] | None) -> None:
        key = event.data.get("case_id")
        if key is None:
            self.let_go = event
            going = [hold_key for hold_key in self.active() if keys is None or hold_key in keys]
            for hold_key in going:
                self._put(hold_key, "released", event)
            if going or keys is not None:
                return
        elif key not in self.active():
            self._take_over(key)
        if key not in self.active():
            self.flag("not_in_custody", event)
        self._put(key, "released", event)

    def _cancel(self, event: Event) -> None:
        ended = [s for s in self.searches if agrees(s.since, event, ["case_id", "scope", "jurisdiction"])]
        borne = [s for s in ended if s.since.data.get("authority") == event.data.get("authority", ...)]
        if not ended:
            self.flag("not_wanted", event)
        self.searches = [s for s in self.searches if s not in (borne or ended)]

    def _same_hold(self, event: Event) -> Key:
        """Return the key of the hold before the batch; the event may take over the one without a case."""
        key = self.target(event)
        return None if None in self.active() and key not in self.active() else key

    def batch(self, events: Sequence[Event]) -> list[tuple[int, Event, set[Key] | None]]:
        """Return the group in which each event of one span is read; flag those of unknown order."""
        held = {key for key, hold in self.holds.items() if hold.status in HELD}
        begun = {self._same_hold(event) for event in events if begins(event)}
        before = {key for key in {*self.holds, *begun} if key in held or None in held}
        ended = {self._same_hold(event) for event in events if event.type in ENDING and not from_all(event)}
        both = begun if any(map(from_all, events)) else begun & ended
        steps: list[tuple[int, Event, set[Key] | None]] = []
        for event in events:
            target = self._same_hold(event)
            if from_all(event):
                later = begun - before
                later |= {self.target(e) for e in events if begins(e) and self._same_hold(e) in later}
                steps.append((0, event, {*self.active()} - later if later else None))
                if later:
                    steps.append((1, event, later))
                    self.flag("order_unknown", event)
                continue
            second = target in both and (
                (begins(event) and target in before) or (event.type in ENDING and target not in before)
            )
            if second:
                self.flag("order_unknown", event)
            steps.append((int(second), event, None))
        return steps


def from_all(event: Event) -> bool:
    """Return whether *event* is a release without a case, and so a release from every hold."""
    return event.type == "Released" and "case_id" not in event.data


def liftable(measure: Measure) -> bool:
    """Return whether an authority other than the imposing one can lift it."""
    return "authority" not in measure.since.data or measure.since.data.get("kind") not in {"sanction", "debarment"}


@dataclass
class Measures:
    """The standing measures."""

    flag: Flag
    standing: list[Measure] = field(default_factory=list)

    def read(self, event: Event) -> None:
        """Apply one event of the measure track."""
        if event.type == "MeasureLifted":
            lifted = [measure for measure in self.standing if self._lifts(event, measure)]
            borne = [m for m in lifted if m.since.data.get("authority") == event.data.get("authority", ...)]
            others = [m for m in lifted if "authority" not in event.data or liftable(m)]
            lifted = borne or others
            if not lifted:
                self.flag("not_imposed", event)
            self.standing = [measure for measure in self.standing if measure not in lifted]
            return
        for measure in self.standing:
            if all(event.data.get(name) == measure.since.data.get(name) for name in OF_A_MEASURE):
                measure.reports |= event.reports
                if "until" in event.data:
                    measure.until, measure.until_event = event.data["until"], event
                return
        self.standing.append(Measure(event, event.data.get("until"), event if "until" in event.data else None))

    def _lifts(self, event: Event, measure: Measure) -> bool:
        if "fact_id" in event.data:
            return event.data["fact_id"] in measure.since.reports | measure.reports
        return agrees(event, measure.since, ["kind", "case_id", "program", "jurisdiction"])
