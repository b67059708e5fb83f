"""
Reports of one event (MODEL 2): facts that agree are one occurrence, and the best of them stands for it.

Three papers that report one dismissal state one event. Only the fact that stands for it changes the status; every
report stays in the history with its source.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from events.edtf import END_OF_TIME, LOCAL_DAY_SLACK, overlaps
from events.facts import Fact
from events.text import folded
from events.vocabulary import TRACK_OF

EVENT_TRACKS: Final = frozenset({"service", "case", "custody", "measure"})
EVENT_TYPES: Final = frozenset(type_ for type_, track in TRACK_OF.items() if track in EVENT_TRACKS)
"""The types whose facts are reports of an event."""

_WORDED: Final = frozenset({"post", "agency", "region", "to_post", "to_agency"})
# What can change a status, so that two reports of one event do not differ in it where both name it.
_TELLING: Final = (
    *("case_id", "charges", "kind", "by", "outcome", "final", "rehabilitating", "scope", "in_absentia"),
    *("jurisdiction", "post", "agency", "region", "post_id", "to_post", "to_agency", "to_post_id"),
)
# Two countries can impose a sanction on one day.
_TELLING_OF_MEASURES: Final = ("authority", "program", "title")
_OPEN: Final = timedelta.max
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)

Tied = Callable[[Fact, Fact], bool]


def compatible(one: object, other: object) -> bool:
    """Whether two values are equal as far as both are named; None: it is not."""
    return one is None or other is None or one == other


def agree(one: Fact, other: Fact) -> bool:
    """Whether two facts of one type can be reports of one event: they overlap, and differ in nothing that counts."""
    if not overlaps(one.occurred, other.occurred):
        return False
    first, second = one.data, other.data
    telling = (*_TELLING, *_TELLING_OF_MEASURES) if TRACK_OF[one.type] == "measure" else _TELLING
    return not any(name in first and name in second and _differ(name, first[name], second[name]) for name in telling)


def grouped(facts: Sequence[Fact], tied: Tied | None = None) -> dict[str, str]:
    """
    Return the reports among *facts*, all of one type: for each, the fact that stands for its event.

    Facts that stand for an event themselves are left out. The result does not depend on the order of *facts*.

    Args:
        facts: facts of one type that count.
        tied: whether a source says of two facts that one comes behind the other, so that they are two events.
    """
    stands_for: dict[str, str] = {}
    for cluster in _clusters(facts):
        _group(cluster, tied, stands_for)
    return stands_for


def _clusters(facts: Sequence[Fact]) -> Iterator[list[Fact]]:
    """Yield *facts* in parts of which none overlaps another, so that not every pair has to be compared."""
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
    return fact.occurred.earliest or _BEGINNING


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
    Return the place of *fact* among reports of one event, best first.

    Narrow comes before wide, sure before marked, and of equals the one that names more of the fields that can change
    a status: a report that leaves out the charges would else hide one that states them.
    """
    earliest, latest, marked = fact.occurred.earliest, fact.occurred.latest, fact.occurred.marked
    width = _OPEN if earliest is None or latest is None else latest - earliest
    return (width, marked, -sum(name in fact.data for name in _TELLING), fact.id)


def _differ(name: str, one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON value
    if name in _WORDED:
        return folded(one) != folded(other)
    return bool(one != other)
