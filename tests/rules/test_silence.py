"""The rule pattern `absent ... for`: a fact without a follow-up for a time (docs/design.md, 4.3)."""

from collections.abc import Callable, Sequence
from itertools import permutations

import pytest

from events.facts import Fact
from projections.history.history import History
from projections.rules.patterns.pattern import Finding
from projections.rules.patterns.silence import silence_after
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
    facts,
    instant,
    investigated,
    life,
    reinstated,
    released,
    retracted,
    silence,
    stated,
    states,
    suspended,
    wanted,
)

DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
# 90 days after the end of that day, and 7 days to settle.
OPENS = "2022-07-03T00:00:00Z"
OPENED = ("open", OPENS, "deadline")


def test_a_silence_opens_at_the_deadline_plus_the_settling_time() -> None:
    """The alert opens at the deadline plus the settling time, whenever it is evaluated."""
    (alert,) = silence([DISMISSED], until="2025")

    assert [OPENED] == life([alert])
    assert ("open", [DISMISSED["id"]]) == (alert["state"], alert["evidence"])
    assert (
        "a was dismissed (2022-03-27); no new step of a case, no custody and no return to office is known"
        " in the 90 days after."
    ) == alert["explanation"]


def test_a_silence_opens_once_the_watermark_is_strictly_past_it() -> None:
    """The alert opens once the watermark is strictly past its instant, so that every record with that stamp is in."""
    assert [] == states(silence([DISMISSED], until=OPENS))
    assert ["open"] == states(silence([DISMISSED], until="2022-07-03T00:00:00.000001Z"))


def test_a_vague_anchor_is_counted_from_its_latest_instant() -> None:
    """A vague anchor counts from its latest instant: a dismissal in March from the end of March."""
    vague = dismissed("2022-03", published="2022-04-02")

    assert [("open", "2022-07-07T00:00:00Z", "deadline")] == life(silence([vague]))


def test_a_follow_up_recorded_at_the_very_instant_prevents_the_alert() -> None:
    """A follow-up recorded at the very instant prevents the alert, in any order of the records with that stamp."""
    other = described("2022-01-01", published="2022-01-02", recorded=OPENS, name="A")
    follow = detained("2022-04-20", recorded=OPENS)

    for lines in permutations([other, follow]):
        assert [] == silence([DISMISSED, *lines])


def test_a_follow_up_before_the_deadline_prevents_the_alert() -> None:
    """A follow-up on the last possible day prevents the alert; on the day after the deadline it is too late."""
    assert [] == silence([DISMISSED, detained("2022-06-25")])
    assert ["open", "resolved"] == states(silence([DISMISSED, detained("2022-06-26", recorded="2022-07-04")]))


def test_a_backdated_detention_retracts_the_silence_alert() -> None:
    """A detention known late retracts the alert."""
    story = [DISMISSED, detained("2022-04-20", recorded="2022-07-10T12:00:00Z")]
    (alert,) = silence(story)

    assert [OPENED, ("retracted", "2022-07-10T12:00:00Z", "late_knowledge")] == life([alert])
    assert "Detained a 2022-04-20" == alert["life"][1]["fact_id"]


def test_a_detention_after_the_deadline_resolves_it() -> None:
    """A detention after the deadline resolves the alert, because the silence was real and is over."""
    story = [DISMISSED, detained("2022-08-20", recorded="2022-08-21T12:00:00Z")]

    assert [OPENED, ("resolved", "2022-08-21T12:00:00Z", "world_changed")] == life(silence(story))


def test_a_resolved_alert_is_retracted_when_an_earlier_follow_up_becomes_known() -> None:
    """A resolved alert is retracted when an earlier follow-up becomes known."""
    story = [
        DISMISSED,
        detained("2022-08-20", recorded="2022-08-21T12:00:00Z"),
        wanted("2022-05-01", recorded="2022-09-01T12:00:00Z"),
    ]

    assert ["open", "resolved", "retracted"] == states(silence(story))
    assert ("retracted", "2022-09-01T12:00:00Z", "late_knowledge") == life(silence(story))[-1]


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_of_several_ends_the_first_is_named_in_any_order(order: Sequence[int]) -> None:
    """The first end in world order is the one that the finding names; those after it are asked no conditions."""
    start, *ends = facts(DISMISSED, *(detained(f"2022-{month}-20", id=month) for month in ("08", "09", "10")))
    history, asked = History([start, *ends], instant("2022-12-01")), list[str]()

    def accepts(fact: Fact) -> bool:
        asked.append(fact.id)
        return True

    silent = Finding(start, "standing", deadline=instant("2022-06-26"))
    found = silence_after(silent, start, [ends[place] for place in order], history, accepts)

    assert ("ended", "08") == (found.value, found.ended_by and found.ended_by.id)
    assert sorted(asked, reverse=True) == asked


