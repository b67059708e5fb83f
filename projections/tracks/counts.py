"""
The counts of one case (MODEL 4): each charge that was ever stated, and where it stands.

A verdict speaks of counts and not of a case: somebody convicted on one count was not convicted of the others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from events.edtf import begins_after
from events.facts import Fact
from events.text import folded

DECIDED: Final = frozenset({"convicted", "acquitted"})
STATES_CHARGES: Final = frozenset(
    {
        *("Accused", "MaterialsReferred", "InvestigationOpened", "InvestigationSuspended", "InvestigationResumed"),
        *("SuspectNamed", "Charged", "ChargesAmended", "Indicted", "TrialOpened"),
    }
)
"""The types that state charges, so that a new one is no surprise."""
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

    Attributes:
        charge: the charge as a source states it; empty for the whole case.
        by: the fact that states it so; None for the whole case.
        number: how many alike it stands for.
        status: undecided, convicted, acquitted, dropped, closed, withdrawn, replaced, amnestied or pardoned.
        fact: the fact that set the status; of an undecided count, the one that stated or reopened it.
        place: the number of the step in which it did.
        verdict: convicted or acquitted, and `verdict_by`, the fact that says so; a pardon leaves both.
        final: the fact that made the verdict final; None: it is not.
        forgiven: how it stood before a pardon or an amnesty; None: there was none.
        appeal: the fact that put it on appeal; None: it is not.
        sentence: the fact with its sentence.
        was_convicted: whether it ever was.
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
        self.fact = fact
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
        """Whether nothing more is to be decided about it."""
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
        """Whether a final conviction stands that nothing rehabilitated."""
        return self.stands_convicted and self.final is not None and not self.is_rehabilitated

    @property
    def clears(self) -> bool:
        """Whether the way it ended clears the person of it."""
        return self.is_ended and (self.is_rehabilitated or self.status == "acquitted")

    def decide(self, verdict: str, fact: Fact, place: int) -> None:
        """Apply a verdict; it never unmakes a final one."""
        if self.final is None:
            self.is_rehabilitated = verdict == "acquitted" and self.was_convicted
            self.was_convicted = self.was_convicted or verdict == "convicted"
            if self.verdict != verdict or self.status != verdict or self.appeal is not None:
                self.verdict, self.verdict_by = verdict, fact
                self.status, self.fact, self.place = verdict, fact, place
            self.appeal = None
            if verdict != "convicted":
                self.sentence = None
        if fact.data.get("final", False) and self.verdict == verdict:
            self.finish(fact, place)

    def finish(self, fact: Fact, place: int) -> None:
        """Make the verdict final; an acquittal that nobody appealed had ended the count before."""
        if self.final is None:
            self.final = fact
            if self.status == "convicted":
                self.place = place

    def end(self, status: str, fact: Fact, place: int, *, rehabilitating: bool = False) -> None:
        """End it; a pardon and an amnesty leave a verdict as it was, any other end leaves none."""
        self.forgiven = (self.status, self.fact) if status in _FORGIVEN else None
        self.status, self.fact, self.place, self.appeal = status, fact, place, None
        if self.forgiven is None:
            self.verdict = self.verdict_by = self.final = self.sentence = None
        self.is_rehabilitated = rehabilitating

    def unforgive(self, place: int) -> None:
        """Undo a pardon: it stands as it did before."""
        assert self.forgiven is not None, "a pardoned count stood in another way before"
        (self.status, self.fact), self.place, self.forgiven = self.forgiven, place, None

    def reopen(self, fact: Fact, place: int) -> None:
        """Make it undecided again, as *fact* says."""
        self.status, self.fact, self.place = "undecided", fact, place
        self.verdict = self.verdict_by = self.final = self.appeal = self.sentence = None
        self.is_rehabilitated = False

    def copy(self, charge: Charge, by: Fact | None, number: int) -> "Count":
        """Return a count of another charge that stands where this one stands."""
        other = Count(charge, by, self.fact)
        for name in ("status", "place", "verdict", "verdict_by", "final", "appeal", "sentence", "forgiven"):
            setattr(other, name, getattr(self, name))
        other.is_rehabilitated, other.was_convicted = self.is_rehabilitated, self.was_convicted
        other.number = number
        return other


class Counts:
    """
    The counts of a case, in the order in which they were stated.

    Args:
        flag: takes what is to be said of a fact.
        first: the first fact of the case, with which the case as a whole is undecided.
    """

    def __init__(self, flag: Callable[[str, Fact], None], first: Fact) -> None:
        self.all: list[Count] = [Count({}, None, first)]
        self.flag = flag

    def named(self, fact: Fact, place: int) -> list[Count] | None:
        """
        Return the counts that the charges of *fact* name, those not known added; None if it names none.

        Args:
            fact: the next fact of the case, the *place*-th step of the fold.
            place: the number of the step.
        """
        if not fact.data.get("charges"):
            return None
        known: list[tuple[Count, Charge]] = []
        unknown: list[Charge] = []
        for charge in fact.data["charges"]:
            found = self._meant(charge, fact)
            known += [(count, charge) for count in found if all(count is not other for other, _ in known)]
            unknown += [] if found else [charge]
        undecided = [count for count in self.all if count.status == "undecided"]
        are_stated = any(count.by is not None for count in self.all)
        if unknown and are_stated and fact.type not in STATES_CHARGES:
            self.flag("count_unknown", fact)
        if unknown and are_stated and fact.type in _ABOUT_VERDICTS:
            # It speaks of verdicts that were given, so it adds no count: it words a known one differently.
            standing = [count for count in self.all if count.status != "replaced"]
            return [count for count, _ in known] if known or len(standing) > 1 else None
        added = self.add(unknown, fact)
        if fact.type == "Convicted" and not known and len(undecided) == 1 and undecided[0] in self.all:
            # The source words it differently: the counts it convicts of take the place of the one that was charged.
            undecided[0].end("replaced", fact, place)
        for count, charge in known:
            self._split(count, charge, fact)
        return [*(count for count, _ in known), *added]

    def add(self, charges: Sequence[Charge], fact: Fact) -> list[Count]:
        """Add *charges* that *fact* states: in the place and the state of the whole case, where that is a count."""
        wholes = [count for count in self.all if count.by is None]
        whole = next((count for count in wholes if count.is_open), wholes[0] if wholes else None)
        # A charge that came after the case as a whole was decided was no part of that.
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
        """Return the counts that *charge* means; of several those that wait for a verdict, with a flag."""
        found = [count for count in self.all if names(charge, count.charge)]
        if len(found) > 1:
            self.flag("count_ambiguous", fact)
            found = [count for count in found if _waits_for(fact, count)] or found
        return found

    def _split(self, count: Count, charge: Charge, fact: Fact) -> None:
        """Leave, where *fact* decides on fewer than *count* stands for, the rest as it was behind it."""
        number = charge.get("counts", count.number)
        if number < count.number and _decides(fact, count):
            rest = count.copy(count.charge, count.by, count.number - number)
            self.all.insert(self.all.index(count) + 1, rest)
            count.number = number


def _waits_for(fact: Fact, count: Count) -> bool:
    """Whether *count* is one that a fact like *fact* can be about, where its words mean several."""
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
    """Whether *fact* is a decision that changes *count*."""
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


def names(one: Charge, other: Charge) -> bool:
    """Whether two charges are the same: by count_id, else by article and title as far as both name them."""
    mine, theirs = one.get("count_id"), other.get("count_id")
    if mine is not None and theirs is not None:
        return bool(mine == theirs)
    both = [(one[name], other[name]) for name in ("article", "title") if name in one and name in other]
    return bool(both) and all(folded(a) == folded(b) for a, b in both)


def tally(counts: Iterable[Count]) -> dict[str, int]:
    """Return how many counts are undecided, convicted, acquitted and ended otherwise; replaced ones are left out."""
    found = {"undecided": 0, "convicted": 0, "acquitted": 0, "ended": 0}
    for count in counts:
        if count.status != "replaced":
            found[count.status if count.status in found else "ended"] += count.number
    return found
