"""
A second reading of limits: day by day, as plain and as slow as possible (docs/rules.md, Limits).

A law is in force on whole local days. So each day on which the anchor may lie is looked up by itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from events.edtf import LOCAL_DAY_SLACK, Span

FIRST, LAST = date(2021, 12, 1), date(2022, 7, 31)
"""Days beyond which the entries of a test do not change. An open end reaches as far."""


class Entry(NamedTuple):
    """One value of a limit; `until` is the last day in force."""

    place: str
    since: date
    until: date | None
    value: timedelta
    longest: timedelta | None


def days_of(span: Span) -> Iterator[date]:
    """Yield each day, of some place, on which something in *span* may have happened."""
    first, last = FIRST, LAST
    if span.earliest is not None:
        first = (span.earliest - (LOCAL_DAY_SLACK if span.earliest_exact else timedelta(0))).date()
    if span.latest is not None:
        end = span.latest + (LOCAL_DAY_SLACK if span.latest_exact else timedelta(0))
        last = (end - timedelta(microseconds=1)).date()
    yield from (first + timedelta(days=number) for number in range((last - first).days + 1))


def length_at(entries: Sequence[Entry], places: Iterable[str], span: Span, reading: str) -> timedelta | None:
    """
    Return the length for an anchor in *span*, with reports that name *places*; None if there is none.

    Args:
        entries: all entries of the limit.
        places: the jurisdictions.
        span: the span of the anchor.
        reading: longest, shortest or possible.
    """
    lengths = []
    for place in places:
        for day in days_of(span):
            here = [e for e in entries if e.place == place and e.since <= day and (e.until is None or day <= e.until)]
            if not here and reading != "possible":
                return None
            lengths += [e.value if reading == "shortest" else e.longest or e.value for e in here]
    if not lengths:
        return None
    return min(lengths) if reading == "shortest" else max(lengths)
