"""The rule about silence: a fact with no such fact for a time (RULES 1, `absent ... for`)."""

from collections.abc import Callable
from itertools import permutations

import pytest

from tests.support.builders import (
    Line,
    accused,
    alerts,
    arrested,
    charged,
    corrected,
    described,
    detained,
    died,
    dismissed,
    investigated,
    life,
    reinstated,
    released,
    retracted,
    silence,
    states,
    suspended,
    told,
    wanted,
)

DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
# 90 days after the end of that day, and 7 days to settle.
OPENS = "2022-07-03T00:00:00Z"
OPENED = ("open", OPENS, "deadline")


def test_silence_is_said_at_the_deadline_and_the_settling_time() -> None:
    """At that instant, never at the one somebody noticed."""
    (alert,) = silence([DISMISSED], until="2025")

    assert [OPENED] == life([alert])
    assert ("open", [DISMISSED["id"]]) == (alert["state"], alert["evidence"])
    assert (
        "a was dismissed (2022-03-27); no new step of a case, no custody and no return to office is known"
        " in the 90 days after."
    ) == alert["explanation"]


def test_silence_is_said_once_the_watermark_is_strictly_past_it() -> None:
    """So that every record stamped with that very instant is in."""
    assert [] == states(silence([DISMISSED], until=OPENS))
    assert ["open"] == states(silence([DISMISSED], until="2022-07-03T00:00:00.000001Z"))


def test_a_vague_anchor_is_counted_from_its_latest_instant() -> None:
    """What happened in March is over with March."""
    vague = dismissed("2022-03", published="2022-04-02")

    assert [("open", "2022-07-07T00:00:00Z", "deadline")] == life(silence([vague]))


def test_a_follow_up_recorded_at_the_very_instant_prevents_the_alert() -> None:
    """Whatever else was stamped with that instant, and in whatever order it was read."""
    other = described("2022-01-01", published="2022-01-02", recorded=OPENS, name="A")
    follow = detained("2022-04-20", recorded=OPENS)

    for lines in permutations([other, follow]):
        assert [] == silence([DISMISSED, *lines])


def test_a_follow_up_before_the_deadline_prevents_the_alert() -> None:
    """The person was in custody on the last possible day; the day after the deadline is too late."""
    assert [] == silence([DISMISSED, detained("2022-06-25")])
    assert ["open", "resolved"] == states(silence([DISMISSED, detained("2022-06-26", recorded="2022-07-04")]))


def test_a_backdated_detention_retracts_the_silence_alert() -> None:
    """A detention known late was a follow-up all along: the alert was never true."""
    story = [DISMISSED, detained("2022-04-20", recorded="2022-07-10T12:00:00Z")]
    (alert,) = silence(story)

    assert [OPENED, ("retracted", "2022-07-10T12:00:00Z", "late_knowledge")] == life([alert])
    assert "Detained a 2022-04-20" == alert["life"][1]["fact_id"]


def test_a_detention_after_the_deadline_resolves_it() -> None:
    """The world changed: silence there was, and it is over."""
    story = [DISMISSED, detained("2022-08-20", recorded="2022-08-21T12:00:00Z")]

    assert [OPENED, ("resolved", "2022-08-21T12:00:00Z", "world_changed")] == life(silence(story))


def test_a_resolved_alert_is_retracted_when_an_earlier_follow_up_comes_out() -> None:
    """Whoever was told that it was true, and then over, is told that it was not."""
    story = [
        DISMISSED,
        detained("2022-08-20", recorded="2022-08-21T12:00:00Z"),
        wanted("2022-05-01", recorded="2022-09-01T12:00:00Z"),
    ]

    assert ["open", "resolved", "retracted"] == states(silence(story))
    assert ("retracted", "2022-09-01T12:00:00Z", "late_knowledge") == life(silence(story))[-1]


def test_a_retracted_follow_up_lets_the_alert_stand_again() -> None:
    """A new row of the same alert, at the instant that made it standing."""
    follow = detained("2022-04-20", recorded="2022-07-10T12:00:00Z")
    story = [DISMISSED, follow, retracted(follow, recorded="2022-07-20T12:00:00Z")]

    assert ["open", "retracted", "open"] == states(silence(story))
    assert ("open", "2022-07-20T12:00:00Z", "retracted") == life(silence(story))[-1]


def test_a_resolution_taken_back_lets_the_alert_stand_again() -> None:
    """The detention of August was an error, so the silence goes on."""
    follow = detained("2022-08-20", recorded="2022-08-21T12:00:00Z")
    story = [DISMISSED, follow, retracted(follow, recorded="2022-09-01T12:00:00Z")]

    assert ["open", "resolved", "open"] == states(silence(story))


def test_a_retracted_alert_is_resolved_when_the_follow_up_moves_behind_the_deadline() -> None:
    """Ended is ended, also after retracted."""
    follow = detained("2022-04-20", recorded="2022-07-10T12:00:00Z")
    moved = corrected(follow, recorded="2022-09-01T12:00:00Z", occurred="2022-07-05", published="2022-07-10")

    assert ["open", "retracted", "resolved"] == states(silence([DISMISSED, follow, moved]))
    assert ("resolved", "2022-09-01T12:00:00Z", "corrected") == life(silence([DISMISSED, follow, moved]))[-1]


