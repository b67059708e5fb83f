"""
The counts of one case (docs/design.md, 3.4): each charge that was ever stated, and its status.

A verdict is about counts and not about a case: a person convicted on one count was not convicted of the others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from events.edtf import begins_after
from events.facts import Fact
from events.text import comparison_form

DECIDED: Final = frozenset({"convicted", "acquitted"})
STATES_CHARGES: Final = frozenset(
    {
        *("Accused", "MaterialsReferred", "InvestigationOpened", "InvestigationSuspended", "InvestigationResumed"),
        *("SuspectNamed", "Charged", "ChargesAmended", "Indicted", "TrialOpened"),
    }
)
"""The types that state charges, so that a new charge in them is not flagged."""
_ABOUT_VERDICTS: Final = frozenset(
    {
        *("Sentenced", "SentenceChanged", "AppealFiled", "VerdictUpheld", "VerdictOverturned", "VerdictFinal"),
        *("ReviewRequested", "ReviewRefused", "Amnestied", "Pardoned", "PardonAnnulled"),
    }
)
_FORGIVEN: Final = frozenset({"pardoned", "amnestied"})

Charge = Mapping[str, Any]


class Count:
    """
    One count.

    Five of its thirteen methods are questions on its state, and the others its possible changes, each a few lines.

    Attributes:
        charge: the charge as a source states it; empty for the whole case.
        by: the fact with that statement; None for the whole case.
        number: the number of counts alike for which it stands.
        status: undecided, convicted, acquitted, dropped, closed, withdrawn, replaced, amnestied or pardoned.
        fact: the fact that set the status; of an undecided count, the one that stated or reopened it.
        settled_by: the fact that set the status, or ended an appeal after that.
        place: the number of the step in which it did.
        verdict: convicted or acquitted, and `verdict_by`, the fact with the verdict; a pardon leaves both.
        final: the fact that made the verdict final; None: it is not final.
        forgiven: its status and fact before a pardon or an amnesty; None: there was none.
        appeal: the fact that put it on appeal; None: it is not on appeal.
        sentence: the fact with its sentence.
        was_convicted: whether it was ever convicted.
        is_rehabilitated: whether it ended in a way that clears: a rehabilitating end, or acquittal after a conviction.
    """

    __slots__ = (
        "appeal",
        "by",
        "charge",
        "fact",
        "final",
        "forgiven",
        "is_rehabilitated",
        "number",
        "place",
        "sentence",
        "settled_by",
        "status",
        "verdict",
        "verdict_by",
        "was_convicted",
    )

    def __init__(self, charge: Charge, by: Fact | None, fact: Fact) -> None:
        self.charge = charge
        self.by = by
        self.number: int = charge.get("counts", 1)
        self.status = "undecided"
        self.fact = self.settled_by = fact
        self.place = 0
        self.verdict: str | None = None
        self.verdict_by: Fact | None = None
        self.final: Fact | None = None
        self.appeal: Fact | None = None
        self.sentence: Fact | None = None
        self.is_rehabilitated = False
        self.was_convicted = False
        self.forgiven: tuple[str, Fact] | None = None

    @property
    def is_ended(self) -> bool:
        """Whether it has ended: no decision about it is open."""
        status = self.status
        if status == "undecided":
            return False
        if status == "convicted":
            return self.final is not None
        return status != "acquitted" or self.appeal is None

    @property
    def is_open(self) -> bool:
        """Whether it keeps its case open."""
        return not self.is_ended

    @property
    def stands_convicted(self) -> bool:
        """Whether a conviction stands, final or not; a pardon or an amnesty does not undo it."""
        return self.verdict == "convicted" and (self.status == "convicted" or self.status in _FORGIVEN)

    @property
    def is_finally_convicted(self) -> bool:
        """Whether a final conviction stands, without rehabilitation."""
        return self.stands_convicted and self.final is not None and not self.is_rehabilitated

    @property
    def clears(self) -> bool:
        """Whether its end clears the person of it."""
        return self.is_ended and (self.is_rehabilitated or self.status == "acquitted")

    def decide(self, verdict: str, fact: Fact, place: int) -> None:
        """Apply a verdict; it never changes a final one."""
        if self.final is None:
            self.is_rehabilitated = verdict == "acquitted" and self.was_convicted
            self.was_convicted = self.was_convicted or verdict == "convicted"
            if self.verdict != verdict or self.status != verdict or self.appeal is not None:
                self.verdict, self.verdict_by = verdict, fact
                self.status, self.fact, self.place = verdict, fact, place
                self.settled_by = fact
            self.appeal = None
            if verdict != "convicted":
                self.sentence = None
        if fact.data.get("final", False) and self.verdict == verdict:
            self.finish(fact, place)

    def finish(self, fact: Fact, place: int) -> None:
        """Make the verdict final; an acquittal that was not on appeal had ended the count before."""
        if self.final is None:
            self.final = fact
            if self.status == "convicted":
                self.place = place

    def leave_appeal(self, fact: Fact, place: int) -> None:
        """End its appeal, if it is on appeal; the verdict stays."""
        if self.appeal is not None:
            self.appeal, self.settled_by, self.place = None, fact, place

    def end(self, status: str, fact: Fact, place: int, *, rehabilitating: bool = False) -> None:
        """End it; a pardon and an amnesty keep the verdict, any other end removes it."""
        self.forgiven = (self.status, self.fact) if status in _FORGIVEN else None
        self.status, self.fact, self.place, self.appeal = status, fact, place, None
        self.settled_by = fact
        if self.forgiven is None:
            self.verdict = self.verdict_by = self.final = self.sentence = None
        self.is_rehabilitated = rehabilitating

    def unforgive(self, place: int) -> None:
        """Undo a pardon: the earlier status returns."""
        assert self.forgiven is not None, "a pardoned count had another status before"
        (self.status, self.fact), self.place, self.forgiven = self.forgiven, place, None

    def reopen(self, fact: Fact, place: int) -> None:
        """Make it undecided again, as *fact* says."""
        self.status, self.fact, self.place = "undecided", fact, place
        self.settled_by = fact
        self.verdict = self.verdict_by = self.final = self.appeal = self.sentence = None
        self.is_rehabilitated = False

    def copy(self, charge: Charge, by: Fact | None, number: int) -> "Count":
        """Return a count of another charge in the state of this one."""
        other = Count(charge, by, self.fact)
        for name in (
            "settled_by",
            "status",
            "place",
            "verdict",
            "verdict_by",
            "final",
            "appeal",
            "sentence",
            "forgiven",
        ):
            setattr(other, name, getattr(self, name))
        other.is_rehabilitated, other.was_convicted = self.is_rehabilitated, self.was_convicted
        other.number = number
        return other


class Counts:
    """
    The counts of a case, in the order in which they were stated.

    Args:
        flag: receives the code of each anomaly and its fact.
        first: the first fact of the case, with which the case as a whole is undecided.
    """

    def __init__(self, flag: Callable[[str, Fact], None], first: Fact) -> None:
        self.all: list[Count] = [Count({}, None, first)]
        self.flag = flag

    def named(self, fact: Fact, place: int) -> list[Count] | None:
        """
        Return the counts that the charges of *fact* name; unknown ones are added. None if it names none.

        Args:
            fact: the next fact of the case, the *place*-th step of the fold.
            place: the number of the step.
        """
        if not fact.data.get("charges"):
            return None
        known: list[tuple[Count, Charge]] = []
        unknown: list[Charge] = []
        for charge in fact.data["charges"]:
            meant = self._meant(charge, fact)
            known += [(count, charge) for count in meant if all(count is not other for other, _ in known)]
            unknown += [] if meant else [charge]
        undecided = [count for count in self.all if count.status == "undecided"]
        are_stated = any(count.by is not None for count in self.all)
        if unknown and are_stated and fact.type not in STATES_CHARGES:
            self.flag("count_unknown", fact)
        if unknown and are_stated and fact.type in _ABOUT_VERDICTS:
            # It is about earlier verdicts, so it adds no count: it words a known one differently.
            standing = [count for count in self.all if count.status != "replaced"]
            return [count for count, _ in known] if known or len(standing) > 1 else None
        added = self.add(unknown, fact)
        if fact.type == "Convicted" and not known and len(undecided) == 1 and undecided[0] in self.all:
            # The source words the charge differently: the counts of the conviction replace the one that was charged.
            undecided[0].end("replaced", fact, place)
        for count, charge in known:
            self._split(count, charge, fact)
        return [*(count for count, _ in known), *added]

    def add(self, charges: Sequence[Charge], fact: Fact) -> list[Count]:
        """Add *charges* that *fact* states. If the whole case is a count, they replace it and take over its state."""
        wholes = [count for count in self.all if count.by is None]
        whole = next((count for count in wholes if count.is_open), wholes[0] if wholes else None)
        # A charge from after the decision on the whole case was not part of that decision.
        is_later = (
            whole is not None and whole.status != "undecided" and begins_after(fact.occurred, whole.fact.occurred)
        )
        if whole is None or (is_later and fact.type in STATES_CHARGES):
            added = [Count(charge, fact, fact) for charge in charges]
            self.all += added
            return added
        added = [whole.copy(charge, fact, charge.get("counts", 1)) for charge in charges]
        if added:
            at = self.all.index(whole)
            self.all[at : at + 1] = added
        return added

    def _meant(self, charge: Charge, fact: Fact) -> list[Count]:
        """Return the counts that *charge* means; if it means several, those that can wait for *fact*, with a flag."""
        meant = [count for count in self.all if is_same_charge(charge, count.charge)]
        if len(meant) > 1:
            self.flag("count_ambiguous", fact)
            meant = [count for count in meant if _waits_for(fact, count)] or meant
        return meant

    def _split(self, count: Count, charge: Charge, fact: Fact) -> None:
        """If *fact* decides on fewer counts than *count* stands for, put the rest behind it as another count."""
        number = charge.get("counts", count.number)
        if number < count.number and _decides(fact, count):
            rest = count.copy(count.charge, count.by, count.number - number)
            self.all.insert(self.all.index(count) + 1, rest)
            count.number = number


def _waits_for(fact: Fact, count: Count) -> bool:
    """Return whether *count* can be the one that *fact* is about, if the words of *fact* mean several."""
    match fact.type:
        case "Sentenced" | "SentenceChanged":
            return count.status == "convicted"
        case "AppealFiled" if fact.data.get("by") != "prosecution":
            return count.status == "convicted" and count.final is None
        case "AppealFiled" | "VerdictUpheld" | "VerdictFinal":
            return count.status in DECIDED and count.final is None
        case "VerdictOverturned" | "Pardoned" | "Amnestied":
            return count.stands_convicted
    return count.status == "undecided" or count.appeal is not None


def _decides(fact: Fact, count: Count) -> bool:
    """Return whether *fact* is a decision that changes *count*."""
    match fact.type:
        case "Convicted" | "Acquitted":
            return count.final is None
        case "Amnestied" | "Pardoned":
            return count.status in {"convicted", "undecided"} and fact.data.get("scope") != "partial"
        case "VerdictOverturned":
            return count.status in DECIDED or count.stands_convicted
        case "ChargesDropped":
            return count.is_open
        case "CaseClosed":
            return count.is_open or (fact.data.get("rehabilitating", False) and count.is_finally_convicted)
    return False


def is_same_charge(one: Charge, other: Charge) -> bool:
    """Return whether two charges are the same: by count_id, else by article and title as far as both name them."""
    first_id, second_id = one.get("count_id"), other.get("count_id")
    if first_id is not None and second_id is not None:
        return bool(first_id == second_id)
    both = [(one[name], other[name]) for name in ("article", "title") if name in one and name in other]
    return bool(both) and all(comparison_form(a) == comparison_form(b) for a, b in both)


def tally(counts: Iterable[Count]) -> dict[str, int]:
    """Return the numbers of undecided, convicted, acquitted and otherwise ended counts, without replaced ones."""
    numbers = {"undecided": 0, "convicted": 0, "acquitted": 0, "ended": 0}
    for count in counts:
        if count.status != "replaced":
            numbers[count.status if count.status in numbers else "ended"] += count.number
    return numbers
