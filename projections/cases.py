"""The cases of one person: each from its first allegation to its end, and all of them together."""

from collections.abc import Collection
from typing import Any, NamedTuple

from events.facts import Fact

from .cells import UNKNOWN, Cell, moved

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


class Trials(NamedTuple):
    """
    All cases of a person together.

    Attributes:
        stage: the furthest of an open case, else the end of the case that ended last; None: no case.
        open_cases: the number of cases under way.
        presumption: convicted, convicted_not_final, presumed_innocent or cleared.
    """

    stage: Cell | None
    open_cases: int
    presumption: str


NO_TRIAL = Trials(None, 0, "presumed_innocent")


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
        self.stage = moved(self.stage, stage, fact)
        self.ended = stage in ENDED_STAGES
        self.order = fact.order


def together(cases: Collection[Case]) -> Trials:
    """Return what *cases*, those of one person, come to."""
    under_way = [case for case in cases if case.is_open]
    ended = [case for case in cases if case.ended]
    stage: Cell | None = None
    if under_way:
        stage = max(under_way, key=lambda case: (_WEIGHT[case.stage.status], case.order)).stage
    elif ended:
        stage = max(ended, key=lambda case: case.order).stage
    if any(case.final and case.verdict == "convicted" for case in cases):
        # It stands until a court sets it aside: a later pardon does not undo it.
        presumption = "convicted"
    elif any(case.verdict == "convicted" for case in under_way):
        presumption = "convicted_not_final"
    elif ended and not under_way and all(case.clears for case in ended):
        presumption = "cleared"
    else:
        presumption = "presumed_innocent"
    return Trials(stage, len(under_way), presumption)
