"""The message files: every language has the same keys and placeholders, and each thing that a text names has words."""

from typing import get_args

import pytest

from events.errors import BadInput
from events.vocabulary import DATA
from projections.rules.files.loading import pack
from projections.rules.values import GroupField
from services.delivery.config.model import Language
from services.delivery.message import MessageKind
from services.words.messages.loading import ORIGINAL, Messages, languages, load, parsed, problems
from services.words.terms import PRESUMPTIONS
from tests.support.noticed import LANGUAGES

CAUSES = {
    *("followed", "deadline", "world_changed", "late_knowledge", "corrected", "retracted", "rule_changed"),
    *("same_event", "trial", "person", "ack_ended", "unacknowledged"),
}


def keys(section: str, language: str) -> set[str]:
    """Return the keys of a section."""
    return {key.removeprefix(f"{section}.") for key in load(language).texts if key.startswith(f"{section}.")}


def problem(text: str) -> str:
    """Return the problem of a file."""
    with pytest.raises(BadInput) as raised:
        parsed("xx", text.encode())
    return str(raised.value)


def test_each_language_of_the_configuration_has_a_file() -> None:
    """A file without a place in the configuration would never be used."""
    assert sorted(get_args(Language)) == languages()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys_and_placeholders(language: str) -> None:
    """A translator learns each key that is missing, unknown, or without its placeholders."""
    assert [] == problems(load(language), load(ORIGINAL))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_thing_that_a_text_names_has_words(language: str) -> None:
    """A type, a rule of the pack, a kind of message or a standing before the law is never shown as a code."""
    assert set(DATA) == keys("types", language)
    assert keys("other_types", language) < set(DATA)
    assert {rule.id for rule in pack().rules} | {rule.id for rule in pack().across} == keys("rules", language)
    assert set(get_args(MessageKind)) | {"reopened", "grew", "given_up"} == keys("title", language)
    assert {*PRESUMPTIONS, "convicted_open"} == keys("presumption", language)
    assert {"info", "notice", "warning", "critical"} == keys("severity", language)
    assert set(get_args(get_args(GroupField)[0])) == keys("groups", language)
    assert {*CAUSES, "other"} == keys("cause", language)
    assert set(languages()) == keys("languages", language)


def test_a_difference_from_the_original_is_named() -> None:
    """Each has the language and the key."""
    original = Messages("en", {"a": "{x} and {y}", "b": "b", "c": "{n}"})
    own = Messages("ru", {"a": "{x}", "c": "{n}", "d": "d"})

    assert [
        "ru: a has the placeholders ['x'] (want ['x', 'y'])",
        "ru: b is missing",
        "ru: d is not in en",
    ] == problems(own, original)


def test_a_wrong_file_is_refused_with_its_place() -> None:
    """A repeated key would hide a text."""
    assert "xx.yaml:2:1" in problem('a: "one"\na: "two"\n')
    assert "a.b is not a text" in problem("a: {b: [one]}\n")
    assert "a is not a text" in problem('a: ""\n')
    assert "the file is not a text" in problem("")
    with pytest.raises(BadInput, match='"xx" has no texts'):
        load("xx")


def test_a_value_with_braces_stays_as_it_is() -> None:
    """A name that looks like a placeholder takes nothing from the other values."""
    messages = Messages("en", {"a": "{name}, {date}"})

    assert "{date}, 2022" == messages.say("a", name="{date}", date="2022")
