"""
The status of one person: a fold over the facts that count, in world order.

Three tracks run in parallel: service, case (each case on its own) and custody. Nothing is refused for being
unlikely: a fact that does not follow from the state is applied and flagged.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from events.facts import Fact
from events.vocabulary import TRACK_OF

from .history import Flag


class Cell(NamedTuple):
    """
    One status and what it rests on.

    Attributes:
        status: the word.
        since_earliest: earliest instant it can have begun; None: not known.
        since_latest: latest instant it can have begun; None: not known.
        fact_id: the fact that set it; None for ``unknown``.
        facts: how many facts in a row say so.
    """

    status: str
    since_earliest: datetime | None
    since_latest: datetime | None
    fact_id: str | None
    facts: int


UNKNOWN = Cell("unknown", None, None, None, 0)

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
OPEN_STAGES = (
    "accused",
    "materials_referred",
    "investigation",
    "suspect",
    "charged",
    "indicted",
    "trial",
    "convicted",
    "appeal",
)
ENDED_STAGES = ("final", "dropped", "closed", "acquitted", "amnestied", "pardoned", "overturned")

ENDS_WANTED = frozenset({"WantedCancelled", "Detained", "Arrested", "Extradited", "Imprisoned"})
IN_CUSTODY = frozenset({"detained", "remanded", "house_arrest", "bailed", "imprisoned", "extradited"})
OUT_OF_OFFICE = frozenset({"removed", "dismissed", "resigned", "retired", "left_office"})

_WEIGHT = {stage: weight for weight, stage in enumerate(OPEN_STAGES)}
_REACHES = {
    "Accused": "accused",
    "MaterialsReferred": "materials_referred",
    "InvestigationOpened": "investigation",
    "InvestigationSuspended": "investigation",
    "InvestigationResumed": "investigation",
    "SuspectNamed": "suspect",
    "Charged": "charged",
    "ChargesAmended": "charged",
    "Indicted": "indicted",
    "TrialOpened": "trial",
    "AppealFiled": "appeal",
}
_ENDS = {
    "ChargesDropped": "dropped",
    "CaseClosed": "closed",
    "Acquitted": "acquitted",
    "VerdictOverturned": "overturned",
    "Amnestied": "amnestied",
    "Pardoned": "pardoned",
}
_CLEARING = frozenset({"dropped", "acquitted", "overturned"})

# What must have gone before in the case for a fact to follow from the state, and what to say if it has not.
_PRESUPPOSES = {
    "AllegationWithdrawn": ({"Accused"}, "never_accused"),
    "InvestigationSuspended": ({"InvestigationOpened", "InvestigationResumed"}, "never_investigated"),
    "InvestigationResumed": ({"InvestigationOpened", "InvestigationSuspended"}, "never_investigated"),
    "ChargesAmended": ({"Charged", "Indicted"}, "never_charged"),
    "ChargesDropped": ({"Charged", "Indicted"}, "never_charged"),
    "Convicted": ({"Charged", "Indicted", "TrialOpened"}, "never_charged"),
    "Acquitted": ({"Charged", "Indicted", "TrialOpened"}, "never_charged"),
    "Sentenced": ({"Convicted"}, "never_convicted"),
    "Pardoned": ({"Convicted", "Sentenced"}, "never_convicted"),
    "AppealFiled": ({"Convicted", "Acquitted", "Sentenced"}, "no_verdict"),
    "VerdictUpheld": ({"Convicted", "Acquitted", "Sentenced"}, "no_verdict"),
    "VerdictOverturned": ({"Convicted", "Acquitted", "Sentenced"}, "no_verdict"),
    "VerdictFinal": ({"Convicted", "Acquitted", "Sentenced"}, "no_verdict"),
}


class Point(NamedTuple):
    """The status in single words, as a rule's conditions read it."""

    service: str
    custody: str
    wanted: str | None
    stage: str | None
    open_cases: int
    presumption: str


