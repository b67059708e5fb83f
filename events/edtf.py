"""
Dates as precise as the source states them, and not more precise: EDTF (ISO 8601-2), read as spans in UTC.

The `edtf` library only checks the places of the marks ``~ ? %``; the spans are computed here. Its version 5.0.2 drops
the time and the zone of a date-time, widens marked dates and returns days that do not exist (``202X-02-29``). It
crashes on ``2022-1X`` and ``2022-03-2X``. It does not know ``10:00Z``, fractions, ``+00:00``, or date-times in
intervals.
"""

import json
import re
from collections.abc import Iterator
from datetime import MAXYEAR, UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import product
from typing import Final, NamedTuple

from events.errors import BadDate

# A day is the local day of some place: it begins and ends up to this long before or after the day in UTC.
LOCAL_DAY_SLACK: Final = timedelta(hours=14)
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
LONGEST: Final = 100
NO_TIME: Final = timedelta(0)


class Span(NamedTuple):
    """
    A half-open span in UTC in which something can have happened.

    Attributes:
        earliest: aware UTC; None for an open start and for an undated span.
        latest: aware UTC, the exclusive end; None for an open end and for an undated span.
        earliest_exact: whether the start comes from a date-time with zone, not from a calendar date (the local day of
            some place).
        latest_exact: likewise for the end.
        marked: whether ``~``, ``?`` or ``%`` stands anywhere in the date.
        dated: False if the whole year is unspecified (``XXXX-12``). Such a span orders nothing, and both ends are None.
    """

    earliest: datetime | None
    latest: datetime | None
    earliest_exact: bool
    latest_exact: bool
    marked: bool
    dated: bool


@lru_cache(maxsize=65536)
def parse(text: str) -> Span:
    """
    Return the span of *text*: a date, month, year, date-time with zone or interval.

    Marks and unspecified digits are accepted. Marks do not widen the span. Years run from 0001 to 9999; at the end of
    9999 ``latest`` is the last microsecond.

    Raises:
        BadDate: if *text* has another form, or fits no day that exists; with the finding and the wanted form.
    """
    if len(text) > LONGEST:
        raise BadDate(f"{json.dumps(text[:40])}... is {len(text)} characters long", f"at most {LONGEST}")
    start, slash, end = text.partition("/")
    return _interval(text, start, end) if slash else _point(text)


def certainly_before(a: Span, b: Span) -> bool:
    """
    Return whether *a* certainly ended before *b* began; never for marked or undated spans.

    A day is the local day of some place, so between a day and a date-time there must be `LOCAL_DAY_SLACK` to spare.
    """
    return not a.marked and not b.marked and begins_after(b, a)


def begins_after(a: Span, b: Span) -> bool:
    """Return whether *a* begins when *b* has ended, without regard to marks: the order of two facts of one person."""
    if a.earliest is None or b.latest is None:
        return False
    return a.earliest - b.latest >= slack(a.earliest_exact, b.latest_exact)


def possibly_before(a: Span, b: Span) -> bool:
    """Return whether *a* can have happened before *b*. An open end is infinite; an undated span orders nothing."""
    if not (a.dated and b.dated):
        return False
    if a.earliest is None or b.latest is None or a.earliest < b.latest:
        return True
    return a.earliest - b.latest < slack(a.earliest_exact, b.latest_exact)


def overlaps(a: Span, b: Span) -> bool:
    """Return whether *a* and *b* can have happened at the same time."""
    return possibly_before(a, b) and possibly_before(b, a)


def later(instant: datetime | None, delay: timedelta) -> datetime:
    """Return *instant* plus *delay*; the end of time where that is past the calendar's end, or *instant* is None."""
    if instant is None or END_OF_TIME - instant < delay:
        return END_OF_TIME
    return instant + delay


def slack(one_exact: bool, other_exact: bool) -> timedelta:  # noqa: FBT001 - two ends alike
    """Return the time to spare between two ends: `LOCAL_DAY_SLACK` between a calendar date and a date-time."""
    return NO_TIME if one_exact == other_exact else LOCAL_DAY_SLACK


def bound(occurred: Span, published: Span) -> tuple[Span, bool]:
    """
    Return *occurred*, cut to end no later than *published* does, and whether it is announced.

    A published fact cannot have happened later. A fact of the 27th can be published early on the 27th in another place,
    so between a date and a date-time there are `LOCAL_DAY_SLACK` to spare. A span that begins at or after the end of
    *published* is announced: it is ahead. It is returned unchanged, like an undated span. If a marked *published* cuts
    a span, the result is marked.
    """
    end = published.latest
    if end is None or not occurred.dated:
        return occurred, False
    if occurred.earliest is not None and occurred.earliest >= _later(
        end, slack(occurred.earliest_exact, published.latest_exact)
    ):
        return occurred, True
    alike = occurred.earliest_exact == occurred.latest_exact == published.latest_exact
    cap = end if alike else _later(end, LOCAL_DAY_SLACK)
    if occurred.latest is not None and occurred.latest <= cap:
        return occurred, False
    marked = occurred.marked or published.marked
    return occurred._replace(latest=cap, latest_exact=published.latest_exact, marked=marked), False


