"""Relations between a follow-up and its anchor: the same value in a field, or a value that is new (`same`, `new`)."""

from collections.abc import Collection
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from events.edtf import certainly_before, possibly_before
from events.facts import Fact
from events.text import comparison_form
from events.vocabulary import DATA, TRACKS
from projections.history.history import History
from projections.history.lookup import reports_of

from .clauses import Truth, all_hold
from .where import Where

WORDED = frozenset({"post", "agency"})
"""The fields in which two spellings of the same words are the same value. The others are ids and codes."""


class Related(NamedTuple):
    """
    The conditions of a rule on a follow-up beside its anchor.

    Attributes:
        where: conditions on data; None: there are none.
        same, new: fields to compare.
        roles: the names of the follow-up in `where`.
        earlier: in a chain, the names of the step before the follow-up.
        beside: conditions on the anchor that the same report of it must fulfil; None: there are none.
    """

    where: Where | None
    same: frozenset[str]
    new: frozenset[str]
    roles: tuple[str, ...]
    earlier: tuple[str, ...] = ()
    beside: Where | None = None

    @property
    def reads_previous(self) -> bool:
        """Whether `where` names the step before the follow-up."""
        return self.where is not None and not self.where.roles.isdisjoint(self.earlier)

    def hold(self, anchor: Fact, follow: Fact, history: History, previous: Fact | None = None) -> Truth:
        """
        Return whether they hold, by one report of each event alone.

        Args:
            anchor: the anchor.
            follow: the follow-up.
            history: the facts that count.
            previous: the fact of the step before the follow-up; None: this is the anchor.
        """
        befores = None if previous is None else reports_of(history, previous)
        answers = {
            self._hold_of(_Reports(one, before, other), anchor, follow, history)
            for one in self._starting(reports_of(history, anchor))
            for before in befores or (one,)
            for other in reports_of(history, follow)
        }
        # A report that decides counts more than one that says too little.
        return True if True in answers else False if False in answers else None

    def _starting(self, reports: list[Fact]) -> list[Fact]:
        """Return those of *reports* of the anchor that fulfil the conditions on it alone; all, if none does."""
        own = [_about_anchor(where) for where in (self.beside, self.where) if where is not None and len(reports) > 1]
        # A report from which no rule starts must not decide against a follow-up that another one leaves open.
        return [one for one in reports if all(where is None or _holds_alone(where, one) for where in own)] or reports

    def _hold_of(self, reports: "_Reports", event: Fact, following: Fact, history: History) -> Truth:
        anchor, before, follow = reports

        def same(name: str) -> Truth:
            return has_same(name, anchor, follow)

        def new(name: str) -> Truth:
            return has_new(name, follow, event, following, history)

        facts = {"anchor": anchor, **dict.fromkeys(self.earlier, before), **dict.fromkeys(self.roles, follow)}
        where = (one.holds(facts, same, new) for one in (self.beside, self.where) if one is not None)
        # The cheapest first: one that does not hold saves the others.
        return all_hold(chain(map(same, self.same), where, map(new, self.new)))


class _Reports(NamedTuple):
    """One report each of the anchor, of the fact before the follow-up, and of the follow-up."""

    anchor: Fact
    before: Fact
    follow: Fact


def applies(where: Where | None, jurisdictions: Collection[str], anchor: Fact, history: History) -> bool:
    """Return whether reports of the event of *anchor* name one of *jurisdictions*, if any, and fulfil *where*."""
    own = _about_anchor(where) if where is not None else None
    if not jurisdictions and own is None:
        return True
    reports = reports_of(history, anchor)
    places = {place.casefold() for place in jurisdictions}
    placed = not places or any(str(report.data.get("jurisdiction", "")).casefold() in places for report in reports)
    return placed and (own is None or any(_holds_alone(own, report) for report in reports))


def _holds_alone(own: Where, report: Fact) -> bool:
    """Return whether *report* of an anchor fulfils *own*, which are conditions on the anchor alone."""
    return own.holds({"anchor": report}, undecided, undecided) is True


@lru_cache(maxsize=1024)
def _about_anchor(where: Where) -> Where | None:
    return where.about("anchor")


def has_same(name: str, anchor: Fact, follow: Fact) -> Truth:
    """Return whether both facts have the same value in the field *name*; None if one of them does not name it."""
    one, other = _value(name, anchor), _value(name, follow)
    return None if one is None or other is None else one == other


def has_new(name: str, follow: Fact, anchor: Fact, event: Fact, history: History) -> Truth:
    """
    Return whether *follow* has a value in the field *name* that was not there before the anchor.

    None: it does not name the field, or a fact that was only possibly before the anchor, or has no year, had the value.

    Args:
        name: the field.
        follow: a report of the follow-up.
        anchor: the anchor. Its own value, and those of its reports, are not new.
        event: the fact that stands for the follow-up, whose own reports are left out.
        history: the facts that count.
    """
    value = _form(name, follow.data.get(f"to_{name}", follow.data.get(name)))
    if value is None:
        return None
    own = {report.id for report in reports_of(history, event)}
    anchors = {report.id for report in reports_of(history, anchor)}
    answer: Truth = True
    for fact in (*history.counting.values(), *history.undated):
        if fact.id in own or value not in {_value(name, fact), _value(f"to_{name}", fact)}:
            continue
        if fact.id in anchors or certainly_before(fact.occurred, anchor.occurred):
            return False
        if not fact.occurred.dated or possibly_before(fact.occurred, anchor.occurred):
            answer = None
    return answer


def undecided(name: str) -> Truth:
    """Return None: without a follow-up, no relation to it can be decided."""
    del name
    return None


def types_with(names: Collection[str]) -> frozenset[str]:
    """Return the fact types that can have one of the fields *names*."""
    fields = {*names, *(f"to_{name}" for name in names)}
    kinds = (kind for track, of_track in TRACKS.items() if track != "meta" for kind in of_track)
    return frozenset(kind for kind in kinds if DATA[kind].__annotations__.keys() & fields)


def _value(name: str, fact: Fact) -> Any:  # noqa: ANN401 - a text, or None
    return _form(name.removeprefix("to_"), fact.data.get(name))


def _form(name: str, value: Any) -> Any:  # noqa: ANN401 - a text, or None
    return comparison_form(value) if name in WORDED and isinstance(value, str) else value
