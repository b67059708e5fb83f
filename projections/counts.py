"""
The counts of one case (MODEL 4): each charge that was ever stated, and where it stands.

A verdict speaks of counts and not of a case: somebody convicted on one count was not convicted of the others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from events.facts import Fact

from .agreeing import folded

DECIDED: Final = frozenset({"convicted", "acquitted"})

Charge = Mapping[str, Any]


class Count:
    """
    One count.

    Attributes:
        charge: the charge as a source states it; empty for the whole case.
        by: the fact that states it so; None for the whole case.
        number: how many alike it stands for.
        status: undecided, convicted, acquitted, dropped, closed, withdrawn, replaced, amnestied or pardoned.
        fact: the fact that set the status; None while nothing was decided of it.
        place: the number of the step in which it did.
        verdict: convicted or acquitted, and `verdict_by`, the fact that says so; a pardon leaves both.
        final: the fact that made the verdict final; None: it is not.
        appeal: the fact that put it on appeal; None: it is not.
        sentence: the fact with its sentence.
        is_rehabilitated: whether it ended in a way that clears: a rehabilitating end, or acquittal after a conviction.
    """

    __slots__ = (
        "appeal",
        "by",
        "charge",
        "fact",
        "final",
        "is_rehabilitated",
        "number",
        "place",
        "sentence",
        "status",
        "verdict",
        "verdict_by",
    )

    def __init__(self, charge: Charge, by: Fact | None) -> None:
        self.charge = charge
        self.by = by
        self.number: int = charge.get("counts", 1)
        self.status = "undecided"
        self.fact: Fact | None = None
        self.place = 0
        self.verdict: str | None = None
        self.verdict_by: Fact | None = None
        self.final: Fact | None = None
        self.appeal: Fact | None = None
        self.sentence: Fact | None = None
        self.is_rehabilitated = False

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
        return self.verdict == "convicted" and self.status in {"convicted", "pardoned", "amnestied"}

    @property
    def is_finally_convicted(self) -> bool:
        """Whether a final conviction stands that nothing rehabilitated."""
        return self.stands_convicted and self.final is not None and not self.is_rehabilitated

    @property
    def clears(self) -> bool:
        """Whether the way it ended clears the person of it."""
        return self.is_rehabilitated or (self.status == "acquitted" and self.is_ended)

    def decide(self, verdict: str, fact: Fact, place: int) -> None:
        """Apply a verdict; it never unmakes a final one."""
        if self.final is None:
            self.is_rehabilitated = verdict == "acquitted" and self.verdict == "convicted"
            if self.verdict != verdict or self.status != verdict:
                self.verdict, self.verdict_by = verdict, fact
                self.status, self.fact, self.place = verdict, fact, place
            self.appeal = None
        if fact.data.get("final", False) and self.verdict == verdict and self.final is None:
            self.final, self.place = fact, place

    def end(self, status: str, fact: Fact, place: int, *, rehabilitating: bool = False) -> None:
        """End it without a verdict, or after one."""
        self.status, self.fact, self.place, self.appeal = status, fact, place, None
        self.is_rehabilitated = rehabilitating

    def reopen(self, fact: Fact | None, place: int) -> None:
        """Make it undecided again, as *fact* says."""
        self.status, self.fact, self.place = "undecided", fact, place
        self.verdict = self.verdict_by = self.final = self.appeal = None
        self.is_rehabilitated = False

    def copy(self, charge: Charge, by: Fact | None, number: int) -> "Count":
        """Return a count of another charge that stands where this one stands."""
        other = Count(charge, by)
        for name in ("status", "fact", "place", "verdict", "verdict_by", "final", "appeal", "sentence"):
            setattr(other, name, getattr(self, name))
        other.is_rehabilitated = self.is_rehabilitated
        other.number = number
        return other


class Counts:
    """
    The counts of a case, in the order in which they were stated.

    Args:
        flag: takes what is to be said of a fact.
    """

    def __init__(self, flag: Callable[[str, Fact], None]) -> None:
        self.all: list[Count] = [Count({}, None)]
        self.flag = flag

    def state(self, fact: Fact) -> None:
        """Let the first fact that states charges replace the whole case by all of them, each as the whole stood."""
        charges = fact.data.get("charges")
        if charges and len(self.all) == 1 and self.all[0].by is None:
            whole = self.all[0]
            self.all = [whole.copy(charge, fact, charge.get("counts", 1)) for charge in charges]

    def named(self, fact: Fact, *, states: bool, splits: bool) -> tuple[list[Count], list[Count]]:
        """
        Return the counts that the charges of *fact* name: those that were known, and those that were not.

        Args:
            fact: a fact with charges.
            states: it states charges, so that a new one is no surprise.
            splits: it decides, so that one of fewer counts leaves the rest as it was.
        """
        known: list[Count] = []
        added: list[Count] = []
        whole = [count for count in self.all if count.by is fact]
        for charge in fact.data["charges"]:
            found = [count for count in self.all if names(charge, count.charge) and count not in added]
            if len(found) > 1:
                self.flag("count_ambiguous", fact)
                pending = [count for count in found if count.status == "undecided" or count.appeal is not None]
                found = pending or found
            if found:
                known += [count for count in self._split(found, charge, splits=splits) if count not in known]
                continue
            if not states and not whole:
                self.flag("count_unknown", fact)
            new = Count(charge, fact)
            self.all.append(new)
            added.append(new)
        return known, added

    def _split(self, found: Sequence[Count], charge: Charge, *, splits: bool) -> list[Count]:
        """Return of the counts *found* as many as *charge* speaks of; what is left of one stays as it was."""
        left = charge.get("counts")
        if left is None or not splits:
            return list(found)
        taken: list[Count] = []
        for count in found:
            if left <= 0:
                break
            if count.number > left:
                rest = count.copy(count.charge, count.by, count.number - left)
                self.all.insert(self.all.index(count) + 1, rest)
                count.number = left
            left -= count.number
            taken.append(count)
        return taken


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