def test_a_vague_follow_up_that_may_be_in_time_retracts_a_silence_that_is_over() -> None:
    """A follow-up that ends after the end of the silence, and may have begun in time, is not passed over."""
    vague = wanted("2022-06/2022-10", recorded="2022-11-01T12:00:00Z")
    story = [DISMISSED, detained("2022-08-20", recorded="2022-08-21T12:00:00Z"), vague]

    assert ["open", "resolved", "retracted"] == states(silence(story))


def test_an_alert_stands_again_when_its_follow_up_is_retracted() -> None:
    """The alert opens again when its follow-up is retracted, at the instant of the retraction."""
    follow = detained("2022-04-20", recorded="2022-07-10T12:00:00Z")
    story = [DISMISSED, follow, retracted(follow, recorded="2022-07-20T12:00:00Z")]

    assert ["open", "retracted", "open"] == states(silence(story))
    assert ("open", "2022-07-20T12:00:00Z", "retracted") == life(silence(story))[-1]


def test_an_alert_stands_again_when_its_resolution_is_retracted() -> None:
    """The alert opens again when the detention that resolved it is retracted."""
    follow = detained("2022-08-20", recorded="2022-08-21T12:00:00Z")
    story = [DISMISSED, follow, retracted(follow, recorded="2022-09-01T12:00:00Z")]

    assert ["open", "resolved", "open"] == states(silence(story))


def test_a_retracted_alert_is_resolved_when_the_follow_up_moves_behind_the_deadline() -> None:
    """A retracted alert is resolved when its follow-up is corrected to a day after the deadline."""
    follow = detained("2022-04-20", recorded="2022-07-10T12:00:00Z")
    moved = corrected(follow, recorded="2022-09-01T12:00:00Z", occurred="2022-07-05", published="2022-07-10")

    assert ["open", "retracted", "resolved"] == states(silence([DISMISSED, follow, moved]))
    assert ("resolved", "2022-09-01T12:00:00Z", "corrected") == life(silence([DISMISSED, follow, moved]))[-1]


def test_a_silence_that_becomes_known_late_opens_late() -> None:
    """A silence that becomes known after the deadline opens at the `recorded` that made it standing."""
    follow = detained("2022-04-20", recorded="2022-04-21T12:00:00Z")
    late = dismissed("2022-03-27", recorded="2022-12-01T12:00:00Z")

    assert [("open", "2022-12-01T12:00:00Z", "deadline")] == life(silence([late]))
    assert [("open", "2022-12-01T12:00:00Z", "retracted")] == life(
        silence([DISMISSED, follow, retracted(follow, recorded="2022-12-01T12:00:00Z")])
    )


def test_a_follow_up_retracted_before_the_deadline_keeps_the_deadline() -> None:
    """A follow-up that is retracted before the deadline does not move the alert."""
    follow = detained("2022-04-20", recorded="2022-04-21T12:00:00Z")

    assert [OPENED] == life(silence([DISMISSED, follow, retracted(follow, recorded="2022-05-01T12:00:00Z")]))


def test_a_retracted_dismissal_retracts_its_alert() -> None:
    """A retracted dismissal retracts its alert, with the retraction as the cause."""
    story = [DISMISSED, retracted(DISMISSED, recorded="2022-07-10T12:00:00Z")]

    assert [OPENED, ("retracted", "2022-07-10T12:00:00Z", "retracted")] == life(silence(story))
    assert [] == silence([DISMISSED, retracted(DISMISSED, recorded="2022-05-10T12:00:00Z")])


