"""
Reports of one event (docs/design.md, 3.2): facts that agree are one event, and the best of them stands for it.

Three papers that report one dismissal state one event. Only the fact that stands for it changes the status. Every
report stays in the history with its source.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from events.edtf import BEGINNING, END_OF_TIME, LOCAL_DAY_SLACK, overlaps
from events.facts import Fact
from events.text import comparison_form
from events.vocabulary import TRACK_OF

EVENT_TRACKS: Final = frozenset({"service", "case", "custody", "measure"})
EVENT_TYPES: Final = frozenset(type_ for type_, track in TRACK_OF.items() if track in EVENT_TRACKS)
"""The types of facts that are reports of an event."""

_WORDED: Final = frozenset({"post", "agency", "region", "to_post", "to_agency"})
# The fields that can change a status. Two reports of one event do not differ in a field that both name.
_TELLING: Final = (
    *("case_id", "charges", "kind", "by", "outcome", "final", "rehabilitating", "scope", "in_absentia"),
    *("jurisdiction", "post", "agency", "region", "post_id", "to_post", "to_agency", "to_post_id"),
)
# Two countries can impose a sanction on one day, so measures are also compared by these.
_TELLING_OF_MEASURES: Final = ("authority", "program", "title")
_OPEN: Final = timedelta.max

Tied = Callable[[Fact, Fact], bool]


def compatible(one: object, other: object) -> bool:
    """Return whether two values are equal, or one of them is None, which means that it is not named."""
    return one is None or other is None or one == other


def agree(one: Fact, other: Fact) -> bool:
    """Return whether two facts of one type can be reports of one event: they overlap, and no named field differs."""
    if not overlaps(one.occurred, other.occurred):
        return False
    first, second = one.data, other.data
    telling = (*_TELLING, *_TELLING_OF_MEASURES) if TRACK_OF[one.type] == "measure" else _TELLING
    return not any(name in first and name in second and _differ(name, first[name], second[name]) for name in telling)


def reports_by_type(by_type: Mapping[str, Sequence[Fact]], tied: Tied | None = None) -> dict[str, str]:
    """
    Return the reports among the facts of each type, as `grouped` does; types without events are left out.

    Args:
        by_type: facts that count, by type.
        tied: as for `grouped`.
    """
    stands_for: dict[str, str] = {}
    for type_, facts in by_type.items():
        if len(facts) > 1 and type_ in EVENT_TYPES:
            stands_for |= grouped(facts, tied)
    return stands_for


def grouped(facts: Sequence[Fact], tied: Tied | None = None) -> dict[str, str]:
    """
    Return the reports among *facts*: for each, the id of the fact that stands for its event.

    The facts that stand for an event are left out. The result does not depend on the order of *facts*.

    Args:
        facts: facts of one type that count.
        tied: returns whether a source says of two facts that one came after the other: then they are two events.
    """
    stands_for: dict[str, str] = {}
    for cluster in _clusters(facts):
        _group(cluster, tied, stands_for)
    return stands_for


def _clusters(facts: Sequence[Fact]) -> Iterator[list[Fact]]:
    """Yield *facts* in parts that do not overlap each other, so that not every pair has to be compared."""
    cluster: list[Fact] = []
    end: datetime | None = None
    for fact in sorted(facts, key=_start):
        if cluster and end is not None and _start(fact) - end >= LOCAL_DAY_SLACK:
            yield cluster
            cluster, end = [], None
        latest = fact.occurred.latest or END_OF_TIME
        end = latest if end is None else max(end, latest)
        cluster.append(fact)
    if cluster:
        yield cluster


def _start(fact: Fact) -> datetime:
    return fact.occurred.earliest or BEGINNING


def _group(cluster: Sequence[Fact], tied: Tied | None, stands_for: dict[str, str]) -> None:
    left = sorted(cluster, key=quality) if len(cluster) > 1 else []
    while left:
        best, members, rest = left[0], [left[0]], list[Fact]()
        for fact in left[1:]:
            if agree(best, fact) and not (tied and any(tied(fact, member) for member in members)):
                members.append(fact)
                stands_for[fact.id] = best.id
            else:
                rest.append(fact)
        left = rest


def quality(fact: Fact) -> tuple[timedelta, bool, int, str]:
    """
    Return the sort key of *fact* among reports of one event, best first.

    Narrow spans come before wide ones, then unmarked before marked ones. Then the report comes first that names more of
    the fields that can change a status. Without that, a report without charges would hide one that states them.
    """
    earliest, latest, marked = fact.occurred.earliest, fact.occurred.latest, fact.occurred.marked
    width = _OPEN if earliest is None or latest is None else latest - earliest
    return (width, marked, -sum(name in fact.data for name in _TELLING), fact.id)


def _differ(name: str, one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON value
    if name in _WORDED:
        return comparison_form(one) != comparison_form(other)
    return bool(one != other)
