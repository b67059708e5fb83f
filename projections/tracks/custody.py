"""
Custody and searches of one person (MODEL 5): held in a case, sought by a jurisdiction.

A release in one case says nothing of another. A search that one country called off stands in another.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from events.edtf import overlaps
from events.facts import Fact
from projections.history.reports import compatible

CUSTODY: Final = {
    "Detained": "detained",
    "Arrested": "remanded",
    "HouseArrested": "house_arrest",
    "Bailed": "bailed",
    "Released": "released",
    "Extradited": "extradited",
    "Imprisoned": "imprisoned",
    "Paroled": "paroled",
    "SentenceServed": "sentence_served",
}
"""The status that each fact about custody leaves."""
STRICTEST_FIRST: Final = (
    "imprisoned",
    "remanded",
    "detained",
    "extradited",
    "house_arrest",
    "paroled",
    "bailed",
    "released",
    "sentence_served",
)
FREE: Final = frozenset({"released", "sentence_served", "deceased"})

_SEIZED: Final = frozenset({"detained", "remanded", "house_arrest", "imprisoned", "extradited"})
_SEIZURES: Final = frozenset({"Detained", "Arrested", "HouseArrested", "Imprisoned"})
_RELEASES: Final = frozenset({"Released", "SentenceServed", "Bailed", "Paroled"})
_FINDS: Final = frozenset({"Detained", "Arrested", "Imprisoned"})
_CASELESS_ENDS: Final = frozenset({"Bailed", "Paroled", "SentenceServed"})


class Hold:
    """
    One stay in custody, in one case or in none that is known.

    Attributes:
        status: the word.
        fact: the fact that set it.
        until: the fact that last said until when; None: none did.
        place: the number of the step in which the status last changed.
    """

    __slots__ = ("fact", "place", "status", "until")

    def __init__(self) -> None:
        self.status = "unknown"
        self.fact: Fact | None = None
        self.until: Fact | None = None
        self.place = 0

    @property
    def is_active(self) -> bool:
        """Whether somebody is held, or free on conditions."""
        return self.fact is not None and self.status not in FREE

    @property
    def is_seized(self) -> bool:
        """Whether somebody is held and not free on conditions."""
        return self.status in _SEIZED

    def move(self, status: str, fact: Fact, place: int) -> None:
        """Apply *fact*; one that says the same again sets nothing but a later end."""
        says_until = "until" in fact.data
        if status != self.status:
            self.status, self.fact, self.place, self.until = status, fact, place, None
        if says_until:
            self.until = fact


class Search(NamedTuple):
    """One search that stands: for a case, by a jurisdiction, as wide as its scope."""

    case_id: str | None
    scope: str
    jurisdiction: str | None
    fact: Fact


Step = tuple[Fact, frozenset[str | None] | None]
"""A fact about custody; with it the cases in which a release without a case frees; None: in all."""


class Custody:
    """
    The fold of the custody track.

    Args:
        flag: takes what is to be said of a fact.
        behind: whether a source says that the first fact comes behind the second.

    Attributes:
        holds: by case_id; None: no case is known.
        searches: those that stand.
        steps: the number of changes so far.
    """

    def __init__(self, flag: Callable[[str, Fact], None], behind: Callable[[Fact, Fact], bool]) -> None:
        self.holds: dict[str | None, Hold] = {}
        self.searches: list[Search] = []
        self._freed: Fact | None = None
        self._flag = flag
        self._behind = behind
        self.steps = 0

    def advance(self, fact: Fact, only: frozenset[str | None] | None = None) -> None:
        """
        Apply the next fact of the custody track.

        Args:
            fact: the fact.
            only: of a release without a case: the cases whose holds it ends; None: all of them.
        """
        self.steps += 1
        kind = fact.type
        if kind == "Wanted" or (kind == "Arrested" and fact.data.get("in_absentia", False)):
            self._seek(fact)
        elif kind == "WantedCancelled":
            self._call_off(fact)
        elif kind in CUSTODY:
            self._hold(fact, only)
            if kind in _FINDS:
                place = fact.data.get("jurisdiction")
                self.searches = [s for s in self.searches if place and s.jurisdiction and s.jurisdiction != place]
            elif kind == "Extradited":
                self.searches = []
                self._hand_over(fact)

    def end_bail(self, case_id: str, fact: Fact, *, convicted: bool) -> None:
        """End what *fact*, which ended the case, ends with it: bail, and house arrest if there is no conviction."""
        hold = self.holds.get(case_id)
        if hold is not None and (hold.status == "bailed" or (hold.status == "house_arrest" and not convicted)):
            self.steps += 1
            hold.move("released", fact, self.steps)

    def die(self, fact: Fact) -> None:
        """End all holds and searches, as death does."""
        self.steps += 1
        for hold in self.holds.values():
            if hold.is_active:
                hold.move("deceased", fact, self.steps)
        self.searches = []

    def in_reading_order(self, facts: Sequence[Fact]) -> list[Step]:
        """
        Return *facts* of one span as the state before them has it read: MODEL 2.

        In a hold that stands, the releases come first; in any other, the seizures do. A fact that comes second in one
        hold, behind one that says the opposite, is flagged. A release without a case is read for each hold by itself.
        """
        keys = {fact.id: self._key(fact) for fact in facts}
        held = frozenset(case_id for case_id, hold in self.holds.items() if hold.is_seized)
        begun = frozenset(keys[fact.id] for fact in facts if is_seizure(fact))
        ended = {keys[fact.id] for fact in facts if fact.type in _RELEASES and not _frees_all(fact)}
        if any(map(_frees_all, facts)):
            ended |= begun
        first: list[Step] = []
        second: list[Step] = []
        comes_second: Step | None
        for fact in facts:
            key = keys[fact.id]
            if _frees_all(fact):
                new = begun - held
                before = held | (self.holds.keys() - begun)
                first.append((fact, frozenset(before) if new else None))
                comes_second = (fact, new) if new else None
            else:
                opposed = key in begun and key in ended and (is_seizure(fact) or fact.type in _RELEASES)
                comes_second = (fact, None) if opposed and is_seizure(fact) == (key in held) else None
                if comes_second is None:
                    first.append((fact, None))
            if comes_second is not None:
                second.append(comes_second)
                self._flag("order_unknown", fact)
        return [*first, *second]

    def _key(self, fact: Fact) -> str | None:
        """Return the case of the hold that *fact* is going to concern, as far as the holds before it tell."""
        case_id: str | None = fact.data.get("case_id")
        if case_id is None:
            return self._key_of_caseless(fact)
        own, unnamed = self.holds.get(case_id), self.holds.get(None)
        takes_over = unnamed is not None and unnamed.is_active and not (own is not None and own.is_active)
        return None if takes_over else case_id

    def _key_of_caseless(self, fact: Fact) -> str | None:
        """Return the case of the hold that *fact*, which names none, concerns: bail concerns the only hold there is."""
        active = [key for key, hold in self.holds.items() if hold.is_active]
        return active[0] if fact.type in _CASELESS_ENDS and None not in active and len(active) == 1 else None

    def _hold(self, fact: Fact, only: frozenset[str | None] | None) -> None:
        status, case_id = CUSTODY[fact.type], fact.data.get("case_id")
        if _frees_all(fact):
            self._free(fact, only)
            return
        if is_seizure(fact) and self._is_free_by_then(fact, case_id):
            self._flag("order_unknown", fact)
            return
        hold = self._concerned(fact, case_id)
        if fact.type == "Released" and not hold.is_active:
            self._flag("not_in_custody", fact)
        elif fact.type == "SentenceServed" and hold.status not in {"imprisoned", "paroled"}:
            self._flag("not_imprisoned", fact)
        hold.move(status, fact, self.steps)

    def _is_free_by_then(self, fact: Fact, case_id: str | None) -> bool:
        """
        Whether a release stands that *fact*, a seizure, may lie before.

        A hold that is not known yet is recorded as that release left it.
        """
        own, unnamed = self.holds.get(case_id), self.holds.get(None)
        if own is not None:
            return not own.is_seized and own.fact is not None and self._undone(fact, own.fact)
        if unnamed is not None and unnamed.is_active:
            if unnamed.is_seized or unnamed.fact is None or not self._undone(fact, unnamed.fact):
                return False
            self.holds[case_id] = self.holds.pop(None)
            return True
        if self._freed is None or not self._undone(fact, self._freed):
            return False
        self.holds[case_id] = Hold()
        self.holds[case_id].move("released", self._freed, self.steps)
        return True

    def _undone(self, fact: Fact, release: Fact) -> bool:
        """Whether *fact* may lie before *release*, and no source says which came first."""
        if release.occurred[:2] == fact.occurred[:2]:
            return False
        return overlaps(fact.occurred, release.occurred) and not self._behind(fact, release)

    def _concerned(self, fact: Fact, case_id: str | None) -> Hold:
        """Return the hold that *fact* concerns, made where there is none."""
        if case_id is None:
            return self.holds.setdefault(self._key_of_caseless(fact), Hold())
        unnamed = self.holds.get(None)
        own = self.holds.get(case_id)
        if unnamed is not None and unnamed.is_active and (fact.type != "Released" or not (own and own.is_active)):
            # The same hold, now known to be in this case; of two, the one that changed last says how it stands.
            del self.holds[None]
            if own is None or not own.is_active or own.place < unnamed.place:
                self.holds[case_id] = unnamed
                return unnamed
        return own if own is not None else self.holds.setdefault(case_id, Hold())

    def _free(self, fact: Fact, only: frozenset[str | None] | None) -> None:
        active = [hold for key, hold in self.holds.items() if hold.is_active and (only is None or key in only)]
        for hold in active:
            hold.move("released", fact, self.steps)
        if not active and only is None:
            hold = self.holds.setdefault(None, Hold())
            self._flag("not_in_custody", fact)
            hold.move("released", fact, self.steps)
        self._freed = fact

    def _hand_over(self, fact: Fact) -> None:
        """End the holds of other jurisdictions, out of whose hands an extradition takes a person."""
        place = fact.data.get("jurisdiction")
        for hold in self.holds.values():
            other = hold.fact.data.get("jurisdiction") if hold.fact is not None else None
            if hold.is_active and hold.fact is not fact and place and other and place != other:
                hold.move("released", fact, self.steps)

    def _seek(self, fact: Fact) -> None:
        data = fact.data
        search = Search(data.get("case_id"), data.get("scope", "national"), data.get("jurisdiction"), fact)
        if all(search[:3] != other[:3] for other in self.searches):
            self.searches.append(search)

    def _call_off(self, fact: Fact) -> None:
        data = fact.data
        named = (data.get("case_id"), data.get("scope"), data.get("jurisdiction"))

        def agrees(search: Search) -> bool:
            own = (search.case_id, search.fact.data.get("scope"), search.jurisdiction)
            return all(map(compatible, named, own))

        off = [search for search in self.searches if agrees(search)]
        authority = data.get("authority")
        by_it = [search for search in off if authority is not None and search.fact.data.get("authority") == authority]
        off = by_it or off
        if not off:
            self._flag("not_wanted", fact)
        self.searches = [search for search in self.searches if search not in off]


def is_seizure(fact: Fact) -> bool:
    """Whether *fact* begins custody; an arrest in absentia begins a search."""
    return fact.type in _SEIZURES and not (fact.type == "Arrested" and fact.data.get("in_absentia", False))


def _frees_all(fact: Fact) -> bool:
    """Whether *fact* is a release that names no case: it frees from every hold that began before it."""
    return fact.type == "Released" and "case_id" not in fact.data
