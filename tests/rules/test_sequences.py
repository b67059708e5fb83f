"""The rule pattern `then ... within`: a fact and a follow-up within a time (docs/design.md, 4.2)."""

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
    stated,
    states,
)

DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
POSSIBLE = rulebook(certainty="possible", unless=None)
"""Without the exception of the pack: a detention possibly before the dismissal would exempt the person."""


def test_an_alert_opens_at_the_recorded_of_the_fact_that_completes_it() -> None:
    """The alert opens at the recorded of the completing fact, not at its occurrence; the evidence names both facts."""
    (alert,) = arrest([DISMISSED, detained("2022-04-20", recorded="2022-04-27T08:00:00Z")])

    assert [("open", "2022-04-27T08:00:00Z", "followed")] == life([alert])
    assert [DISMISSED["id"], "Detained a 2022-04-20"] == alert["evidence"]
    assert "a: dismissed (2022-03-27), then detained (2022-04-20)." == alert["explanation"]
    assert "Detained a 2022-04-20" == alert["life"][0]["fact_id"]


def test_a_dismissal_can_complete_the_pattern() -> None:
    """A dismissal completes the pattern if the arrest was known first."""
    late = dismissed("2022-03-27", recorded="2022-06-01T08:00:00Z")

    assert [("open", "2022-06-01T08:00:00Z", "followed")] == life(arrest([detained("2022-04-20"), late]))


def test_an_alert_stands_while_any_completing_fact_stands() -> None:
    """
    The alert stands while one of two completing facts stands.

    When the last one is taken back, the alert is retracted. The evidence follows.
    """
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


def test_a_marked_follow_up_is_passed_over() -> None:
    """A marked follow-up, which is certainly after nothing, does not complete the pattern; a later one does."""
    marked = detained("2022-04-20~", published="2022-04-27")
    (alert,) = arrest([DISMISSED, marked, arrested("2022-05-10")])

    assert [DISMISSED["id"], "Arrested a 2022-05-10"] == alert["evidence"]


def test_a_sequence_never_resolves() -> None:
    """A sequence is not resolved by a release, because the order of the events stays true."""
    assert ["open"] == states(arrest([DISMISSED, detained("2022-04-20"), released("2022-04-21")]))


@pytest.mark.parametrize(
    ("expected", "follow"),
    [
        (["open"], detained("2022-03-28")),  # the day after the dismissal
        (["open"], detained("2022-09-22")),  # ends 180 days after the dismissal's day began
        ([], detained("2022-09-23")),
        ([], detained("2022-03-27")),  # the same day, in an unknown order
        ([], detained("2022-03", published="2022-04-02")),
        ([], detained("2022-04-20~", published="2022-04-22")),
        ([], detained("2022-04/..", published="2023-04-22")),
        (["open"], detained("2022-04/..", published="2022-04-22")),  # published bounds it
    ],
    ids=lambda value: value["data"]["occurred"] if isinstance(value, dict) else "",
)
def test_certainly_within(expected: list[str], follow: Line) -> None:
    """A certain follow-up is certainly in order, and follow.latest - anchor.earliest <= within."""
    assert expected == states(arrest([DISMISSED, follow]))


@pytest.mark.parametrize(
    ("expected", "follow"),
    [
        (["open"], detained("2022-03-27")),
        (["open"], detained("2022-03", published="2022-04-02")),
        (["open"], detained("2022-09-23")),  # begins 179 days after the end of the dismissal's day
        ([], detained("2022-09-24")),  # begins 180 days after it, which is not less
        (["open"], detained("2022-04-20~", published="2022-04-22")),
        (["open"], detained("../2022-04-20")),
        ([], detained("2022-03-26")),
        ([], detained("XXXX-04-20", published="2022-05-01")),
    ],
    ids=lambda value: value["data"]["occurred"] if isinstance(value, dict) else "",
)
def test_possibly_within(expected: list[str], follow: Line) -> None:
    """A possible follow-up is possibly in order, and follow.earliest - anchor.latest < within."""
    matches = [alert for alert in alerts([DISMISSED, follow], rules=POSSIBLE) if alert["rule"].endswith("arrest")]

    assert expected == states(matches)