def test_a_retracted_dismissal_retracts_a_resolved_alert() -> None:
    """A retracted dismissal retracts a resolved alert too."""
    story = [DISMISSED, detained("2022-08-20", recorded="2022-08-21T12:00:00Z")]

    assert ["open", "resolved"] == states(silence(story))
    assert ["open", "resolved", "retracted"] == states(silence([*story, retracted(DISMISSED, recorded="2022-09-01")]))


def test_a_dismissal_corrected_to_a_later_day_retracts_and_opens_again() -> None:
    """A dismissal that is corrected to a later day retracts the alert, which opens again at the new deadline."""
    moved = corrected(DISMISSED, recorded="2022-07-10T12:00:00Z", occurred="2022-05-10", published="2022-05-10")

    assert [
        OPENED,
        ("retracted", "2022-07-10T12:00:00Z", "corrected"),
        ("open", "2022-08-16T00:00:00Z", "deadline"),
    ] == (life(silence([DISMISSED, moved])))


def test_a_moved_deadline_before_a_follow_up_resolves_by_itself() -> None:
    """A finding that is void while it settles, and ended afterwards, is resolved at that instant without a record."""
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
        stated("HouseArrested", "2022-03-01"),
        stated("Bailed", "2022-03-01"),
        stated("Imprisoned", "2022-03-01"),
        investigated("2022-03-01"),
        charged("2022-03-01"),
    ],
    ids=lambda line: str(line["type"]),
)
def test_a_person_held_or_in_a_case_is_excepted(before: Line) -> None:
    """A person in custody, on bail or in a case beyond an accusation at the anchor is excepted by `unless`."""
    assert [] == silence([before, DISMISSED])


def test_an_accusation_before_the_dismissal_is_not_an_exception() -> None:
    """A person who was only accused before the dismissal is not excepted."""
    assert [OPENED] == life(silence([accused("2022-03-01"), DISMISSED]))


def test_a_closed_case_or_a_release_before_the_dismissal_is_not_an_exception() -> None:
    """A closed case or a release before the dismissal is not an exception."""
    ended = stated("CaseClosed", "2022-03-02", case="c")
    story = [accused("2022-03-01"), ended, detained("2022-03-03"), released("2022-03-04"), DISMISSED]

    assert [OPENED] == life(silence(story))


def test_custody_that_is_known_late_retracts_by_the_exception() -> None:
    """Custody before the dismissal that becomes known late retracts the alert."""
    story = [DISMISSED, detained("2022-03-01", recorded="2022-07-10T12:00:00Z")]

    assert [OPENED, ("retracted", "2022-07-10T12:00:00Z", "late_knowledge")] == life(silence(story))


def test_a_follow_up_without_a_year_prevents_silence_until_it_is_corrected() -> None:
    """A follow-up without a year may be within the time, so it prevents the alert until it is corrected."""
    vague = wanted("XXXX-04-20", published="2022-06-01", recorded="2022-06-01T12:00:00Z")
    dated = corrected(vague, recorded="2022-07-10T12:00:00Z", occurred="2021-04-20")

    assert [] == silence([DISMISSED, vague])
    assert [("open", "2022-07-10T12:00:00Z", "corrected")] == life(silence([DISMISSED, vague, dated]))


def test_a_dismissal_without_a_year_anchors_nothing() -> None:
    """A dismissal without a year starts no rule, because it has no day to count from."""
    assert [] == alerts([dismissed("XXXX-03-27", published="2022-04-01"), detained("2022-04-20")])


def test_an_announced_return_counts_from_its_instant_on() -> None:
    """An announced return is a follow-up from its instant on: before the deadline it prevents, after it it resolves."""
    after = reinstated("2022-08-20", published="2022-06-01", recorded="2022-06-01T12:00:00Z")
    before = reinstated("2022-06-10", published="2022-06-01", recorded="2022-06-01T12:00:00Z")

    assert [OPENED, ("resolved", "2022-08-21T00:00:00Z", "world_changed")] == life(silence([DISMISSED, after]))
    assert [] == silence([DISMISSED, before])


