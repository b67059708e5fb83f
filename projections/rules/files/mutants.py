"""
Rules that were changed on purpose: each duration halved and doubled, each condition dropped.

A test that passes with such a rule too proves nothing about that place. The changes are made in the keys and values as
they were written, so that a new key needs nothing here. A change that leaves no valid rule is for the caller to skip.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from projections.rules.limits import LimitEntry
from projections.rules.values import duration

from .limit_table import Table
from .yaml_source import Loc

DURATIONS: Final = frozenset({"for", "settle", "within", "before"})
"""The keys that take a time."""
NOT_CONDITIONS: Final = frozenset(
    {"id", "title", "severity", "explain", "ended_explain", "retracted_explain", "why", "wrong_when", "enabled"}
)
"""The keys without influence on the pattern."""
ALTERNATIVES: Final = frozenset({"any", "steps"})
"""The keys with lists of which each item is a condition by itself. The words of other lists are one condition."""

_WRITTEN: Final = re.compile("P[0-9WDTHMS]+", re.ASCII)


class Mutant(NamedTuple):
    """
    A changed rule.

    Attributes:
        loc: the place of the change in the rule.
        change: *halved*, *doubled* or *dropped*.
        before: the duration before the change; empty if a condition was dropped.
        after: the duration after it.
        data: the keys and values of the changed rule.
        limit: the limit of which every value is changed instead; empty: none is.
    """

    loc: Loc
    change: str
    before: str
    after: str
    data: dict[str, Any]
    limit: str = ""

    def table(self, table: Table) -> Table:
        """Return *table*, with the values of the limit changed."""
        if not self.limit:
            return table
        factor = 0.5 if self.change == "halved" else 2
        return {**table, self.limit: tuple(_scaled(entry, factor) for entry in table[self.limit])}


def mutants(data: Mapping[str, Any]) -> Iterator[Mutant]:
    """Yield each change of the rule with the keys and values *data*, as they were written."""
    for loc, value in _places(data, ()):
        if loc[-1] in DURATIONS and isinstance(value, str) and _WRITTEN.fullmatch(value) and "where" not in loc:
            seconds = int(duration(value).total_seconds())
            for change, length in (("halved", seconds // 2), ("doubled", seconds * 2)):
                after = _duration(length)
                yield Mutant(loc, change, value, after, _changed(data, loc, after))
        elif loc[-1] in DURATIONS and isinstance(value, dict) and "where" not in loc:
            for change in ("halved", "doubled"):
                yield Mutant(loc, change, f"limit {value['limit']}", "each value", dict(data), value["limit"])
        yield Mutant(loc, "dropped", "", "", _changed(data, loc, None))


def _places(value: object, loc: Loc) -> Iterator[tuple[Loc, object]]:
    """Yield the place of each key that can be a condition, and of each item of the lists of `ALTERNATIVES`."""
    inner: Iterator[tuple[int | str, object]] = iter(())
    if isinstance(value, Mapping):
        left_out = {"as"} if loc else NOT_CONDITIONS
        inner = ((key, held) for key, held in value.items() if key not in left_out)
    elif isinstance(value, list) and loc[-1] in ALTERNATIVES:
        inner = iter(enumerate(value))
    for step, held in inner:
        yield (*loc, step), held
        yield from _places(held, (*loc, step))


def _changed(value: Any, loc: Loc, new: str | None) -> Any:  # noqa: ANN401 - any value of a YAML file
    """Return *value* with *new* in place of the value at *loc*; None: without that value."""
    step, rest = loc[0], loc[1:]
    held = dict(value) if isinstance(value, Mapping) else dict(enumerate(value))
    if rest:
        held[step] = _changed(held[step], rest, new)
    elif new is None:
        del held[step]
    else:
        held[step] = new
    return held if isinstance(value, Mapping) else list(held.values())


def _scaled(entry: LimitEntry, factor: float) -> LimitEntry:
    longest = entry.longest and entry.longest * factor
    return entry.model_copy(update={"value": entry.value * factor, "longest": longest})


def _duration(seconds: int) -> str:
    length = timedelta(seconds=seconds)
    time = f"T{length.seconds}S" if length.seconds else ""
    return f"P{length.days}D{time}" if length.days or not time else f"P{time}"