def test_a_silence_that_becomes_known_late_opens_when_it_became_known() -> None:
    """The later of deadline and settling time and the record that made it standing."""
    follow = detained("2022-04-20", recorded="2022-04-21T12:00:00Z")
    late = dismissed("2022-03-27", recorded="2022-12-01T12:00:00Z")

    assert [("open", "2022-12-01T12:00:00Z", "deadline")] == life(silence([late]))
    assert [("open", "2022-12-01T12:00:00Z", "retracted")] == life(
        silence([DISMISSED, follow, retracted(follow, recorded="2022-12-01T12:00:00Z")])
    )


def test_a_follow_up_taken_back_before_the_deadline_leaves_the_deadline() -> None:
    """What was known in between and is not known any more does not matter."""
    follow = detained("2022-04-20", recorded="2022-04-21T12:00:00Z")

    assert [OPENED] == life(silence([DISMISSED, follow, retracted(follow, recorded="2022-05-01T12:00:00Z")]))


def test_a_retracted_dismissal_retracts_its_alert() -> None:
    """No anchor, no finding; the cause is the retraction."""
    story = [DISMISSED, retracted(DISMISSED, recorded="2022-07-10T12:00:00Z")]

    assert [OPENED, ("retracted", "2022-07-10T12:00:00Z", "retracted")] == life(silence(story))
    assert [] == silence([DISMISSED, retracted(DISMISSED, recorded="2022-05-10T12:00:00Z")])


def test_a_retracted_dismissal_retracts_what_was_resolved_too() -> None:
    """Whoever was told that it was true, and over, is told that there was nothing."""
    story = [DISMISSED, detained("2022-08-20", recorded="2022-08-21T12:00:00Z")]

    assert ["open", "resolved"] == states(silence(story))
    assert ["open", "resolved", "retracted"] == states(silence([*story, retracted(DISMISSED, recorded="2022-09-01")]))


def test_a_dismissal_corrected_to_a_later_day_retracts_and_opens_again() -> None:
    """The deadline is ahead once more."""
    moved = corrected(DISMISSED, recorded="2022-07-10T12:00:00Z", occurred="2022-05-10", published="2022-05-10")

    assert [
        OPENED,
        ("retracted", "2022-07-10T12:00:00Z", "corrected"),
        ("open", "2022-08-16T00:00:00Z", "deadline"),
    ] == (life(silence([DISMISSED, moved])))


def test_a_moved_deadline_that_a_follow_up_is_behind_resolves_by_itself() -> None:
    """Void while the settling time runs, ended after it: told at that instant, whether or not a record arrives."""
    follow = detained("2022-08-12", recorded="2022-08-13T12:00:00Z")
    moved = corrected(DISMISSED, recorded="2022-08-14T12:00:00Z", occurred="2022-05-10", published="2022-05-10")
    expected = [
        OPENED,
        ("resolved", "2022-08-13T12:00:00Z", "world_changed"),
        ("retracted", "2022-08-14T12:00:00Z", "corrected"),
        ("resolved", "2022-08-16T00:00:00Z", "world_changed"),
    ]

    assert expected == life(silence([DISMISSED, moved, follow]))


@pytest.mark.parametrize(
    "before",
    [
        detained("2022-03-01"),
        arrested("2022-03-01"),
        told("HouseArrested", "2022-03-01"),
        told("Bailed", "2022-03-01"),
        told("Imprisoned", "2022-03-01"),
        investigated("2022-03-01"),
        charged("2022-03-01"),
    ],
    ids=lambda line: str(line["type"]),
)
def test_no_silence_about_somebody_already_held_or_in_a_case(before: Line) -> None:
    """`unless` asks for the status at the anchor: held, bail included, or in a case beyond an accusation."""
    assert [] == silence([before, DISMISSED])


def test_an_accusation_before_the_dismissal_is_no_exception() -> None:
    """The pack excepts a case beyond an accusation: an accused who was dismissed, and then nothing, is its subject."""
    assert [OPENED] == life(silence([accused("2022-03-01"), DISMISSED]))


def test_a_closed_case_or_a_release_before_the_dismissal_is_no_exception() -> None:
    """What was over is over."""
    ended = told("CaseClosed", "2022-03-02", case="c")
    story = [accused("2022-03-01"), ended, detained("2022-03-03"), released("2022-03-04"), DISMISSED]

    assert [OPENED] == life(silence(story))


def test_custody_that_is_known_late_retracts_by_the_exception() -> None:
    """The person had been in custody when dismissed."""
    story = [DISMISSED, detained("2022-03-01", recorded="2022-07-10T12:00:00Z")]

    assert [OPENED, ("retracted", "2022-07-10T12:00:00Z", "late_knowledge")] == life(silence(story))


