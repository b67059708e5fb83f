"""The rule about what follows: a fact followed by facts within a time (RULES 1, `then ... within`)."""

import pytest

from tests.support.builders import (
    Line,
    acquitted,
    alerts,
    arrest,
    arrested,
    charged,
    detained,
    dismissed,
    life,
    released,
    retracted,
    rulebook,
    states,
    told,
)

DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
POSSIBLE = rulebook(certainty="possible")


def test_an_alert_opens_at_the_recorded_of_the_fact_that_completes_it() -> None:
    """Known then, though it happened before; the evidence names both."""
    (alert,) = arrest([DISMISSED, detained("2022-04-20", recorded="2022-04-27T08:00:00Z")])

    assert [("open", "2022-04-27T08:00:00Z", "followed")] == life([alert])
    assert [DISMISSED["id"], "Detained a 2022-04-20"] == alert["evidence"]
    assert "a: dismissed (2022-03-27), then detained (2022-04-20)." == alert["explanation"]
    assert "Detained a 2022-04-20" == alert["life"][0]["fact_id"]


def test_the_dismissal_can_be_what_completes_it() -> None:
    """The arrest was known first."""
    late = dismissed("2022-03-27", recorded="2022-06-01T08:00:00Z")

    assert [("open", "2022-06-01T08:00:00Z", "followed")] == life(arrest([detained("2022-04-20"), late]))


def test_it_stands_as_long_as_any_completing_fact_does() -> None:
    """Of two, one may go; with the last one gone it is retracted, and the evidence follows."""
    one, two = detained("2022-04-20"), arrested("2022-04-22")
    gone = retracted(one, recorded="2022-06-01T00:00:00Z")
    story = [DISMISSED, one, two, gone]
    (alert,) = arrest(story)

    assert ["open"] == states([alert])
    assert [DISMISSED["id"], two["id"]] == alert["evidence"]
    assert "a: dismissed (2022-03-27), then arrested (2022-04-22)." == alert["explanation"]
    assert ("retracted", "2022-06-02T00:00:00Z", "retracted") == (
        life(arrest([*story, retracted(two, recorded="2022-06-02T00:00:00Z")]))[-1]
    )


def test_it_waits_for_the_one_that_completes_it() -> None:
    """A marked one, which is certainly after nothing, is not the last that counts."""
    marked = detained("2022-04-20~", published="2022-04-27")
    (alert,) = arrest([DISMISSED, marked, arrested("2022-05-10")])

    assert [DISMISSED["id"], "Arrested a 2022-05-10"] == alert["evidence"]


def test_a_sequence_never_resolves() -> None:
    """What happened in this order has happened; a release does not undo it."""
    assert ["open"] == states(arrest([DISMISSED, detained("2022-04-20"), released("2022-04-21")]))


@pytest.mark.parametrize(
    ("expected", "follow"),
    [
        (["open"], detained("2022-03-28")),  # the day after the dismissal
        (["open"], detained("2022-09-22")),  # ends 180 days after the dismissal's day began
        ([], detained("2022-09-23")),
        ([], detained("2022-03-27")),  # the same day: in what order, nobody said
        ([], detained("2022-03", published="2022-04-02")),
        ([], detained("2022-04-20~", published="2022-04-22")),
        ([], detained("2022-04/..", published="2023-04-22")),
        (["open"], detained("2022-04/..", published="2022-04-22")),  # published bounds it
    ],
    ids=lambda value: value["data"]["occurred"] if isinstance(value, dict) else "",
)
def test_certainly_within(expected: list[str], follow: Line) -> None:
    """Certainly in order, and follow.latest - anchor.earliest <= within."""
    assert expected == states(arrest([DISMISSED, follow]))


@pytest.mark.parametrize(
    ("expected", "follow"),
    [
        (["open"], detained("2022-03-27")),
        (["open"], detained("2022-03", published="2022-04-02")),
        (["open"], detained("2022-09-23")),  # begins 179 days after the dismissal's day ended
        ([], detained("2022-09-24")),  # begins 180 days after it: not less
        (["open"], detained("2022-04-20~", published="2022-04-22")),
        (["open"], detained("../2022-04-20")),
        ([], detained("2022-03-26")),
        ([], detained("XXXX-04-20", published="2022-05-01")),
    ],
    ids=lambda value: value["data"]["occurred"] if isinstance(value, dict) else "",
)
def test_possibly_within(expected: list[str], follow: Line) -> None:
    """Possibly in order, and follow.earliest - anchor.latest < within."""
    found = [alert for alert in alerts([DISMISSED, follow], rules=POSSIBLE) if alert["rule"].endswith("arrest")]

    assert expected == states(found)


def test_a_marked_dismissal_is_certainly_before_nothing() -> None:
    """The default is certainly."""
    story = [dismissed("2022-03~", published="2022-04-02"), detained("2022-05-20")]

    assert [] == arrest(story)


