"""Vague dates stay vague: the span of each form, the order of two dates, and the refused forms."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import edtf as library
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import Span, bound, certainly_before, format_instant, parse, parse_instant, possibly_before
from events.errors import BadDate

DAY = timedelta(days=1)


def at(*parts: int) -> datetime:
    """Return the instant in UTC with these parts: year, month, day and so on."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def ends(text: str) -> list[str | None]:
    """Return both ends of the span of *text*, as they are printed; midnights as days."""
    span = parse(text)
    return [None if end is None else format_instant(end).removesuffix("T00:00:00Z") for end in span[:2]]


@pytest.mark.parametrize(
    "sentence",
    [
        *("2022 is 2022-01-01 to 2023-01-01", "2022-03 is 2022-03-01 to 2022-04-01"),
        *("2022-12 is 2022-12-01 to 2023-01-01", "2022-03-27 is 2022-03-27 to 2022-03-28"),
        *("2024-02-29 is 2024-02-29 to 2024-03-01", "0001 is 0001-01-01 to 0002-01-01"),
        *("2022-03/2022-05 is 2022-03-01 to 2022-06-01", "2022-03/2022 is 2022-03-01 to 2023-01-01"),
        *("2022-03-27/2022-03-27 is 2022-03-27 to 2022-03-28", "202X/2023 is 2020-01-01 to 2024-01-01"),
        *("202X is 2020-01-01 to 2030-01-01", "20XX is 2000-01-01 to 2100-01-01"),
        *("000X is 0001-01-01 to 0010-01-01", "2022-XX is 2022-01-01 to 2023-01-01"),
        *("2022-1X is 2022-10-01 to 2023-01-01", "2022-XX-15 is 2022-01-15 to 2022-12-16"),
        *("2022-0X-31 is 2022-01-31 to 2022-09-01", "2022-X2-30 is 2022-12-30 to 2022-12-31"),
        *("2022-03-XX is 2022-03-01 to 2022-04-01", "2022-03-2X is 2022-03-20 to 2022-03-30"),
        *("2022-02-2X is 2022-02-20 to 2022-03-01", "202X-02-29 is 2020-02-29 to 2028-03-01"),
        *("../2022-03 is .. to 2022-04-01", "/2022-03 is .. to 2022-04-01"),
        *("2022-03/.. is 2022-03-01 to ..", "2022-03/ is 2022-03-01 to .."),
    ],
)
def test_a_date_spans_the_real_days_that_fit(sentence: str) -> None:
    """From the first midnight in UTC of a day that fits to the last; an X is any digit, and an open end is null."""
    text, _, earliest, _, latest = sentence.split()

    assert [None if end == ".." else end for end in (earliest, latest)] == ends(text)
    assert not parse(text).earliest_exact
    assert not parse(text).latest_exact


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("2022-03-27T10:00Z", "2022-03-27T10:00:00Z", "2022-03-27T10:01:00Z"),
        ("2022-03-27T10:00:00Z", "2022-03-27T10:00:00Z", "2022-03-27T10:00:01Z"),
        ("2022-03-27T10:00:00+00:00", "2022-03-27T10:00:00Z", "2022-03-27T10:00:01Z"),
        ("2022-03-27T04:00:00+06:00", "2022-03-26T22:00:00Z", "2022-03-26T22:00:01Z"),
        ("2022-03-27T10:00:00-14:00", "2022-03-28", "2022-03-28T00:00:01Z"),
        ("2022-03-27T10:00:00.5Z", "2022-03-27T10:00:00.500000Z", "2022-03-27T10:00:00.600000Z"),
        ("2022-03-27T10:00:00.000001Z", "2022-03-27T10:00:00.000001Z", "2022-03-27T10:00:00.000002Z"),
        ("2022-03-27T10:00Z/2022-03-27T11:00Z", "2022-03-27T10:00:00Z", "2022-03-27T11:01:00Z"),
    ],
)
def test_a_date_time_is_exact_to_its_last_unit(text: str, earliest: str, latest: str) -> None:
    """A date-time with zone is an instant, as long as its last unit, and both its ends are exact."""
    assert [earliest, latest] == ends(text)
    assert parse(text).earliest_exact
    assert parse(text).latest_exact