def parse_instant(text: str) -> datetime:
    """
    Return the instant of *text*, aware UTC: that of an RFC 3339 date-time, or the end of a date, month or year.

    Raises:
        BadDate: if *text* has another form, or is vague: marked, an interval, or with unspecified digits.
    """
    span = parse(text)
    instant = span.earliest if span.earliest_exact else span.latest
    if instant is None or not _PLAIN.fullmatch(text):
        raise BadDate(f"{json.dumps(text)} is not an instant", "a date-time with zone, or a date, month or year")
    return instant


def format_instant(instant: datetime) -> str:
    """
    Return the aware *instant* in UTC as ``YYYY-MM-DDTHH:MM:SSZ``, with six digits of a second if they are not zero.

    Raises:
        ValueError: if *instant* is naive. It could only be read in the zone of the machine.
    """
    if instant.tzinfo is None:
        message = f"{instant.isoformat()} has no time zone"
        raise ValueError(message)
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


_WANTED: Final = "EDTF, such as 2024-01-13 or 2024-01"
_DATE = re.compile(r"([0-9X]{4})(?:-([0-9X]{2})(?:-([0-9X]{2}))?)?")
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::([0-5][0-9])(?:\.([0-9]{1,6}))?)?"
    r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
)
_PLAIN = re.compile(rf"[0-9]{{4}}(?:-[0-9]{{2}}){{0,2}}|{_DATE_TIME.pattern}")
_MARKS = str.maketrans("", "", "?~%")
_OPEN: Final = ("", "..")

_OPEN_END: Final = "an open end as .., such as 2022-03/.. or ../2022-03"
# An end left open in other words or signs, alone or behind a date and a stroke.
_NOW: Final = (
    r"(?i:present|now|today|current(ly)?|ongoing|open|unknown|none|null|tbd|n/a|-|\*|\u2026|\.{1,3}[?~%]*|[?~%]+)"
)
_STROKE: Final = r"\s*(-|/|\u2013|\u2014|(?i:to|until|till))\s*"
_SINCE: Final = r"(?i:since|from|after|before|until|till|by|up to|as of)\b.*"
_NO_DAY: Final = r"[0-9]{4}-(0[1-9]|1[0-2])-[0-9]{2}[?~%]?"
_NO_MATCH: Final = r"(?=.*X)[0-9X]{4}(-[0-9X]{2}){1,2}"

# Forms that people and tools write and that are refused, the most specific first, each with the wanted form.
_REFUSED: Final = tuple(
    (re.compile(pattern, re.DOTALL), what, wanted)
    for pattern, what, wanted in (
        (r"", "is empty", _WANTED),
        (r"\s.*|.*\s", "has white space around it", "the date alone"),
        (rf"({_NOW}|{_SINCE}|[0-9X-]+({_STROKE}{_NOW}?|\s*\+))", "is not a date", _OPEN_END),
        (r".*[^\x00-\x7f].*", "has characters that are not ASCII", "the digits 0 to 9"),
        (r"[\[{].*", "is a set of dates", "one date or an interval, such as 2022-03/2022-05"),
        (r"Y.*|[0-9]+[ES][0-9]+", "is a long, exponential or rounded year", "a year from 0001 to 9999"),
        (r"-[0-9]{4}.*", "is a year before 0001", "a year from 0001 to 9999"),
        (r"0000(-.*)?", "is in the year 0000", "a year from 0001 to 9999"),
        (r"[0-9X-]+[xt].*|x.*|.*[0-9]z", "has a lower-case letter", "capital X, T and Z"),
        (r"[0-9]{4}-(2[1-9]|3[0-9]|4[01])[?~%]?", "is a season", "a month or months, such as 2022-03/2022-05"),
        (r"[^T]*T24:.*", "is at hour 24", "00:00 of the next day"),
        (r"[^T]*T[0-9]{2}:[0-9]{2}:60.*", "is at a leap second", "a second from 00 to 59"),
        (r"[^T]*T[0-9:.]+", "has no time zone", "Z or an offset such as +06:00"),
        (r"[^T]*T.*\.[0-9]{7,}.*", "has more than six digits after the second", "microseconds at most"),
        (r"[^T]*T.*[+-](?!14:00)(1[4-9]|[2-9][0-9]):[0-9]{2}", "has an offset beyond 14:00", "-14:00 to +14:00"),
        (r"[^T]*T.*[+-][0-9]{2}([0-9]{2})?", "has an offset in another form", "Z or an offset such as +06:00"),
        (r"[^T]*T.*[?~%].*", "is a date-time with a mark", "a marked date, or an interval of date-times"),
        (rf"{_NO_DAY}|{_NO_MATCH}", "fits no day of the calendar", "a day that exists, such as 2024-02-29"),
    )
)


