"""
Custody and searches of one person (docs/design.md, 3.5): one hold a case, and the searches that stand.

A release in one case does not change another. A search that one country cancelled still stands in another.
"""

from collections.abc import Callable, Collection
from typing import Final

from events.edtf import overlaps
from events.facts import Fact

from .cell import NO_WORD, Cell
from .searches import Search, cancelled, left_after_arrest, with_search

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
RELEASES: Final = frozenset({"Released", "SentenceServed", "Bailed", "Paroled"})

_SEIZED: Final = frozenset({"detained", "remanded", "house_arrest", "imprisoned", "extradited"})
_SEIZURES: Final = frozenset({"Detained", "Arrested", "HouseArrested", "Imprisoned"})
_FINDS: Final = frozenset({"Detained", "Arrested", "Imprisoned"})
_CASELESS_ENDS: Final = frozenset({"Bailed", "Paroled", "SentenceServed"})


class Hold:
    """
    One stay in custody, in one case or in no known case.

    Attributes:
        status: the word.
        fact: the fact that set it.
        until: the fact that last named an end; None: no fact did.
        place: the number of the step in which the status last changed.
        is_active: whether the person is held, or free on conditions.
        course: its statuses so far, each with the fact that set it.
        into: the hold as which it turned out, the length of that one's course then, and the fact that told.
    """

    __slots__ = ("course", "fact", "into", "is_active", "place", "status", "until")

    def __init__(self) -> None:
        self.status = "unknown"
        self.fact: Fact | None = None
        self.until: Fact | None = None
        self.place = 0
        self.is_active = False
        self.course: list[Cell] = []
        self.into: tuple[Hold, int, Fact] | None = None

    @property
    def is_seized(self) -> bool:
        """Whether the person is held and not free on conditions."""
        return self.status in _SEIZED

    def move(self, status: str, fact: Fact, place: int) -> None:
        """Apply *fact*; if it repeats the status, it changes nothing but the end."""
        says_until = "until" in fact.data
        if status != self.status:
            self.status, self.fact, self.place, self.until = status, fact, place, None
            self.is_active = status not in FREE
            self.course.append(Cell(status, fact))
        if says_until:
            self.until = fact


