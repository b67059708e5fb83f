"""The sentence of an alert in each of its states, in the words of its rule or in the default form."""

import pytest

from tests.support.builders import corrected, described, detained, dismissed, reinstated, retracted, stated
from tests.support.desk import Desk, sequence, silence

DISMISSED = dismissed("2022-03-01", post="chief", recorded="2022-03-02T00:00:00Z")
LATE = detained("2022-03-20", recorded="2022-07-01T00:00:00Z")
LATER = detained("2022-06-20", place="Almaty", recorded="2022-07-01T00:00:00Z")
ENDED = "{name} was silent until {then.type} ({then.occurred}, {then.place})."
RETRACTED = "It is withdrawn that nothing was known about {name} after {anchor.occurred} ({anchor.post})."
STANDING = "a was dismissed; no custody is known."


def words(desk: Desk) -> str:
    """Return the sentence of the only alert, after checking that a rebuild leads to the same one."""
    sentence: str = desk.rebuilt().alert()["explanation"]
    return sentence


def opened(**changes: str) -> Desk:
    """Return a desk with an open alert about silence."""
    return Desk(silence(**changes)).facts(DISMISSED).time("2022-05-01")


def test_the_default_form() -> None:
    """Without sentences of its own, an alert that ended says until when its sentence was said."""
    assert f"Was said until 2022-07-01: {STANDING}" == words(opened().facts(LATER))
    assert f"Was said until 2022-07-01: {STANDING}" == words(opened().facts(LATE))


def test_an_alert_that_is_resolved() -> None:
    """A resolved alert has the rule's sentence, which may speak of the follow-up that ended the silence."""
    assert "a was silent until detained (2022-06-20, Almaty)." == words(opened(ended_explain=ENDED).facts(LATER))


def test_the_first_follow_up_ends_a_silence() -> None:
    """Of several follow-ups after the deadline the sentence names the first in world order, also if known last."""
    earlier = detained("2022-05-10", recorded="2022-08-01T00:00:00Z")
    desk = opened(ended_explain=ENDED).facts(LATER, earlier)

    assert "a was silent until detained (2022-05-10, not stated)." == words(desk)


def test_an_alert_that_is_retracted() -> None:
    """A retracted alert has the rule's sentence about the anchor."""
    desk = opened(retracted_explain=RETRACTED).facts(LATE)

    assert "It is withdrawn that nothing was known about a after 2022-03-01 (chief)." == words(desk)


def test_a_retracted_alert_whose_anchor_is_gone() -> None:
    """A retracted alert quotes an anchor that was taken back as it was published."""
    desk = opened(retracted_explain=RETRACTED)
    desk.facts(corrected(DISMISSED, "2022-06-01", post="deputy"), retracted(DISMISSED, "2022-07-01"))

    assert "retracted" == desk.alert()["state"]
    assert "It is withdrawn that nothing was known about a after 2022-03-01 (chief)." == words(desk)


def test_a_resolved_alert_that_is_retracted() -> None:
    """After a sentence of the rule's own, the default form still knows until when the standing sentence was said."""
    desk = opened(ended_explain=ENDED).facts(LATER, detained("2022-03-20", recorded="2022-08-05T00:00:00Z"))

    assert ["open", "resolved", "retracted"] == [state for state, _ in desk.life()]
    assert f"Was said until 2022-07-01: {STANDING}" == words(desk)


def test_a_superseded_alert_has_the_default_form() -> None:
    """A superseded alert has the default form, whatever sentences its rule has."""
    desk = opened(ended_explain=ENDED, retracted_explain=RETRACTED).rules()

    assert f"Was said until 2022-05-02: {STANDING}" == words(desk)


@pytest.mark.parametrize("end", [LATE, LATER])
def test_a_corrected_name_changes_the_sentence_of_an_end(end: dict[str, object]) -> None:
    """A name that becomes known after the end is put into the rule's own sentence."""
    desk = opened(ended_explain="{name}: over.", retracted_explain="{name}: over.").facts(end)
    desk.facts(described("2022-01-01", published="2022-08-01", name="Serik"))

    assert "Serik: over." == words(desk)


def test_a_name_after_the_anchor_is_gone() -> None:
    """A name that becomes known after the anchor was taken back is put into the rule's own sentence too."""
    desk = opened(retracted_explain="{name}: withdrawn.").facts(retracted(DISMISSED, "2022-07-01"))
    desk.facts(described("2022-01-01", published="2022-08-01", name="Serik"))

    assert "Serik: withdrawn." == words(desk)


def test_the_default_form_is_not_changed_afterwards() -> None:
    """The default form repeats the sentence as it was said, with the name of that time."""
    desk = opened().facts(LATER, described("2022-01-01", published="2022-08-01", name="Serik"))

    assert f"Was said until 2022-07-01: {STANDING}" == words(desk)


def test_a_new_sentence_of_the_rule_is_put_in_place() -> None:
    """A new sentence of the rule reaches alerts that are resolved; without one they have the default form again."""
    desk = opened(ended_explain=ENDED).facts(LATER).rules(silence(ended_explain="{name}: over."))
    assert "a: over." == words(desk)

    assert f"Was said until 2022-07-01: {STANDING}" == words(desk.rules(silence()))
    assert ["open", "resolved"] == desk.told()


def test_another_version_says_nothing_of_an_earlier_end() -> None:
    """The sentence of another version is not put into an alert that ended under an earlier one."""
    desk = opened().facts(LATER).rules(silence(severity="critical", ended_explain="{name}: over."))

    assert f"Was said until 2022-07-01: {STANDING}" == words(desk)


def test_a_better_report_of_the_follow_up() -> None:
    """A better report of the follow-up changes the sentence of a resolved alert."""
    better = stated("Detained", "2022-06-20T10:00:00Z", place="Astana", published="2022-06-21", recorded="2022-09-01")
    desk = opened(ended_explain=ENDED).facts(LATER, better | {"recorded": "2022-09-01T00:00:00Z"})

    assert "a was silent until detained (2022-06-20T10:00:00Z, Astana)." == words(desk)


def test_a_sequence_that_ended() -> None:
    """A sequence that an event ended has the rule's sentence about its follow-up."""
    rule = sequence(over=["Reinstated"], ended_explain="{name} was {then.type}, and is back.")
    desk = Desk(rule).facts(DISMISSED, detained("2022-03-20")).facts(reinstated("2022-09-01"))

    assert "a was detained, and is back." == words(desk)


def test_an_alert_that_stands_again_has_the_standing_sentence() -> None:
    """An alert that opens again has the standing sentence, and a later end counts from then."""
    wrong = corrected(LATE, "2022-08-01", occurred="2021-03-20")
    desk = opened(retracted_explain=RETRACTED).facts(LATE, wrong).time("2022-08-10")
    assert STANDING == words(desk)

    desk.facts(detained("2022-06-20", recorded="2022-09-01T00:00:00Z"))
    assert f"Was said until 2022-09-01: {STANDING}" == words(desk)
