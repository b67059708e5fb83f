"""
The cases of one person (docs/design.md, 3.4): each with its kind, its counts and its stage.

While a case is open its stage only goes forward, so that a vaguely dated early step does not undo a later one.
"""

from collections.abc import Callable, Sequence
from typing import Final

from events.edtf import begins_after
from events.facts import Fact

from .cell import Cell
from .counts import STATES_CHARGES, Count, Counts
from .verdicts import EFFECTS

OPEN_STAGES: Final = (
    "accused",
    "materials_referred",
    "investigation",
    "suspect",
    "charged",
    "overturned",
    "indicted",
    "trial",
    "convicted",
    "appeal",
)
CRIMINAL: Final = "criminal"

_WEIGHT: Final = {stage: weight for weight, stage in enumerate(OPEN_STAGES)} | {"overturned": 4}
STEPS: Final = {
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
}
"""The stage that each step of a case reaches."""
# After these an investigation is no longer suspended.
_RESUMES: Final = frozenset(
    {
        *("InvestigationResumed", "SuspectNamed", "Charged", "ChargesAmended", "Indicted", "TrialOpened"),
        *("Convicted", "Acquitted", "Sentenced"),
    }
)

_CHARGING: Final = frozenset({"Charged", "Indicted", "TrialOpened"})
# The types of which one must precede a fact in its case, and the flag if none does.
_PRESUPPOSES: Final = {
    "AllegationWithdrawn": (frozenset({"Accused"}), "never_accused"),
    "InvestigationSuspended": (STATES_CHARGES, "never_investigated"),
    "InvestigationResumed": (STATES_CHARGES, "never_investigated"),
    "ChargesAmended": (_CHARGING, "never_charged"),
    "ChargesDropped": (_CHARGING, "never_charged"),
    "Convicted": (_CHARGING, "never_charged"),
    "Acquitted": (_CHARGING, "never_charged"),
}

Flagging = Callable[[str, Fact], None]


