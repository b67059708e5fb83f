"""
One choice of instants for a chain of facts: bounds on differences, closed by shortest paths (docs/design.md, 4.5).

Each fact has one instant within its span. An end that is a day is the local day of some place, so all such ends move
together against the exact ends, by one unknown time under 14 hours in either direction.

A bound says that one instant minus another is at most a number of ticks. A bound that must not be reached is one tick
less. A microsecond has 16 ticks, and no path over the few instants has so many bounds, so the answer is exact.
"""

from datetime import datetime, timedelta
from operator import ge
from typing import Final, NamedTuple, TypeAlias

from events.edtf import BEGINNING, LOCAL_DAY_SLACK, Span

Bounds: TypeAlias = tuple[tuple[int, ...], ...]
"""For each two of the instants below, the most that the first minus the second can be."""

Between: TypeAlias = tuple[int, int]
"""The first and the last tick at which something can happen."""

_TICKS: Final = 16
_NONE: Final = 1 << 100
_ZERO, _SHIFT, _FIRST, _LAST = range(4)
"""The instants: the beginning of time, the shift of days against it, the first fact, and the last fact so far."""
_MICROSECOND: Final = timedelta(microseconds=1)
_SLACK: Final = LOCAL_DAY_SLACK // _MICROSECOND * _TICKS - 1


class Ends(NamedTuple):
    """The ends of a span in ticks, each counted from the instant with this index; None: an open end."""

    earliest: int | None
    earliest_from: int
    latest: int | None
    latest_from: int


def ends_of(span: Span) -> Ends:
    """Return the ends of *span*."""
    return Ends(
        None if span.earliest is None else _ticks(span.earliest),
        _ZERO if span.earliest_exact else _SHIFT,
        None if span.latest is None else _ticks(span.latest),
        _ZERO if span.latest_exact else _SHIFT,
    )


def less_than(length: timedelta) -> int:
    """Return the bound of a difference that is less than *length*."""
    return length // _MICROSECOND * _TICKS - 1


def started(ends: Ends) -> Bounds | None:
    """Return the bounds of a chain of one fact; None: there is no instant for it."""
    alone: Bounds = ((0, _SLACK), (_SLACK, 0))
    above, below = _around(ends, 2)
    closed = _with(alone, above, below)
    # The first fact is the last one so far.
    return closed and tuple((*row, row[_FIRST]) for row in (*closed, closed[_FIRST]))


def followed(bounds: Bounds, ends: Ends, within: int, whole: int | None) -> Bounds | None:
    """
    Return the bounds once another fact follows; None: no choice of instants is left.

    Args:
        bounds: those of the chain so far.
        ends: those of the fact's span.
        within: the bound of the time since the last fact.
        whole: the bound of the time since the first fact; None: there is none.
    """
    above, below = _around(ends, 4)
    above[_LAST] = within
    below[_LAST] = -1
    if whole is not None:
        above[_FIRST] = min(above[_FIRST], whole)
    closed = _with(bounds, above, below)
    if closed is None:
        return None
    kept = (_ZERO, _SHIFT, _FIRST, 4)
    return tuple(tuple(_normal(closed[one][other]) for other in kept) for one in kept)


def covers(wide: Bounds, narrow: Bounds) -> bool:
    """Return whether each choice of instants within *narrow* is within *wide*."""
    return all(all(map(ge, one, other)) for one, other in zip(wide, narrow, strict=True))


def last_between(bounds: Bounds) -> Between:
    """Return the ticks between which the last fact lies."""
    return (-bounds[_ZERO][_LAST], bounds[_LAST][_ZERO])


def alone_between(ends: Ends) -> Between:
    """Return the ticks between which a fact with *ends* lies, whatever the shift of days."""
    low, high = ends.earliest, ends.latest
    return (
        -_NONE if low is None else low - (_SLACK if ends.earliest_from == _SHIFT else 0),
        _NONE if high is None else high + (_SLACK if ends.latest_from == _SHIFT else 0),
    )


def _around(ends: Ends, size: int) -> tuple[list[int], list[int]]:
    """Return the bounds of an instant between *ends* over each of *size* others, and of each of them over it."""
    above, below = [_NONE] * size, [_NONE] * size
    if ends.latest is not None:
        above[ends.latest_from] = ends.latest
    if ends.earliest is not None:
        below[ends.earliest_from] = -ends.earliest
    return above, below


def _with(bounds: Bounds, above: list[int], below: list[int]) -> Bounds | None:
    """Return closed *bounds* with one more instant, closed again; None: they contradict each other."""
    size = range(len(bounds))
    out = [min(above[via] + bounds[via][to] for via in size) for to in size]
    if min(out[via] + below[via] for via in size) < 0:
        return None
    into = [min(bounds[start][via] + below[via] for via in size) for start in size]
    rows = [(*(min(bounds[a][b], into[a] + out[b]) for b in size), into[a]) for a in size]
    return (*rows, (*out, 0))


def _normal(bound: int) -> int:
    """Return *bound* in one form: no bound, a number of microseconds, or one tick less."""
    if bound >= _NONE >> 1:
        return _NONE
    return -(-bound // _TICKS) * _TICKS - (bound % _TICKS != 0)


def _ticks(instant: datetime) -> int:
    return (instant - BEGINNING) // _MICROSECOND * _TICKS