class Custody:
    """
    The fold of the custody track.

    It has twelve methods: the fact of one type passes through several of them, and all change the same holds.

    Args:
        flag: receives the code of each anomaly and its fact.
        behind: returns whether a source says that the first fact comes behind the second.

    Attributes:
        holds: by case_id; None: no case is known.
        searches: those that stand.
        merged: the holds that turned out to be others.
        ended_searches: the searches that ended, or outlast their case, by the fact that began each: with the fact that
            ended it.
        steps: the number of changes so far.
    """

    def __init__(self, flag: Callable[[str, Fact], None], behind: Callable[[Fact, Fact], bool]) -> None:
        self.holds: dict[str | None, Hold] = {}
        self.searches: list[Search] = []
        self.merged: list[Hold] = []
        self.ended_searches: dict[str, tuple[Search, Fact]] = {}
        self.flag = flag
        self.steps = 0
        self._last_general_release: Fact | None = None
        self._behind = behind

    def advance(self, fact: Fact, only: frozenset[str | None] | None = None) -> None:
        """
        Apply the next fact of the custody track.

        Args:
            fact: the fact.
            only: for a release without a case: the cases of the holds that it ends; None: all of them.
        """
        self.steps += 1
        kind = fact.type
        if kind == "Wanted" or (kind == "Arrested" and fact.data.get("in_absentia", False)):
            self.searches = with_search(self.searches, fact)
        elif kind == "WantedCancelled":
            ended = cancelled(self.searches, fact)
            if not ended:
                self.flag("not_wanted", fact)
            self._keep([search for search in self.searches if search not in ended], fact)
        elif kind in CUSTODY:
            self._move_hold(fact, only)
            if kind in _FINDS:
                self._keep(left_after_arrest(self.searches, fact), fact)
            elif kind == "Extradited":
                self._keep([], fact)
                self._hand_over(fact)

    def end_bail(self, case_id: str, fact: Fact, *, convicted: bool) -> None:
        """End bail in the case that *fact* ended, and house arrest too if there is no conviction."""
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
            else:
                hold.course.append(Cell(NO_WORD, fact))
        self._keep([], fact)

    def outlast(self, ended: Collection[str], fact: Fact) -> None:
        """Speak no longer of the holds and searches in the cases *ended*, since *fact*; they stay as they are."""
        for case_id in self.holds.keys() & ended:
            hold = self.holds[case_id]
            if hold.is_active and hold.course[-1].status != NO_WORD:
                hold.course.append(Cell(NO_WORD, fact))
        for search in self.searches:
            if search.case_id in ended:
                self.ended_searches.setdefault(search.fact.id, (search, fact))

    def _keep(self, searches: list[Search], fact: Fact) -> None:
        """Keep *searches* of those that stand; *fact* ended the others."""
        if len(searches) != len(self.searches):
            for search in self.searches:
                if not any(search is other for other in searches):
                    self.ended_searches.setdefault(search.fact.id, (search, fact))
            self.searches = searches

    def _move_hold(self, fact: Fact, only: frozenset[str | None] | None) -> None:
        status, case_id = CUSTODY[fact.type], fact.data.get("case_id")
        if is_general_release(fact):
            self._release_all(fact, only)
            return
        if is_seizure(fact) and self._is_free_by_then(fact, case_id):
            self.flag("order_unknown", fact)
            return
        hold = self._hold_concerned(fact, case_id)
        if fact.type == "Released" and not hold.is_active:
            self.flag("not_in_custody", fact)
        elif fact.type == "SentenceServed" and hold.status not in {"imprisoned", "paroled"}:
            self.flag("not_imprisoned", fact)
        hold.move(status, fact, self.steps)

    def _is_free_by_then(self, fact: Fact, case_id: str | None) -> bool:
        """
        Return whether a release stands that *fact*, a seizure, may precede.

        If the hold is not known yet, it is recorded as that release left it.
        """
        own, unnamed = self.holds.get(case_id), self.holds.get(None)
        if own is not None:
            return not own.is_seized and own.fact is not None and self._may_precede(fact, own.fact)
        if unnamed is not None and unnamed.is_active:
            if unnamed.is_seized or unnamed.fact is None or not self._may_precede(fact, unnamed.fact):
                return False
            self.holds[case_id] = self.holds.pop(None)
            return True
        release = self._last_general_release
        if release is None or not self._may_precede(fact, release):
            return False
        self.holds[case_id] = Hold()
        self.holds[case_id].move("released", release, self.steps)
        return True

    def _may_precede(self, fact: Fact, release: Fact) -> bool:
        """Return whether *fact* may lie before *release*, and no source says which came first."""
        if release.occurred[:2] == fact.occurred[:2]:
            return False
        return overlaps(fact.occurred, release.occurred) and not self._behind(fact, release)

    def _hold_concerned(self, fact: Fact, case_id: str | None) -> Hold:
        """Return the hold that *fact* concerns; it is created if there is none."""
        if case_id is None:
            return self.holds.setdefault(caseless_key(self.holds, fact), Hold())
        unnamed = self.holds.get(None)
        own = self.holds.get(case_id)
        if unnamed is not None and unnamed.is_active and (fact.type != "Released" or not (own and own.is_active)):
            # The same hold, now known to be in this case. Of two, the one that changed last has the present status.
            del self.holds[None]
            last = unnamed if own is None or not own.is_active or own.place < unnamed.place else own
            other = own if last is unnamed else unnamed
            if other is not None:
                other.into = (last, len(last.course), fact)
                self.merged.append(other)
            self.holds[case_id] = last
            return last
        return own if own is not None else self.holds.setdefault(case_id, Hold())

    def _release_all(self, fact: Fact, only: frozenset[str | None] | None) -> None:
        active = [hold for key, hold in self.holds.items() if hold.is_active and (only is None or key in only)]
        for hold in active:
            hold.move("released", fact, self.steps)
        if not active and only is None:
            hold = self.holds.setdefault(None, Hold())
            self.flag("not_in_custody", fact)
            hold.move("released", fact, self.steps)
        self._last_general_release = fact

    def _hand_over(self, fact: Fact) -> None:
        """End the holds of other jurisdictions, from which *fact*, an extradition, takes the person."""
        place = fact.data.get("jurisdiction")
        for hold in self.holds.values():
            other = hold.fact.data.get("jurisdiction") if hold.fact is not None else None
            if hold.is_active and hold.fact is not fact and place and other and place != other:
                hold.move("released", fact, self.steps)


def is_seizure(fact: Fact) -> bool:
    """Return whether *fact* begins custody; an arrest in absentia begins a search."""
    return fact.type in _SEIZURES and not (fact.type == "Arrested" and fact.data.get("in_absentia", False))


def is_general_release(fact: Fact) -> bool:
    """Return whether *fact* is a release that names no case: it ends every hold that began before it."""
    return fact.type == "Released" and "case_id" not in fact.data


def hold_key(holds: dict[str | None, Hold], fact: Fact) -> str | None:
    """Return the case of the hold that *fact* will concern, as far as *holds* before it tell."""
    case_id: str | None = fact.data.get("case_id")
    if case_id is None:
        return caseless_key(holds, fact)
    own, unnamed = holds.get(case_id), holds.get(None)
    takes_over = unnamed is not None and unnamed.is_active and not (own is not None and own.is_active)
    return None if takes_over else case_id


def caseless_key(holds: dict[str | None, Hold], fact: Fact) -> str | None:
    """Return the case of the hold that *fact*, which names none, concerns: bail concerns the only hold there is."""
    active = [key for key, hold in holds.items() if hold.is_active]
    return active[0] if fact.type in _CASELESS_ENDS and None not in active and len(active) == 1 else None