def _interval(text: str, start: str, end: str) -> Span:
    """Return the span from the earliest start to the latest end; an end that is missing, or ``..``, is open."""
    if start in _OPEN and end in _OPEN:
        raise BadDate(f"{json.dumps(text)} is open at both ends", "an interval with a start or an end")
    first = _OPEN_SPAN if start in _OPEN else _end(text, start)
    last = _OPEN_SPAN if end in _OPEN else _end(text, end)
    if not (first.dated and last.dated):
        raise BadDate(f"{json.dumps(text)} has an end without a year", "a year, or .. for an end that is not known")
    if first.earliest is not None and last.latest is not None and first.earliest >= last.latest:
        raise BadDate(f"{json.dumps(text)} ends before it starts", "the start first; a day is counted in UTC")
    marked = first.marked or last.marked
    return Span(first.earliest, last.latest, first.earliest_exact, last.latest_exact, marked, dated=True)


def _end(text: str, end: str) -> Span:
    """Return the span of one *end* of the interval *text*; an error quotes the whole interval."""
    try:
        return _point(end)
    except BadDate as bad:
        raise BadDate(f"{json.dumps(text)}: {bad.what}", bad.wanted) from None


_OPEN_SPAN: Final = Span(None, None, earliest_exact=False, latest_exact=False, marked=False, dated=True)


def _point(text: str) -> Span:
    """Return the span of *text*, a date or date-time and not an interval."""
    if match := _DATE_TIME.fullmatch(text):
        return _date_time(text, match)
    bare = text.translate(_MARKS)
    match = _DATE.fullmatch(bare)
    # One mark behind the whole date is correct (level 1), and nearly all marked dates have that form.
    # Pairs of digits become 10, a real month and day, so that one slow call of the library serves all dates of a form.
    if not match or (bare not in (text, text[:-1]) and not _marks_stand_right(re.sub(r"[0-9X]{2}", "10", text))):
        raise _reason(text)
    return _date(text, match, marked=bare != text)


@lru_cache(maxsize=1024)
def _marks_stand_right(form: str) -> bool:
    """Return whether *form*, such as ``1010-10~-10``, is EDTF: a mark at the end, or on parts of the date (level 2)."""
    # Imported here, since the import takes a tenth of a second and most runs meet no marked date.
    from edtf import is_valid_edtf  # noqa: PLC0415

    return is_valid_edtf(form)


def _date(text: str, match: re.Match[str], *, marked: bool) -> Span:
    """Return the span from the first real day that fits to the end of the last one."""
    year, month, day = match.groups(default="XX")
    undated = year == "XXXX"
    # Every month and day that exists at all exists in 2000.
    parts = [_numbers("2000" if undated else year, MAXYEAR), _numbers(month, 12), _numbers(day, 31)]
    first = next(_days(*parts), None)
    last = next(_days(*(numbers[::-1] for numbers in parts)), None)
    if first is None or last is None:
        raise _reason(text)
    if undated:
        return Span(None, None, earliest_exact=False, latest_exact=False, marked=marked, dated=False)
    latest = _later(_midnight(last), timedelta(days=1))
    return Span(_midnight(first), latest, earliest_exact=False, latest_exact=False, marked=marked, dated=True)


def _numbers(digits: str, most: int) -> list[int]:
    """Return the numbers from 1 to *most* for which *digits* can stand, ascending; X stands for any digit."""
    choices = ("0123456789" if digit == "X" else digit for digit in digits)
    numbers = (int("".join(combination)) for combination in product(*choices))
    return [number for number in numbers if 1 <= number <= most]


def _days(years: list[int], months: list[int], days: list[int]) -> Iterator[date]:
    """Yield the days that exist among these, in their order."""
    for year, month, day in product(years, months, days):
        try:
            yield date(year, month, day)
        except ValueError:
            continue


def _date_time(text: str, match: re.Match[str]) -> Span:
    """Return the span of the last unit in the text: a minute, a second, or a fraction of a second."""
    second, fraction = match.groups()
    try:
        earliest = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise _reason(text) from None
    except OverflowError:
        raise _outside(text) from None
    if earliest == END_OF_TIME:
        raise _outside(text)
    unit = timedelta(microseconds=10 ** (6 - len(fraction or ""))) if second else timedelta(minutes=1)
    return Span(earliest, _later(earliest, unit), earliest_exact=True, latest_exact=True, marked=False, dated=True)


def _outside(text: str) -> BadDate:
    """Return the refusal of a date-time that lies outside the years of four digits in UTC."""
    return BadDate(f"{json.dumps(text)} is outside the years 0001 to 9999 in UTC", "an instant within them")


def _midnight(day: date) -> datetime:
    """Return the start of *day* in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _later(instant: datetime, by: timedelta) -> datetime:
    """Return *instant* plus *by*, at most the end of time."""
    return instant + by if END_OF_TIME - instant > by else END_OF_TIME


def _reason(text: str) -> BadDate:
    """Return the refusal of *text*; it quotes *text* and shows the wanted form."""
    quoted = json.dumps(text)
    for pattern, what, wanted in _REFUSED:
        if pattern.fullmatch(text):
            return BadDate(f"{quoted} {what}", wanted)
    return BadDate(f"{quoted} is not a date", _WANTED)
