"""The searches for one person (docs/design.md, 3.5): each is one case, one scope and one jurisdiction."""

from collections.abc import Sequence
from typing import NamedTuple

from events.facts import Fact
from projections.history.reports import compatible


class Search(NamedTuple):
    """One search that stands: for a case, by a jurisdiction, as wide as its scope."""

    case_id: str | None
    scope: str
    jurisdiction: str | None
    fact: Fact


def with_search(searches: list[Search], fact: Fact) -> list[Search]:
    """Return *searches* with the one that *fact* declares, unless the same search stands already."""
    data = fact.data
    search = Search(data.get("case_id"), data.get("scope", "national"), data.get("jurisdiction"), fact)
    return searches if any(search[:3] == other[:3] for other in searches) else [*searches, search]


def cancelled(searches: Sequence[Search], fact: Fact) -> list[Search]:
    """Return those of *searches* that *fact*, a cancellation, ends: those of its own authority, else all that agree."""
    data = fact.data
    named = (data.get("case_id"), data.get("scope"), data.get("jurisdiction"))

    def agrees(search: Search) -> bool:
        own = (search.case_id, search.fact.data.get("scope"), search.jurisdiction)
        return all(map(compatible, named, own))

    agreeing = [search for search in searches if agrees(search)]
    authority = data.get("authority")
    if authority is None:
        return agreeing
    return [search for search in agreeing if search.fact.data.get("authority") == authority] or agreeing


def left_after_arrest(searches: Sequence[Search], fact: Fact) -> list[Search]:
    """Return those of *searches* that stand after *fact*, which put the person into custody: other jurisdictions'."""
    place = fact.data.get("jurisdiction")
    return [search for search in searches if place and search.jurisdiction and search.jurisdiction != place]
