"""A day is the local day of some place, so 14 hours lie between a day and a date-time (docs/design.md, 2.3)."""

from datetime import UTC, datetime

import pytest

from events.edtf import Span, bound, certainly_before, overlaps, parse, possibly_before
from tests.support.builders import (
    Line,
    arrest,
    detained,
    dismissed,
    released,
    report,
    silence,
    stated,
    states,
    statuses_of,
)


def at(*parts: int) -> datetime:
    """Return the instant in UTC with these parts: year, month, day and so on."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_the_cut_is_as_exact_and_as_marked_as_what_cuts() -> None:
    """An end taken from an instant is exact, 14 hours later for a date; one from an approximate date is marked."""
    by_instant, _ = bound(parse("2022"), parse("2022-04-27T10:00:00Z"))
    by_mark, _ = bound(parse("2022"), parse("2022-04-27~"))

    assert Span(at(2022, 1, 1), at(2022, 4, 28, 0, 0, 1), False, True, False, True) == by_instant  # noqa: FBT003
    assert Span(at(2022, 1, 1), at(2022, 4, 28), False, False, True, True) == by_mark  # noqa: FBT003
    assert not bound(parse("2022-04-27"), parse("2022-04-27~"))[0].marked


@pytest.mark.parametrize(
    ("occurred", "published", "announced"),
    [
        # The night of the 27th in Almaty is still the 26th in UTC.
        ("2022-04-27", "2022-04-27T02:10:00+06:00", False),
        ("2022-04-27", "2022-04-26T10:00:00Z", False),
        ("2022-04-27", "2022-04-26T09:59:58Z", True),
        ("2022-04-28T13:59:00Z", "2022-04-27", False),
        ("2022-04-28T14:00:00Z", "2022-04-27", True),
        ("2022-04-28", "2022-04-27", True),
        ("2022-04-27T10:00:01Z", "2022-04-27T10:00:00Z", True),
    ],
)
def test_what_begins_14_hours_after_publication_is_announced(occurred: str, published: str, *, announced: bool) -> None:
    """Between two days, or two date-times, there is nothing to spare."""
    assert announced is bound(parse(occurred), parse(published))[1]


def test_a_report_of_the_27th_that_came_out_early_on_the_27th_counts() -> None:
    """It is not announced: in UTC the 27th had not begun, in Almaty it had."""
    early = detained("2022-04-27", published="2022-04-27T02:10:00+06:00")
    (row,) = statuses_of([early])

    assert ("detained", []) == (row["custody"]["status"], row["anomalies"])


@pytest.mark.parametrize(
    ("time", "certainly", "possibly", "other_way"),
    [
        ("2022-04-28T14:00:00Z", True, True, False),
        ("2022-04-28T13:59:59Z", False, True, True),
        ("2022-04-27T12:00:00Z", False, True, True),
        ("2022-04-26T10:00:00Z", False, True, True),
        ("2022-04-26T09:59:59Z", False, False, True),
    ],
)
def test_a_day_and_a_date_time_are_ordered_with_14_hours_to_spare(
    time: str, *, certainly: bool, possibly: bool, other_way: bool
) -> None:
    """The 27th is certainly before a time if it is before it everywhere on earth, and possibly if anywhere."""
    day, exact = parse("2022-04-27"), parse(time)

    assert (certainly, possibly, other_way) == (
        certainly_before(day, exact),
        possibly_before(day, exact),
        possibly_before(exact, day),
    )


def test_a_day_and_a_time_of_the_night_before_overlap() -> None:
    """They can be one event, reported by the day and by the hour."""
    assert overlaps(parse("2022-04-27"), parse("2022-04-26T11:00:00Z"))
    assert not overlaps(parse("2022-04-27"), parse("2022-04-26T09:59:00Z"))
    assert not overlaps(parse("2022-04-27"), parse("2022-04-26"))


def test_a_report_by_the_hour_and_one_by_the_day_are_one_event() -> None:
    """The narrower report stands for the event, though its hour lies on another day in UTC."""
    hour = detained("2022-04-26T21:00:00Z", published="2022-04-27", id="hour")
    (row,) = statuses_of([hour, detained("2022-04-27", id="day")])

    assert ("hour", 2) == (row["custody"]["fact_id"], row["custody"]["facts"])


@pytest.mark.parametrize(
    ("expected", "time"), [([], "2022-09-22T10:00Z"), (["open"], "2022-09-22T09:59Z")], ids=["too far", "near enough"]
)
def test_the_length_of_a_sequence_spares_14_hours(expected: list[str], time: str) -> None:
    """180 days from the start of the 27th of March in some place; a longer time anywhere is not certainly within."""
    story = [dismissed("2022-03-27"), detained(time, published="2022-09-23")]

    assert expected == states(arrest(story))


@pytest.mark.parametrize(
    ("end", "follow"), [("retracted", "2022-06-26T13:59:59Z"), ("resolved", "2022-06-26T14:00:00Z")]
)
def test_a_follow_up_within_14_hours_of_the_deadline_was_in_time(end: str, follow: str) -> None:
    """The deadline after a dismissal on a day is the end of that day in some place, 90 days later."""
    late = detained(follow, published="2022-06-27", recorded="2022-08-01T00:00:00Z")

    assert ["open", end] == states(silence([dismissed("2022-03-27"), late]))


def dated_ahead(line: Line, until: str) -> list[str]:
    """Return the flags of the person of *line*."""
    (row,) = report([line], until)["subjects"]
    return [flag["code"] for flag in row["anomalies"]]


def test_a_fact_that_begins_14_hours_after_it_was_recorded_is_dated_ahead() -> None:
    """A typing error in the year, or a wrong clock: flagged, and not counted before its time (docs/design.md, 2.3)."""
    fine = released("2022-04-28", published="2022-05-01", recorded="2022-04-27T10:00:00Z")
    ahead = released("2022-04-28", published="2022-05-01", recorded="2022-04-27T09:59:59Z")

    assert ["not_in_custody"] == dated_ahead(fine, "2030")
    assert ["dated_ahead"] == dated_ahead(ahead, "2030")


def test_a_service_fact_dated_ahead_counts_from_its_own_day_on() -> None:
    """Its span does not change; a case or custody fact dated ahead never counts."""
    ahead = dismissed("2023-04-28", published="2023-05-01", recorded="2022-04-27T10:00:00Z")
    charge = stated("Charged", "2023-04-28", published="2023-05-01", recorded="2022-04-27T10:00:00Z", case="c")

    def service(until: str) -> str:
        (row,) = report([ahead], until)["subjects"]
        return str(row["service"]["status"])

    assert ["unknown", "unknown", "dismissed"] == [
        service(until) for until in ("2023-04-27", "2023-04-29T00:00:00Z", "2023-04-29T00:00:01Z")
    ]
    assert [None] == [row["stage"] for row in statuses_of([charge])]