@pytest.mark.parametrize("announced", [detained, charged], ids=["custody", "case"])
def test_an_announced_detention_or_charge_is_never_a_follow_up(announced: Callable[..., Line]) -> None:
    """
    An announced detention or charge is not a follow-up.

    Only the report that it happened counts (docs/design.md, 2.3).
    """
    ahead = announced("2022-06-10", published="2022-06-01", recorded="2022-06-01T12:00:00Z", id="ahead")
    happened = announced("2022-06-10", published="2022-06-12", recorded="2022-06-12T12:00:00Z", id="happened")

    assert [OPENED] == life(silence([DISMISSED, ahead]))
    assert [] == silence([DISMISSED, ahead, happened])


def test_an_announced_dismissal_anchors_from_its_instant_on() -> None:
    """An announced dismissal counts from its own latest instant."""
    decree = dismissed("2022-04-10", published="2022-03-27")

    assert [("open", "2022-07-17T00:00:00Z", "deadline")] == life(silence([decree]))


def test_a_marked_follow_up_after_the_deadline_resolves() -> None:
    """
    A marked follow-up after the deadline resolves the alert.

    It is not possibly before the deadline, although its day is unknown (docs/design.md, 4.3).
    """
    story = [DISMISSED, detained("2022-08-20~", published="2022-08-30")]

    assert ["open", "resolved"] == states(silence(story))


def test_a_marked_follow_up_does_not_change_a_resolved_silence() -> None:
    """A marked follow-up that could not have ended the silence does not change a resolved alert."""
    ending = detained("2022-08-20", recorded="2022-08-21T12:00:00Z")
    story = [DISMISSED, ending, wanted("2022-09-01~", published="2022-09-10", recorded="2022-09-11T12:00:00Z")]

    assert ["open", "resolved"] == states(silence(story))


def test_a_marked_follow_up_before_the_deadline_prevents_the_alert() -> None:
    """A marked follow-up before the deadline prevents the alert, because it may have happened."""
    assert [] == silence([DISMISSED, detained("2022-06-25?", published="2022-06-30")])


def test_a_follow_up_of_an_unknown_start_prevents_the_alert() -> None:
    """A follow-up some time before May 2023 is possibly in time, so it prevents the alert."""
    assert [] == silence([DISMISSED, detained("../2023-05-01", published="2022-06-01")])


def test_a_fact_certainly_before_the_anchor_is_not_a_follow_up() -> None:
    """A detention that ended before the dismissal is not a follow-up."""
    story = [detained("2022-03-01"), released("2022-03-26"), DISMISSED]

    assert ["open"] == states(silence(story))
    assert [] == silence([*story, wanted("2022-03", published="2022-04-02")])


def test_a_day_after_a_deadline_of_the_clock_needs_fourteen_hours() -> None:
    """
    A day needs 14 hours to spare behind a deadline that is a time.

    A dismissal at 10:00Z has a deadline at 10:01Z. The day after that day leaves only 13:59, so somewhere it may have
    begun before the deadline. It is a follow-up in time (docs/design.md, 2.3). The next day is late enough.
    """
    exact = dismissed("2022-03-27T10:00Z", published="2022-03-27")
    too_near, enough = detained("2022-06-26", recorded="2022-08-01"), detained("2022-06-27", recorded="2022-08-01")

    assert ["open", "retracted"] == states(silence([exact, too_near]))
    assert ["open", "resolved"] == states(silence([exact, enough]))
    same_kind = detained("2022-06-25T10:01Z", published="2022-06-26", recorded="2022-08-01")
    assert ["open", "resolved"] == states(silence([exact, same_kind]))


def test_every_type_that_is_absent_counts() -> None:
    """New steps of a case, custody, a return to office and death are follow-ups (docs/design.md, 4.3)."""
    for follow in (reinstated("2022-05-01"), died("2022-05-01"), investigated("2022-05-01"), wanted("2022-05-01")):
        assert [] == silence([DISMISSED, follow])
    assert ["open"] == states(silence([DISMISSED, suspended("2022-05-01")]))
    assert ["open"] == states(silence([DISMISSED, accused("2022-05-01")])), "an accusation is not a step of a case"
    closed = stated("CaseClosed", "2022-05-01", case="old")
    assert ["open"] == states(silence([accused("2022-01-01", case="old"), DISMISSED, closed]))
    assert [] == silence([DISMISSED, closed]), "nobody knew the case before"