def test_a_follow_up_without_a_year_prevents_silence_until_it_is_corrected() -> None:
    """It may have been within the time: nothing is said that the evidence does not say."""
    vague = wanted("XXXX-04-20", published="2022-06-01", recorded="2022-06-01T12:00:00Z")
    dated = corrected(vague, recorded="2022-07-10T12:00:00Z", occurred="2021-04-20")

    assert [] == silence([DISMISSED, vague])
    assert [("open", "2022-07-10T12:00:00Z", "corrected")] == life(silence([DISMISSED, vague, dated]))


def test_a_dismissal_without_a_year_anchors_nothing() -> None:
    """No day to count from."""
    assert [] == alerts([dismissed("XXXX-03-27", published="2022-04-01"), detained("2022-04-20")])


def test_an_announced_return_counts_from_its_instant_on() -> None:
    """Until then it is not a follow-up; after the deadline it resolves, before it it prevents."""
    after = reinstated("2022-08-20", published="2022-06-01", recorded="2022-06-01T12:00:00Z")
    before = reinstated("2022-06-10", published="2022-06-01", recorded="2022-06-01T12:00:00Z")

    assert [OPENED, ("resolved", "2022-08-21T00:00:00Z", "world_changed")] == life(silence([DISMISSED, after]))
    assert [] == silence([DISMISSED, before])


@pytest.mark.parametrize("announced", [detained, charged], ids=["custody", "case"])
def test_an_announced_detention_or_charge_is_never_a_follow_up(announced: Callable[..., Line]) -> None:
    """Of what "will be charged on Monday" says, only the report that it happened counts (MODEL 2)."""
    ahead = announced("2022-06-10", published="2022-06-01", recorded="2022-06-01T12:00:00Z", id="ahead")
    happened = announced("2022-06-10", published="2022-06-12", recorded="2022-06-12T12:00:00Z", id="happened")

    assert [OPENED] == life(silence([DISMISSED, ahead]))
    assert [] == silence([DISMISSED, ahead, happened])


def test_an_announced_dismissal_anchors_from_its_instant_on() -> None:
    """Counted from its own latest instant."""
    decree = dismissed("2022-04-10", published="2022-03-27")

    assert [("open", "2022-07-17T00:00:00Z", "deadline")] == life(silence([decree]))


def test_a_marked_follow_up_after_the_deadline_resolves() -> None:
    """It is not possibly before the deadline, so the silence is over, though nobody knows the day (RULES 1)."""
    story = [DISMISSED, detained("2022-08-20~", published="2022-08-30")]

    assert ["open", "resolved"] == states(silence(story))


def test_a_marked_follow_up_leaves_a_silence_that_is_over_as_it_is() -> None:
    """What ended it is not taken back by what could not have."""
    ending = detained("2022-08-20", recorded="2022-08-21T12:00:00Z")
    story = [DISMISSED, ending, wanted("2022-09-01~", published="2022-09-10", recorded="2022-09-11T12:00:00Z")]

    assert ["open", "resolved"] == states(silence(story))


def test_a_marked_follow_up_before_the_deadline_prevents_the_alert() -> None:
    """It may well have been."""
    assert [] == silence([DISMISSED, detained("2022-06-25?", published="2022-06-30")])


def test_a_follow_up_of_an_unknown_start_prevents_the_alert() -> None:
    """Some time before May 2023 is possibly before the deadline and possibly after the anchor."""
    assert [] == silence([DISMISSED, detained("../2023-05-01", published="2022-06-01")])


def test_a_follow_up_certainly_before_the_anchor_is_none() -> None:
    """What had ended before the dismissal does not follow it."""
    story = [detained("2022-03-01"), released("2022-03-26"), DISMISSED]

    assert ["open"] == states(silence(story))
    assert [] == silence([*story, wanted("2022-03", published="2022-04-02")])


def test_a_day_after_a_deadline_of_the_clock_needs_fourteen_hours() -> None:
    """
    A dismissal at 10:00Z has a deadline at 10:01Z; the day after that day leaves 13:59, the next one enough.

    The day after may have begun before the deadline, somewhere: so it is a follow-up in time (MODEL 2).
    """
    exact = dismissed("2022-03-27T10:00Z", published="2022-03-27")
    too_near, enough = detained("2022-06-26", recorded="2022-08-01"), detained("2022-06-27", recorded="2022-08-01")

    assert ["open", "retracted"] == states(silence([exact, too_near]))
    assert ["open", "resolved"] == states(silence([exact, enough]))
    same_kind = detained("2022-06-25T10:01Z", published="2022-06-26", recorded="2022-08-01")
    assert ["open", "resolved"] == states(silence([exact, same_kind]))


def test_every_type_that_is_absent_counts() -> None:
    """New steps of a case, custody, a return to office, and death, which no rule has to name (RULES 1)."""
    for follow in (reinstated("2022-05-01"), died("2022-05-01"), investigated("2022-05-01"), wanted("2022-05-01")):
        assert [] == silence([DISMISSED, follow])
    assert ["open"] == states(silence([DISMISSED, suspended("2022-05-01")]))
    assert ["open"] == states(silence([DISMISSED, accused("2022-05-01")])), "an accusation is not a step of a case"
    assert ["open"] == states(silence([DISMISSED, told("CaseClosed", "2022-05-01", case="old")]))