def test_an_interval_is_exact_where_its_end_is_a_date_time() -> None:
    """Each end of an interval is by itself an instant or the local day of some place."""
    span = parse("2022-03-27T10:00:00Z/2022-03-28")

    assert (at(2022, 3, 27, 10), at(2022, 3, 29)) == (span.earliest, span.latest)
    assert span.earliest_exact
    assert not span.latest_exact


@pytest.mark.parametrize(
    "text",
    [
        *("2022~", "2022-03?", "2022-03-27%", "2022-03~-27", "2022?-03-27", "2022-~03-?27", "?2022-03", "2022-03-2X~"),
        *("2022-1X~", "~2022-XX-15", "2022-03~/2022-05", "2022-03/2022-05?", "2022-03~-27/..", "../%2022"),
    ],
)
def test_a_mark_is_kept_and_does_not_widen_the_span(text: str) -> None:
    """Approximate is not a number of days: the span stays, and the mark alone keeps it from being certain."""
    plain = parse(re.sub("[~?%]", "", text))

    assert plain._replace(marked=True) == parse(text)
    assert not plain.marked


@pytest.mark.parametrize("text", ["XXXX", "XXXX-12", "XXXX-12-25", "XXXX-02-29", "XXXX-XX-3X", "XXXX-12~"])
def test_a_date_without_a_year_is_undated(text: str) -> None:
    """If the whole year is unspecified, there is no span at all."""
    span = parse(text)

    assert not span.dated
    assert span.earliest is None
    assert span.latest is None


@pytest.mark.parametrize("text", ["9999", "9999-12", "9999-12-31", "999X", "9999-12-31T23:59:59Z", "2022/9999"])
def test_the_last_year_ends_at_the_last_instant_there_is(text: str) -> None:
    """The year 9999 is accepted. No datetime can hold its end, so `latest` is the last microsecond."""
    assert datetime.max.replace(tzinfo=UTC) == parse(text).latest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", '"" is empty (want EDTF, such as 2024-01-13 or 2024-01)'),
        ("2024-13-01", '"2024-13-01" is not a date (want EDTF, such as 2024-01-13 or 2024-01)'),
        ("2023-02-29~", '"2023-02-29~" fits no day of the calendar (want a day that exists, such as 2024-02-29)'),
        ("2022-02-3X", '"2022-02-3X" fits no day of the calendar (want a day that exists, such as 2024-02-29)'),
        ("2022-21?", '"2022-21?" is a season (want a month or months, such as 2022-03/2022-05)'),
        ("[2022,2023]", '"[2022,2023]" is a set of dates (want one date or an interval, such as 2022-03/2022-05)'),
        ("Y17000", '"Y17000" is a long, exponential or rounded year (want a year from 0001 to 9999)'),
        ("-0044", '"-0044" is a year before 0001 (want a year from 0001 to 9999)'),
        ("0000-01-01", '"0000-01-01" is in the year 0000 (want a year from 0001 to 9999)'),
        ("2022-03-27T10:00", '"2022-03-27T10:00" has no time zone (want Z or an offset such as +06:00)'),
        ("2022-03-27T24:00Z", '"2022-03-27T24:00Z" is at hour 24 (want 00:00 of the next day)'),
        ("2022-03-27T23:59:60Z", '"2022-03-27T23:59:60Z" is at a leap second (want a second from 00 to 59)'),
        ("2022-03-27T10:00+14:01", '"2022-03-27T10:00+14:01" has an offset beyond 14:00 (want -14:00 to +14:00)'),
        ("2022-02-30T10:00+14:00", '"2022-02-30T10:00+14:00" is not a date (want EDTF, such as 2024-01-13 or 2024-01)'),
        ("2022\n", '"2022\\n" has white space around it (want the date alone)'),
        ("٢٠٢٢", '"\\u0662\\u0660\\u0662\\u0662" has characters that are not ASCII (want the digits 0 to 9)'),
        ("202x", '"202x" has a lower-case letter (want capital X, T and Z)'),
        ("../..", '"../.." is open at both ends (want an interval with a start or an end)'),
        ("2022/2021", '"2022/2021" ends before it starts (want the start first; a day is counted in UTC)'),
        ("XXXX/2022", '"XXXX/2022" has an end without a year (want a year, or .. for an end that is not known)'),
        ("1" * 101, f'"{"1" * 40}"... is 101 characters long (want at most 100)'),
    ],
)
def test_what_is_not_taken_is_refused_in_words_that_help(text: str, message: str) -> None:
    """A refusal quotes the text, names the problem, and shows the wanted form."""
    with pytest.raises(BadDate) as refused:
        parse(text)

    assert message == str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        *("{2022}", "[..2022]", "-2022/2023", "Y1E3", "1950S2", "2022-00", "2022-01-00", "2022-3", "22-03", "199u"),
        *("2022?~", "~2022~", "20~22", "2022-?03~", "~", "..", "/", "../", "2022/2023/2024", "2022..2023", "unknown"),
        *("2022-03-27T10Z", "2022-03-27T10:00:00", "2022-03T10:00Z", "2022-03-27 10:00Z", "2022-03-27t10:00z"),
        *("2022-03-27T10:00+06", "2022-03-27T10:00+0600", "2022-03-27T10:00:00.1234567Z", "2022-03-27T10:00Z~"),
        *("2022-03-27T10:00.5Z", "2022-02-30T10:00Z", "2022-03-27T10:60Z", "2022-03-2X/2022-03-1X", "XXXX-02-30"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:00:00-05:00", "9999-12-31T23:59:59.999999Z"),
        *("2022-13", "27.03.2022", "2022-41/2023", " 2022", "2022-2X", "x022", "2022-03-2", "202", "2022 03"),
        *("2022-XX-4X", "X", "20222", "0000/2022", "2022-03-27T10:00Z/2022-03-27T09:59Z", "2022-03-27+06:00"),
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    """All other forms are refused, also those that EDTF has."""
    with pytest.raises(BadDate):
        parse(text)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=12) | st.text("0129X-/.~?%TZ:+[S ", max_size=24))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    """Any input is a span or a refusal, and the errors of the library stay inside."""
    with suppress(BadDate):
        span = parse(text)
        assert span.dated or (span.earliest is None and span.latest is None)