class Case:
    """
    One case, after some of its facts.

    Six of its methods are questions on its state. The others are the steps of one fact through the case.

    Args:
        flag: receives the code of each anomaly and its fact.
        behind: returns whether a source says that the first fact comes behind the second.
        first: the first fact of the case.

    Attributes:
        counts: its counts.
        kind_by: the fact that names its kind; None: no fact does, and it counts as criminal.
        reached: the furthest stage of an open case; None: no step is known.
        ended: the end of a case that is not open.
        place: the number of the step of the last change of its stage.
        steps: the number of its own facts so far.
        suspended_by: the fact that suspended the investigation; None: it is not suspended.
        sentence: the fact with the last sentence, or its last change.
        charges_by, authority_by: the facts that state them last.
        course: its stages so far, each with the fact after which it had it.
    """

    __slots__ = (
        *("_behind", "_flag", "_seen", "authority_by", "charges_by", "counts", "course", "ended", "kind_by", "place"),
        *("reached", "sentence", "steps", "suspended_by"),
    )

    def __init__(self, flag: Flagging, behind: Callable[[Fact, Fact], bool], first: Fact) -> None:
        self.counts = Counts(flag, first)
        self.kind_by: Fact | None = None
        self.reached: Cell | None = None
        self.ended: Cell | None = None
        self.place = 0
        self.steps = 0
        self.suspended_by: Fact | None = None
        self.sentence: Fact | None = None
        self.charges_by: Fact | None = None
        self.authority_by: Fact | None = None
        self.course: list[Cell] = []
        self._seen: set[str] = set()
        self._flag = flag
        self._behind = behind

    @property
    def kind(self) -> str:
        """The kind of the case; criminal if no source names another."""
        return self.kind_by.data["kind"] if self.kind_by else CRIMINAL

    @property
    def is_open(self) -> bool:
        """Whether a count in it has not ended."""
        return self.ended is None

    @property
    def stage(self) -> Cell | None:
        """The furthest stage if it is open, else its end."""
        return self.ended or self.reached

    @property
    def stands_convicted(self) -> bool:
        """Whether a conviction stands in it, pardoned or not."""
        return any(count.stands_convicted for count in self.counts.all)

    @property
    def is_finally_convicted(self) -> bool:
        """Whether a final conviction stands in it."""
        return any(count.is_finally_convicted for count in self.counts.all)

    def advance(self, fact: Fact, place: int) -> None:
        """Apply the next fact of the case, the *place*-th step of the fold."""
        self.steps += 1
        kind = fact.type
        needed = _PRESUPPOSES.get(kind)
        if needed and not needed[0] & self._seen:
            self._flag(needed[1], fact)
        self._seen.add(kind)
        before = self.stage
        self._note_details(fact)
        if self.ended is not None and kind in STATES_CHARGES and not self._opens_again(fact):
            self._flag("order_unknown", fact)
            if len(self.counts.all) == 1 and self.counts.all[0].by is None:
                self.counts.add(fact.data.get("charges", []), fact)
            return
        self._apply(fact, place, self.counts.named(fact, place))
        if kind in {"Sentenced", "SentenceChanged"}:
            self.sentence = fact
        elif kind in {"Acquitted", "VerdictOverturned"} and not self.stands_convicted:
            # The sentence fell with the verdict.
            self.sentence = None
        self._set_end()
        if kind in _RESUMES or self.ended is not None:
            self.suspended_by = None
        stage = self.stage
        if stage is not None and (before is None or stage.status != before.status):
            self.course.append(Cell(stage.status, fact))

    def _apply(self, fact: Fact, place: int, named: list[Count] | None) -> None:
        """Apply the effect of *fact* on the stage and on the counts; *named* are the counts that it names."""
        kind = fact.type
        was_open = self.ended is None
        if kind in STEPS:
            self._reach(STEPS[kind], fact, place, named)
        if kind == "InvestigationSuspended":
            self.suspended_by = self.suspended_by or fact
        elif kind == "ChargesAmended" and named is not None and was_open:
            for count in self.counts.all:
                if count.status == "undecided" and count not in named:
                    count.end("replaced", fact, place)
        elif kind == "AllegationWithdrawn":
            self._withdraw(fact, place)
        elif kind == "MistrialDeclared":
            self.reached, self.place = Cell("trial", fact), place
        elif kind in EFFECTS:
            self._move(EFFECTS[kind](self.counts, fact, place, named), fact, place)

    def _note_details(self, fact: Fact) -> None:
        data = fact.data
        if "kind" in data:
            if self.kind_by is not None and self.kind != data["kind"]:
                self._flag("kind_differs", fact)
            self.kind_by = fact
        if "authority" in data:
            self.authority_by = fact
        if data.get("charges"):
            self.charges_by = fact

    def _reach(self, stage: str, fact: Fact, place: int, named: list[Count] | None) -> None:
        """Go forward to *stage*; an ended case is opened again."""
        counts = self.counts.all
        if self.ended is not None:
            concerned = [count for count in counts if count.status != "replaced"] if named is None else named
            for count in concerned:
                if count.is_ended and count.verdict is None:
                    count.reopen(fact, place)
            if all(count.is_ended for count in counts):
                counts.append(Count({}, None, fact))
            self.reached = None
        if self.reached is None or _WEIGHT[self.reached.status] < _WEIGHT[stage]:
            self.reached, self.place = Cell(stage, fact), place

    def _opens_again(self, fact: Fact) -> bool:
        """Return whether *fact* is known to come after the end of the case."""
        end = self.ended.fact if self.ended else None
        return end is None or self._behind(fact, end) or begins_after(fact.occurred, end.occurred)

    def _withdraw(self, fact: Fact, place: int) -> None:
        if self.ended is None and self.reached is not None and self.reached.status == "accused":
            for count in self.counts.all:
                if count.is_open:
                    count.end("withdrawn", fact, place)

    def _move(self, stage: str | None, fact: Fact, place: int) -> None:
        """Go forward to *stage*; an overturned verdict also takes the case back."""
        if stage is None:
            return
        if stage == "overturned" or self.reached is None or _WEIGHT[self.reached.status] < _WEIGHT[stage]:
            self.reached, self.place = Cell(stage, fact), place

    def _set_end(self) -> None:
        """Set the end of the case, if all its counts have ended."""
        counts = [count for count in self.counts.all if count.status != "replaced"]
        if not counts or any(count.is_open for count in counts):
            self.ended = None
            return
        final = [count for count in counts if count.status == "convicted" and count.is_finally_convicted]
        last = max(final or counts, key=lambda count: count.place)
        word = "final" if final else last.status
        by = last.final if final else last.fact
        self.ended, self.place = Cell(word, by), last.place


def furthest(cases: Sequence[Case]) -> Case | None:
    """Return the open case with the furthest stage, of equals the one that moved last."""
    reached = [case for case in cases if case.reached is not None]
    return max(reached, key=lambda case: (_WEIGHT[_status(case)], case.place), default=None)


def _status(case: Case) -> str:
    assert case.reached is not None, "a case without a step is not compared"
    return case.reached.status