class Case:
    """
    One case as far as it has come.

    While it is open its stage only goes forward, so that a vaguely dated early step does not undo a later one.
    """

    __slots__ = (
        "authority",
        "authority_by",
        "charges",
        "charges_by",
        "ended",
        "final",
        "order",
        "rehabilitating",
        "seen",
        "stage",
        "verdict",
    )

    def __init__(self) -> None:
        self.stage = UNKNOWN
        self.ended = False
        self.verdict: str | None = None
        self.final = False
        self.rehabilitating = False
        self.charges: list[dict[str, Any]] = []
        self.charges_by: str | None = None
        self.authority: str | None = None
        self.authority_by: str | None = None
        self.seen: set[str] = set()
        self.order: tuple[Any, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether the case is under way."""
        return not self.ended and self.stage is not UNKNOWN

    @property
    def clears(self) -> bool:
        """Whether the way the case ended clears the person of it."""
        return self.stage.status in _CLEARING or (self.stage.status == "closed" and self.rehabilitating)

    def advance(self, fact: Fact) -> str | None:
        """Apply *fact*; return the code of the anomaly if it does not follow from the state."""
        needed = _PRESUPPOSES.get(fact.type)
        anomaly = needed[1] if needed and not needed[0] & self.seen else None
        self.seen.add(fact.type)
        if "authority" in fact.data:
            self.authority, self.authority_by = fact.data["authority"], fact.id
        if "charges" in fact.data:
            self.charges, self.charges_by = fact.data["charges"], fact.id
        if fact.type in _REACHES:
            self._reach(_REACHES[fact.type], fact)
        elif fact.type in _ENDS:
            self._end(_ENDS[fact.type], fact)
        else:
            self._judge(fact)
        return anomaly

    def _reach(self, stage: str, fact: Fact) -> None:
        if fact.type == "AppealFiled":
            self.final = False
        elif self.ended:
            self.verdict, self.final = None, False
        if self.ended or _WEIGHT.get(self.stage.status, -1) <= _WEIGHT[stage]:
            self._set(stage, fact)

    def _end(self, stage: str, fact: Fact) -> None:
        if fact.type == "Acquitted":
            self.verdict, self.final = "acquitted", False
        elif fact.type == "VerdictOverturned":
            self.verdict, self.final = None, False
        self.rehabilitating = bool(fact.data.get("rehabilitating", False))
        self._set(stage, fact)

    def _judge(self, fact: Fact) -> None:
        """Apply the facts whose effect hangs on the verdict so far: it is never guessed."""
        match fact.type:
            case "Convicted" if not (self.final and self.verdict == "convicted"):
                self.verdict, self.final = "convicted", False
                self._set("convicted", fact)
            case "Sentenced" if self.verdict != "convicted":
                self.verdict, self.final = "convicted", False
                self._set("convicted", fact)
            case "VerdictUpheld" if self.verdict and not self.final:
                self._set(self.verdict, fact)
            case "VerdictFinal" if self.verdict:
                self.final = True
                self._set("final" if self.verdict == "convicted" else "acquitted", fact)
            case "AllegationWithdrawn" if self.stage.status == "accused":
                self._set("dropped", fact)

    def _set(self, stage: str, fact: Fact) -> None:
        self.stage = _moved(self.stage, stage, fact)
        self.ended = stage in ENDED_STAGES
        self.order = fact.order


class Status:
    """
    The fold: feed it the facts that count, in world order, one at a time.

    Args:
        anchors: fact types before each of which the status is kept in ``before``, for the rules that ask.
    """

    def __init__(self, anchors: frozenset[str] = frozenset(), facts: Iterable[Fact] = ()) -> None:
        self.anchors = anchors
        self.before: dict[str, Point] = {}
        self.service = UNKNOWN
        self.custody = UNKNOWN
        self.wanted: Cell | None = None
        self.cases: dict[str, Case] = {}
        self.names: dict[str, None] = {}
        self.described: dict[str, str] = {}
        self.described_by: dict[str, str] = {}
        self.anomalies: list[Flag] = []
        for fact in facts:
            self.advance(fact)

    def advance(self, fact: Fact) -> None:
        """Apply the next fact in world order."""
        if fact.type in self.anchors:
            self.before[fact.id] = self.point()
        if "jurisdiction" in fact.data:
            self._learn("jurisdiction", fact.data["jurisdiction"], fact)
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
        stage = self.stage()
        return Point(
            self.service.status,
            self.custody.status,
            self.wanted.status if self.wanted else None,
            stage.status if stage else None,
            self.open_cases(),
            self.presumption(),
        )

    def open_cases(self) -> int:
        """Return the number of cases under way."""
        return sum(case.is_open for case in self.cases.values()) if self.cases else 0

    def stage(self) -> Cell | None:
        """Return the furthest stage of an open case, else the end of the case that ended last; None: no case."""
        if not self.cases:
            return None
        under_way = [case for case in self.cases.values() if case.is_open]
        if under_way:
            return max(under_way, key=lambda case: (_WEIGHT[case.stage.status], case.order)).stage
        ended = [case for case in self.cases.values() if case.ended]
        return max(ended, key=lambda case: case.order).stage if ended else None

    def presumption(self) -> str:
        """
        Return convicted, convicted_not_final, presumed_innocent or cleared.

        A conviction that became final stands until a court sets it aside: a later pardon does not undo it.
        """
        if not self.cases:
            return "presumed_innocent"
        cases = self.cases.values()
        if any(case.final and case.verdict == "convicted" for case in cases):
            return "convicted"
        under_way = [case for case in cases if case.is_open]
        if any(case.verdict == "convicted" for case in under_way):
            return "convicted_not_final"
        ended = [case for case in cases if case.ended]
        return "cleared" if ended and not under_way and all(case.clears for case in ended) else "presumed_innocent"

    def headline(self) -> str:
        """Return the one word for lists."""
        if self.service.status == "deceased":
            return "deceased"
        if self.custody.status not in {"unknown", "released"}:
            return self.custody.status
        stage = self.stage()
        if stage:
            return stage.status
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
        self.service = _moved(self.service, SERVICE[fact.type], fact)
        if fact.type == "Died":
            self.wanted = None
        for name in ("post", "agency", "region"):
            if name in fact.data:
                self._learn(name, fact.data[name], fact)
        for name in ("post", "agency"):
            if f"to_{name}" in fact.data:
                self._learn(name, fact.data[f"to_{name}"], fact)

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
            self.custody = _moved(self.custody, CUSTODY[fact.type], fact)
        if fact.type in ENDS_WANTED:
            self.wanted = None
        elif fact.type == "Wanted":
            # A source that names no scope says "at least nationally", which does not narrow what another said.
            scope = fact.data.get("scope") or (self.wanted.status if self.wanted else "national")
            self.wanted = _moved(self.wanted or UNKNOWN, scope, fact)

    def _try(self, fact: Fact) -> None:
        case = self.cases.setdefault(fact.data["case_id"], Case())
        anomaly = case.advance(fact)
        if anomaly:
            self._flag(anomaly, fact)

    def _describe(self, fact: Fact) -> None:
        for name in ("name", "post", "agency", "region"):
            if name in fact.data:
                self._learn(name, fact.data[name], fact)
        spellings = [fact.data["name"]] if "name" in fact.data else []
        self.names.update(dict.fromkeys([*spellings, *fact.data.get("aliases", [])]))

    def _learn(self, name: str, value: str, fact: Fact) -> None:
        self.described[name] = value
        self.described_by[name] = fact.id

    def _flag(self, code: str, fact: Fact) -> None:
        self.anomalies.append(Flag(code, fact.id))


def _moved(cell: Cell, status: str, fact: Fact) -> Cell:
    if cell.status == status:
        return Cell(status, cell.since_earliest, cell.since_latest, cell.fact_id, cell.facts + 1)
    return Cell(status, fact.occurred.earliest, fact.occurred.latest, fact.id, 1)