plain_days = st.dates(max_value=date(9998, 12, 31)).map(date.isoformat)
plain_forms = plain_days | plain_days.map(lambda day: day[:7]) | plain_days.map(lambda day: day[:4])


@settings(max_examples=60, deadline=None)
@given(plain_forms, st.sampled_from(["", "~", "?", "%"]))
def test_plain_and_marked_dates_span_what_the_library_says(plain: str, mark: str) -> None:
    """For dates, months and years the spans equal the strict bounds of the library, which names the last day."""
    theirs = library.parse_edtf(plain + mark)
    first, last = (date(*end[:3]) for end in (theirs.lower_strict(), theirs.upper_strict()))

    assert [str(first), str(last + DAY)] == ends(plain + mark)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.sets(st.sampled_from([3, 5, 6, 8, 9])))
def test_unspecified_digits_agree_with_a_walk_over_the_calendar(day: date, hidden: set[int]) -> None:
    """The span is that of every day of the decade that has the same digits where the text has digits."""
    text = "".join("X" if place in hidden else letter for place, letter in enumerate(day.isoformat()))
    decade = day.year // 10 * 10
    walk = range(date(decade, 1, 1).toordinal(), date(decade + 10, 1, 1).toordinal())
    pattern = re.compile(text.replace("X", "."))
    fitting = [each for each in map(date.fromordinal, walk) if pattern.fullmatch(str(each))]

    assert [str(fitting[0]), str(fitting[-1] + DAY)] == ends(text)