def test_a_marked_dismissal_is_certainly_before_nothing() -> None:
    """A marked dismissal opens no alert, because the default is certain."""
    story = [dismissed("2022-03~", published="2022-04-02"), detained("2022-05-20")]

    assert [] == arrest(story)


def test_a_day_against_a_time_of_day_needs_fourteen_hours_to_spare() -> None:
    """A day and a time need 14 hours to spare, because a day is the local day of some place."""
    for expected, time in (([], "13:59"), (["open"], "14:00")):
        assert expected == states(arrest([DISMISSED, detained(f"2022-03-28T{time}Z", published="2022-03-29")]))


def test_a_span_cut_at_a_marked_publication_is_marked() -> None:
    """
    A span that is cut at a marked day of publication is marked.

    A detention in 2022, published on a certain day, is certainly in order. Published about that day, it is not.
    """
    early = dismissed("2021-12-20")

    assert ["open"] == states(arrest([early, detained("2022", published="2022-04-20")]))
    assert [] == arrest([early, detained("2022", published="2022-04-20?")])


def test_a_detention_without_a_year_completes_nothing() -> None:
    """A detention without a year completes no rule, not even a possible one."""
    story = [DISMISSED, detained("XXXX-04-20", published="2022-06-01")]

    assert [] == alerts(story)
    assert [] == alerts(story, rules=POSSIBLE)


def test_an_announced_dismissal_counts_for_every_rule_as_soon_as_a_record_has_its_instant() -> None:
    """An announced dismissal counts for every rule once a record is stamped with its instant, even of another type."""
    decree = dismissed("2022-05-31", published="2022-05-15")
    follow = arrested("2022-06-01/2022-06-02", published="2022-06-02", recorded="2022-05-31T12:00:00Z")
    other = stated("Noted", "2022-01-01", recorded="2022-06-01", title="Summoned")

    assert ["open"] == states(arrest([decree, follow, other], until="2022-06-01"))
    assert [] == arrest([decree, follow], until="2022-05-31T23:59:59Z")


def test_an_announced_arrest_never_completes_a_sequence() -> None:
    """An announced arrest completes no sequence; only the report that it happened counts (docs/design.md, 2.3)."""
    announced = detained("2022-06-01", published="2022-05-15")
    happened = detained("2022-06-01", published="2022-06-02", id="happened")

    assert [] == arrest([DISMISSED, announced])
    assert [[DISMISSED["id"], "happened"]] == [alert["evidence"] for alert in arrest([DISMISSED, announced, happened])]


@pytest.mark.parametrize("kind", ["Removed", "Resigned", "Retired", "TermEnded", "LeftOffice"])
def test_every_way_out_of_office_starts_it(kind: str) -> None:
    """The pack's rule starts from each end of office, and its sentence fits each one."""
    (alert,) = arrest([stated(kind, "2022-03-27"), detained("2022-04-20")])

    assert [f"{kind} a 2022-03-27", "Detained a 2022-04-20"] == alert["evidence"]
    assert alert["explanation"].endswith("(2022-03-27), then detained (2022-04-20).")


@pytest.mark.parametrize("kind", ["Detained", "Arrested", "Bailed", "Paroled", "Imprisoned"])
def test_a_person_in_custody_before_is_excepted(kind: str) -> None:
    """A person who was in custody before the dismissal is excepted, bail included."""
    assert [] == arrest([stated(kind, "2022-03-01"), DISMISSED, arrested("2022-04-20")])


def test_an_alert_is_resolved_when_the_person_is_cleared() -> None:
    """An acquittal resolves the alert, and it stays resolved while the person is cleared (docs/design.md, 4.2)."""
    story = [DISMISSED, detained("2022-04-20"), acquitted("2022-08-01")]

    assert ["open", "resolved"] == states(arrest(story))
    assert ("resolved", "2022-08-02T00:00:00Z", "world_changed") == life(arrest(story))[-1]


