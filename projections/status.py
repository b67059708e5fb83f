"""
The status of one person: a fold over the facts that count, in world order.

Three tracks run in parallel: service, case (each case on its own) and custody. Nothing is refused for being
unlikely: a fact that does not follow from the state is applied and flagged.
"""

from collections.abc import Iterable
from typing import NamedTuple

from events.facts import Fact
from events.vocabulary import TRACK_OF

from .cases import NO_TRIAL, Case, Trials, together
from .cells import UNKNOWN, Cell, moved
from .history import Flag

SERVICE = {
    "Appointed": "in_office",
    "Transferred": "in_office",
    "Suspended": "suspended",
    "SuspensionLifted": "in_office",
    "Resigned": "resigned",
    "Retired": "retired",
    "Removed": "removed",
    "Dismissed": "dismissed",
    "LeftOffice": "left_office",
    "Reinstated": "in_office",
    "DismissalAnnulled": "in_office",
    "Died": "deceased",
}
CUSTODY = {
    "Detained": "detained",
    "Arrested": "remanded",
    "HouseArrested": "house_arrest",
    "Bailed": "bailed",
    "Released": "released",
    "Extradited": "extradited",
    "Imprisoned": "imprisoned",
    "SentenceServed": "sentence_served",
}
ENDS_WANTED = frozenset({"WantedCancelled", "Detained", "Arrested", "Extradited", "Imprisoned"})
IN_CUSTODY = frozenset({"detained", "remanded", "house_arrest", "bailed", "imprisoned", "extradited"})
OUT_OF_OFFICE = frozenset({"removed", "dismissed", "resigned", "retired", "left_office"})


class Point(NamedTuple):
    """The status in single words, as a rule's conditions read it."""

    service: str
    custody: str
    wanted: str | None
    stage: str | None
    open_cases: int
    presumption: str


class Status:
    """
    The fold: feed it the facts that count, in world order, one at a time.

    Args:
        anchors: fact types before each of which the status is kept, for the rules that ask.
        facts: the first of them.

    Attributes:
        before: the status before each anchor, by the fact's id.
        service, custody: a cell each.
        wanted: None: not wanted.
        cases: by case_id.
        moved_cases: of these, those that a fact has spoken of since somebody last emptied it.
        names: every spelling, in the order in which they came up.
        described: the latest name, post, agency, region and jurisdiction, each with the id of the fact that says so.
        anomalies: what does not follow from the state before it.
    """

    def __init__(self, anchors: frozenset[str] = frozenset(), facts: Iterable[Fact] = ()) -> None:
        self.anchors = anchors
        self.before: dict[str, Point] = {}
        self.service = UNKNOWN
        self.custody = UNKNOWN
        self.wanted: Cell | None = None
        self.cases: dict[str, Case] = {}
        self._trials: Trials | None = NO_TRIAL
        self.moved_cases: set[str] = set()
        self.names: dict[str, None] = {}
        self.described: dict[str, tuple[str, str]] = {}
        self.anomalies: list[Flag] = []
        for fact in facts:
            self.advance(fact)

    def advance(self, fact: Fact) -> None:
        """Apply the next fact in world order."""
        if fact.type in self.anchors:
            self.before[fact.id] = self.point()
        self._learn(("jurisdiction",), fact)
        match TRACK_OF[fact.type]:
            case "service":
                self._serve(fact)
            case "case":
                self._try(fact)
            case "custody":
                self._hold(fact)
            case _:
                if fact.type == "SubjectDescribed":
                    self._describe(fact)

    def point(self) -> Point:
        """Return the status so far in single words."""
        stage, open_cases, presumption = self.trials
        return Point(
            self.service.status,
            self.custody.status,
            self.wanted.status if self.wanted else None,
            stage.status if stage else None,
            open_cases,
            presumption,
        )

    @property
    def trials(self) -> Trials:
        """All cases together."""
        if self._trials is None:
            self._trials = together(self.cases.values())
        return self._trials

    def headline(self) -> str:
        """Return the one word for lists."""
        if self.service.status == "deceased":
            return "deceased"
        if self.custody.status not in {"unknown", "released"}:
            return self.custody.status
        if self.trials.stage:
            return self.trials.stage.status
        return "wanted" if self.wanted else self.service.status

    def _serve(self, fact: Fact) -> None:
        before = self.service.status
        if before == "deceased" and fact.type != "Died":
            self._flag("after_death", fact)
        elif fact.type == "SuspensionLifted" and before != "suspended":
            self._flag("not_suspended", fact)
        elif fact.type == "DismissalAnnulled" and before != "dismissed":
            self._flag("not_dismissed", fact)
        elif fact.type == "Reinstated" and before not in OUT_OF_OFFICE:
            self._flag("not_out_of_office", fact)
        self.service = moved(self.service, SERVICE[fact.type], fact)
        if fact.type == "Died":
            self.wanted = None
        self._learn(("post", "agency", "region"), fact)
        if fact.type == "Transferred":
            for name in ("post", "agency"):
                if f"to_{name}" in fact.data:
                    self.described[name] = (fact.data[f"to_{name}"], fact.id)

    def _hold(self, fact: Fact) -> None:
        before = self.custody.status
        if self.service.status == "deceased":
            self._flag("after_death", fact)
        elif fact.type == "Released" and before not in IN_CUSTODY:
            self._flag("not_in_custody", fact)
        elif fact.type == "SentenceServed" and before != "imprisoned":
            self._flag("not_imprisoned", fact)
        elif fact.type == "WantedCancelled" and not self.wanted:
            self._flag("not_wanted", fact)
        if fact.type in CUSTODY:
            self.custody = moved(self.custody, CUSTODY[fact.type], fact)
        if fact.type in ENDS_WANTED:
            self.wanted = None
        elif fact.type == "Wanted":
            # A source that names no scope says "at least nationally", which does not narrow what another said.
            scope = fact.data.get("scope") or (self.wanted.status if self.wanted else "national")
            self.wanted = moved(self.wanted or UNKNOWN, scope, fact)

    def _try(self, fact: Fact) -> None:
        self.moved_cases.add(fact.data["case_id"])
        case = self.cases.setdefault(fact.data["case_id"], Case())
        anomaly = case.advance(fact)
        self._trials = None
        if anomaly:
            self._flag(anomaly, fact)

    def _describe(self, fact: Fact) -> None:
        self._learn(("name", "post", "agency", "region"), fact)
        spellings = [fact.data["name"]] if "name" in fact.data else []
        self.names.update(dict.fromkeys([*spellings, *fact.data.get("aliases", [])]))

    def _learn(self, names: Iterable[str], fact: Fact) -> None:
        for name in names:
            if name in fact.data:
                self.described[name] = (fact.data[name], fact.id)

    def _flag(self, code: str, fact: Fact) -> None:
        self.anomalies.append(Flag(code, fact.id))