years = st.dates(date(1900, 1, 1), date(2100, 12, 31)).map(date.isoformat)
instants = st.datetimes(datetime(1900, 1, 1), datetime(2100, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
date_times = instants.map(format_instant)
hidden_digits = st.sampled_from(["YYYX", "YYXX", "YYYY-XX", "YYYY-MM-XX", "YYYY-XX-XX", "YYYX-MM-DD", "YYYY-MM-XD"])
unspecified = st.builds(
    lambda day, form: "".join("X" if hide == "X" else digit for digit, hide in zip(day, form, strict=False)),
    years,
    hidden_digits,
)
points = st.builds(lambda day, length: day[:length], years, st.sampled_from([4, 7, 10]))
pairs = st.lists(points | date_times, min_size=2, max_size=2)
intervals = pairs.map(lambda pair: "/".join(sorted(pair, key=lambda end: parse(end).earliest or at(1))))
open_intervals = (points | date_times).map(lambda end: f"{end}/..") | points.map(lambda end: f"/{end}")
marked = st.builds(str.__add__, points | unspecified, st.sampled_from("~?%"))
forms = points | date_times | unspecified | intervals | open_intervals | marked | st.just("XXXX-12")
spans = forms.map(parse)


@given(points | date_times | unspecified | intervals)
def test_the_earliest_instant_is_before_the_latest(text: str) -> None:
    """A closed span is never empty and never runs backwards."""
    span = parse(text)

    assert span.earliest is not None
    assert span.latest is not None
    assert span.earliest < span.latest


@settings(deadline=None)
@given(points | unspecified, st.sampled_from("~?%"), st.integers(0, 2))
def test_marks_never_change_the_span(text: str, mark: str, place: int) -> None:
    """A mark at any place does not move the two ends."""
    parts = text.split("-")
    before = "-".join([*parts[:place], mark + parts[place], *parts[place + 1 :]]) if place < len(parts) else text + mark

    assert parse(text)._replace(marked=True) == parse(before)


@given(spans, spans)
def test_certainly_before_implies_possibly_before(a: Span, b: Span) -> None:
    """A certain order is also possible."""
    assert possibly_before(a, b) or not certainly_before(a, b)


@given(spans, spans)
def test_certainly_before_runs_one_way(a: Span, b: Span) -> None:
    """No span is certainly before itself, and no two spans are certainly before each other."""
    assert not certainly_before(a, a)
    assert not (certainly_before(a, b) and certainly_before(b, a))


def test_days_that_touch_are_certainly_in_order() -> None:
    """Half-open spans: one day ends where the next begins, and a day is not before itself."""
    first, second, third = (parse(text) for text in ("2022-03-27", "2022-03-28", "2022-03-29"))

    assert all(certainly_before(a, b) for a, b in pairwise((first, second, third)))
    assert not certainly_before(second, parse("2022-03"))
    assert possibly_before(second, parse("2022-03"))
    assert possibly_before(parse("2022-03"), second)


@pytest.mark.parametrize(
    ("first", "second", "certain"),
    [
        ("2022-03-27", "2022-03-28T00:00Z", False),
        ("2022-03-27", "2022-03-28T13:59:59Z", False),
        ("2022-03-27", "2022-03-28T14:00Z", True),
        ("2022-03-27", "2022-03-28T14:00Z/2022-04", True),
        ("2022-03-01/2022-03-27T23:59Z", "2022-03-28T00:00Z", True),
        ("2022-03-27T10:00:00Z", "2022-03-28", False),
        ("2022-03-27T09:59:59Z", "2022-03-28", True),
        ("9999", "9999-12-31T23:00:00Z", False),
    ],
)
def test_a_day_needs_14_hours_to_spare_against_an_instant(first: str, second: str, *, certain: bool) -> None:
    """A day is the local day of some place, so it can end 14 hours later than in UTC, or begin 14 hours earlier."""
    assert certain == certainly_before(parse(first), parse(second))


@pytest.mark.parametrize(("a", "b"), [("2020~", "2022"), ("2020", "2022?"), ("2020/..", "2022"), ("2020", "../2022")])
def test_marked_and_open_dates_are_only_possibly_in_order(a: str, b: str) -> None:
    """About 2020 is not certainly before 2022, and neither is something that began in 2020 and has no end."""
    assert not certainly_before(parse(a), parse(b))
    assert possibly_before(parse(a), parse(b))


def test_an_open_end_is_infinitely_far() -> None:
    """A later start is not possibly before a closed end. An open end reaches over it."""
    assert possibly_before(parse("2023/.."), parse("2020/.."))
    assert possibly_before(parse("../2023"), parse("2020"))
    assert not possibly_before(parse("2023/.."), parse("2022"))
    assert not possibly_before(parse("2023"), parse("../2022"))


def test_an_undated_span_orders_nothing() -> None:
    """A date without a year is neither before nor after anything."""
    undated, dated = parse("XXXX-12"), parse("2022")

    assert not possibly_before(undated, dated)
    assert not possibly_before(dated, undated)
    assert not certainly_before(undated, dated)
    assert not certainly_before(dated, undated)


@pytest.mark.parametrize("occurred", ["2022-04", "2022-04-25/..", "../2022-05", "2022"])
def test_what_was_published_happened_by_then(occurred: str) -> None:
    """A span that reaches past the end of the published one ends there, open ends included."""
    bounded, announced = bound(parse(occurred), parse("2022-04-27"))

    assert not announced
    assert parse(occurred)._replace(latest=at(2022, 4, 28)) == bounded


def test_what_ended_before_it_was_published_stays_as_it_is() -> None:
    """A span that ends by the end of the published one does not change, also on the same day."""
    for occurred in ("2022-04-25", "2022-04-27", "../2021", "2022-04-27T10:00Z"):
        assert (parse(occurred), False) == bound(parse(occurred), parse("2022-04-27"))


@pytest.mark.parametrize("occurred", ["2022-04-28", "2022-05", "2022-04-28/..", "2023~"])
def test_what_begins_after_it_was_published_is_announced(occurred: str) -> None:
    """A span that begins at or after the end of the published one lies ahead: flagged, and not cut to nothing."""
    assert (parse(occurred), True) == bound(parse(occurred), parse("2022-04-27"))


def test_nothing_bounds_or_is_bounded_without_a_date() -> None:
    """An undated or open end of `published` cuts nothing, and an undated fact stays undated."""
    assert (parse("XXXX-12"), False) == bound(parse("XXXX-12"), parse("2022"))
    assert (parse("2022"), False) == bound(parse("2022"), parse("XXXX-12"))
    assert (parse("2022/.."), False) == bound(parse("2022/.."), parse("2021/.."))


@given(spans, spans)
def test_a_bounded_span_is_never_longer_nor_empty(occurred: Span, published: Span) -> None:
    """A bound only shortens a span, never to nothing, and leaves 14 hours between a day and a date-time."""
    bounded, announced = bound(occurred, published)

    assert bounded.earliest == occurred.earliest
    assert None in bounded[:2] or bounded.earliest < bounded.latest  # type: ignore[operator]
    if published.latest is not None and bounded.dated and not announced:
        assert bounded.latest is not None
        alike = occurred.earliest_exact == occurred.latest_exact == published.latest_exact
        assert bounded.latest <= published.latest + (timedelta(0) if alike else timedelta(hours=14))


@pytest.mark.parametrize(
    "sentence",
    [
        *("2022-03-27T10:00:00Z is 2022-03-27T10:00:00Z", "2022-03-27T10:00Z is 2022-03-27T10:00:00Z"),
        *("2022-03-27T10:00:00.25+06:00 is 2022-03-27T04:00:00.250000Z", "2022-03-27 is 2022-03-28T00:00:00Z"),
        *("2022-03 is 2022-04-01T00:00:00Z", "2022 is 2023-01-01T00:00:00Z"),
    ],
)
def test_a_day_means_its_end_and_a_date_time_itself(sentence: str) -> None:
    """As an instant, a date, month or year is its end, and a date-time is exactly that instant."""
    text, _, instant = sentence.split()

    assert instant == format_instant(parse_instant(text))


@pytest.mark.parametrize(
    "text", ["2022~", "2022/2023", "202X", "XXXX", "2022/..", "../2022", "now", "2022-03-27T10:00"]
)
def test_a_vague_date_is_no_instant(text: str) -> None:
    """Marks, intervals and unspecified digits name no instant, and neither does a text that is not a date."""
    with pytest.raises(BadDate):
        parse_instant(text)


@given(st.datetimes(max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_an_instant_comes_back_as_it_was_printed(instant: datetime) -> None:
    """Printing and reading are each other's inverse, to the microsecond."""
    assert instant == parse_instant(format_instant(instant))


def test_an_instant_is_printed_in_utc_with_a_fraction_only_where_there_is_one() -> None:
    """One form for every instant: UTC, Z, and six digits of a second only if they are not zero."""
    almaty = timezone(timedelta(hours=6))

    assert format_instant(datetime(2022, 3, 27, 4, tzinfo=almaty)) == "2022-03-26T22:00:00Z"
    assert format_instant(at(2022, 3, 27, 4, 0, 0, 500)) == "2022-03-27T04:00:00.000500Z"


def test_a_naive_instant_is_not_printed() -> None:
    """Without a zone it could only be read in the zone of the machine."""
    with pytest.raises(ValueError, match="has no time zone"):
        format_instant(datetime(2022, 3, 27))  # noqa: DTZ001
