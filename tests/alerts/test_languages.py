"""The sentences of an alert in the languages of its rule, which its notices carry."""

from typing import Any

from projections.tables.schema import outbox
from tests.support.builders import detained, dismissed, rows
from tests.support.desk import Desk, silence

DISMISSED = dismissed("2022-03-01", recorded="2022-03-02T00:00:00Z")
LATE = detained("2022-03-20", recorded="2022-07-01T00:00:00Z")
LATER = detained("2022-06-20", recorded="2022-07-01T00:00:00Z")
SAID = {
    "en": "{name} was {anchor.type}.",
    "ru": "{name}: {anchor.type}; {anchor.place}.",
    "kk": "{name}: {anchor.type}; {anchor.place}.",
}
ENGLISH = "a was dismissed."
RUSSIAN = "a: увольнение; не указано."
KAZAKH = "a: жұмыстан шығару; көрсетілмеген."


def opened(**changes: Any) -> Desk:
    """Return a desk with an open alert about silence, which has sentences in three languages."""
    return Desk(silence(**({"explain": SAID} | changes))).facts(DISMISSED).time("2022-05-01")


def notices(desk: Desk) -> list[dict[str, Any]]:
    """Return the notices, after checking that a rebuild leads to the same alerts."""
    return [row["notice"] for row in rows(desk.rebuilt().engine, outbox)]


def test_a_notice_has_the_sentence_in_each_language() -> None:
    """The explanation is that of the rule's language, and the words of the program are in each language."""
    (notice,) = notices(opened())

    assert (ENGLISH, "en") == (notice["explanation"], notice["language"])
    assert {"en": ENGLISH, "ru": RUSSIAN, "kk": KAZAKH} == notice["explanations"]


def test_the_default_form_in_each_language() -> None:
    """A retraction says in each language until when its sentence was said."""
    *_, notice = notices(opened().facts(LATE))

    assert {
        "en": f"Was said until 2022-07-01: {ENGLISH}",
        "ru": f"До 2022-07-01 утверждалось: {RUSSIAN}",
        "kk": f"Мына күнге дейін айтылған: 2022-07-01. {KAZAKH}",
    } == notice["explanations"]


def test_the_sentence_of_a_state_in_each_language() -> None:
    """A sentence for a state has its own languages, and names the follow-up in them."""
    ended = {"en": "{name}: {then.type}.", "ru": "{name}: {then.type}."}
    *_, notice = notices(opened(ended_explain=ended).facts(LATER))

    assert {"en": "a: detained.", "ru": "a: задержание."} == notice["explanations"]


def test_a_new_sentence_leaves_what_was_said() -> None:
    """Other words of a rule change no version, and a default form keeps the languages in which it was said."""
    desk = opened(retracted_explain="It is not upheld.").facts(LATE)
    assert "It is not upheld." == desk.alert()["explanation"]

    desk.rules(silence(explain={"ru": "{name}."}))

    assert f"Was said until 2022-07-01: {ENGLISH}" == desk.rebuilt().alert()["explanation"]
    assert "en" == desk.alert()["languages"]["explanation"]["language"]


def test_the_language_of_a_rule_without_english() -> None:
    """A rule with Russian alone has Russian alerts, and the notice says so."""
    (notice,) = notices(opened(explain={"ru": SAID["ru"]}))

    assert (RUSSIAN, "ru", {"ru": RUSSIAN}) == (notice["explanation"], notice["language"], notice["explanations"])


def test_one_sentence_alone_adds_nothing() -> None:
    """A notice of a rule with one sentence is as it always was."""
    desk = opened(explain="{name}.")
    (notice,) = notices(desk)

    assert notice.keys().isdisjoint({"language", "explanations"})
    assert desk.alert()["languages"] is None