def test_an_acquittal_before_the_arrest_resolves_nothing() -> None:
    """An acquittal before the follow-up cleared the person of something else: the alert opens, and stands."""
    story = [acquitted("2019-05-01"), DISMISSED, detained("2022-04-20"), released("2022-05-01")]

    assert ["open"] == states(arrest(story))
    assert ["open", "resolved"] == states(arrest([*story, acquitted("2022-08-01", case="other")]))


@pytest.mark.parametrize(
    ("acquittal", "expected"), [("2022", ["open", "resolved"]), ("2022-04", ["open", "resolved"]), ("2021", ["open"])]
)
def test_an_acquittal_of_a_vague_date_is_understood_in_favour_of_the_person(
    acquittal: str, expected: list[str]
) -> None:
    """An acquittal that is possibly after the follow-up resolves the alert; one certainly before it does not."""
    assert expected == states(arrest([acquitted(acquittal), DISMISSED, detained("2022-04-20"), released("2022-05-01")]))


def test_an_acquittal_upheld_after_the_arrest_resolves_the_alert() -> None:
    """While an acquittal is on appeal it clears nobody: the end of the appeal is the clearing."""
    appeal = [acquitted("2021-05-01"), stated("AppealFiled", "2021-05-10", case="c", by="prosecution")]
    story = [*appeal, DISMISSED, detained("2022-04-20"), released("2022-05-01")]

    assert ["open"] == states(arrest(story))
    assert ["open", "resolved"] == states(arrest([*story, stated("VerdictUpheld", "2022-09-01", case="c")]))


def test_only_a_follow_up_before_the_acquittal_is_over() -> None:
    """The alert stands for the second arrest, and names it: the acquittal came before."""
    held = [detained("2022-03-29", case="c"), acquitted("2022-04-02"), arrested("2022-04-20", case="other")]
    (alert,) = arrest([DISMISSED, *held, released("2022-05-01", case="other")])

    assert ["open", "resolved", "open"] == states([alert])
    assert "a: dismissed (2022-03-27), then arrested (2022-04-20)." == alert["explanation"]


def test_an_acquittal_between_a_charge_and_a_dismissal_resolves_the_alert() -> None:
    """Of a charge the acquittal clears the person, of a dismissal nothing does: the dismissal may come later."""
    rules = rulebook(on="Charged", then="Dismissed", within="P365D", unless=None)
    story = [charged("2022-01-10"), acquitted("2022-02-10"), DISMISSED]

    assert [] == arrest(story, rules=rules)
    assert ["open"] == states(arrest([story[0], DISMISSED], rules=rules))


def test_an_arrest_in_absentia_is_called_so() -> None:
    """Nobody is held by an arrest in absentia, and the sentence does not say so."""
    (alert,) = arrest([DISMISSED, arrested("2022-04-20", in_absentia=True)])

    assert "a: dismissed (2022-03-27), then arrested in absentia (2022-04-20)." == alert["explanation"]


def test_a_disciplinary_case_does_not_prevent_clearing() -> None:
    """A disciplinary case does not prevent that a person is cleared (docs/design.md, 3.4)."""
    reprimand = stated("Charged", "2022-01-01", case="other", kind="disciplinary")
    story = [reprimand, DISMISSED, detained("2022-04-20"), acquitted("2022-08-01")]

    assert ["open", "resolved"] == states(arrest(story))


def test_an_alert_opens_again_when_the_person_is_no_longer_cleared() -> None:
    """The alert opens again when the acquittal is retracted, or when another case opens."""
    verdict = acquitted("2022-08-01")
    story = [DISMISSED, detained("2022-04-20"), verdict]

    assert ["open", "resolved", "open"] == states(arrest([*story, retracted(verdict, "2022-09-01")]))
    assert ["open", "resolved", "open"] == states(arrest([*story, charged("2022-09-01", case="other")]))


def test_no_order_of_arrival_raises_an_alert_about_a_cleared_person() -> None:
    """An arrest that becomes known after the acquittal opens no alert, as in the other order of arrival."""
    verdict, late = acquitted("2022-05-01"), detained("2022-04-20", recorded="2022-09-01T00:00:00Z")

    assert [] == alerts([DISMISSED, verdict, late])
    assert ["open"] == states(arrest([DISMISSED, verdict, late, charged("2022-10-01", case="other")]))