def test_a_day_against_a_time_of_day_needs_fourteen_hours_to_spare() -> None:
    """A day is some place's local day."""
    for expected, time in (([], "13:59"), (["open"], "14:00")):
        assert expected == states(arrest([DISMISSED, detained(f"2022-03-28T{time}Z", published="2022-03-29")]))


def test_what_a_marked_day_of_publication_cuts_is_marked() -> None:
    """The year's detention ended by the day it was published: certain to the day, or only about then."""
    early = dismissed("2021-12-20")

    assert ["open"] == states(arrest([early, detained("2022", published="2022-04-20")]))
    assert [] == arrest([early, detained("2022", published="2022-04-20?")])


def test_a_detention_without_a_year_completes_nothing() -> None:
    """Not even possibly."""
    story = [DISMISSED, detained("XXXX-04-20", published="2022-06-01")]

    assert [] == alerts(story)
    assert [] == alerts(story, rules=POSSIBLE)


def test_an_announced_dismissal_counts_for_every_rule_as_soon_as_a_record_has_its_instant() -> None:
    """Even where that record is of a type that no rule names."""
    decree = dismissed("2022-05-31", published="2022-05-15")
    follow = arrested("2022-06-01/2022-06-02", published="2022-06-02", recorded="2022-05-31T12:00:00Z")
    other = told("Noted", "2022-01-01", recorded="2022-06-01", title="Summoned")

    assert ["open"] == states(arrest([decree, follow, other], until="2022-06-01"))
    assert [] == arrest([decree, follow], until="2022-05-31T23:59:59Z")


def test_an_announced_arrest_never_completes_a_sequence() -> None:
    """On the custody track only the report that it happened counts (MODEL 2)."""
    announced = detained("2022-06-01", published="2022-05-15")
    happened = detained("2022-06-01", published="2022-06-02", id="happened")

    assert [] == arrest([DISMISSED, announced])
    assert [[DISMISSED["id"], "happened"]] == [alert["evidence"] for alert in arrest([DISMISSED, announced, happened])]


@pytest.mark.parametrize("kind", ["Removed", "Resigned", "Retired", "TermEnded", "LeftOffice"])
def test_every_way_out_of_office_starts_it(kind: str) -> None:
    """The pack starts from each of them, and its sentence reads for each of them."""
    (alert,) = arrest([told(kind, "2022-03-27"), detained("2022-04-20")])

    assert [f"{kind} a 2022-03-27", "Detained a 2022-04-20"] == alert["evidence"]
    assert alert["explanation"].endswith("(2022-03-27), then detained (2022-04-20).")


@pytest.mark.parametrize("kind", ["Detained", "Arrested", "Bailed", "Paroled", "Imprisoned"])
def test_somebody_who_was_in_custody_before_is_excepted(kind: str) -> None:
    """The pack excepts everyone who was in custody then, bail included."""
    assert [] == arrest([told(kind, "2022-03-01"), DISMISSED, arrested("2022-04-20")])


def test_it_is_resolved_when_the_person_is_cleared() -> None:
    """Acquitted of what followed: the alert ends, and is not said again while the person is cleared (RULES 1)."""
    story = [DISMISSED, detained("2022-04-20"), acquitted("2022-08-01")]

    assert ["open", "resolved"] == states(arrest(story))
    assert ("resolved", "2022-08-02T00:00:00Z", "world_changed") == life(arrest(story))[-1]


def test_a_disciplinary_case_keeps_nobody_from_being_cleared() -> None:
    """The presumption of innocence speaks of criminal cases only (MODEL 4)."""
    reprimand = told("Charged", "2022-01-01", case="other", kind="disciplinary")
    story = [reprimand, DISMISSED, detained("2022-04-20"), acquitted("2022-08-01")]

    assert ["open", "resolved"] == states(arrest(story))


def test_it_opens_again_when_what_cleared_the_person_is_taken_back() -> None:
    """Or when another case opens: nothing clears the person any more."""
    verdict = acquitted("2022-08-01")
    story = [DISMISSED, detained("2022-04-20"), verdict]

    assert ["open", "resolved", "open"] == states(arrest([*story, retracted(verdict, "2022-09-01")]))
    assert ["open", "resolved", "open"] == states(arrest([*story, charged("2022-09-01", case="other")]))


def test_no_order_of_arrival_decides_whether_a_cleared_person_is_spoken_of() -> None:
    """An arrest that becomes known after the acquittal opens nothing: no alert would stand in the other order."""
    verdict, late = acquitted("2022-05-01"), detained("2022-04-20", recorded="2022-09-01T00:00:00Z")

    assert [] == alerts([DISMISSED, verdict, late])
    assert ["open"] == states(arrest([DISMISSED, verdict, late, charged("2022-10-01", case="other")]))
