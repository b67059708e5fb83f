"""Sentences of rules in several languages: read, refused with their place, and in the schema."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from projections.rules.files.schema import schema
from projections.rules.language_words import relation_in_words
from projections.rules.rulebook import Rulebook
from projections.rules.type_words import TYPE_WORDS
from projections.rules.values import FACT_WORDS, RELATIONS
from services.words.messages.loading import load
from tests.support.rules import SILENCE, book, problems

ONE = '    explain: "{name} was dismissed ({anchor.occurred})."\n'
BOTH = '    explain:\n      kk: "{name}: {anchor.type}."\n      ru: "{name}: {anchor.type}."\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to an empty folder, so that messages name files as a person would type them."""
    monkeypatch.chdir(tmp_path)


def test_a_rule_with_languages() -> None:
    """The language of a rule does not depend on the order in its file; words are no part of its version."""
    rules = book(SILENCE.replace(ONE, BOTH))

    assert "ru" == rules.rules[0].language
    assert book(SILENCE).rules[0].version == rules.rules[0].version
    assert rules == Rulebook.from_json(rules.as_json())


@pytest.mark.parametrize(
    ("explain", "place", "what"),
    [
        ('explain: {en: "a", de: "b"}', "12:24", 'unknown key "de"'),
        ("explain: {}", "12:14", "no language is here"),
        ('explain: {1: "a"}', "12:15", 'unknown key "1"'),
        ('explain: {en: "a", ru: ""}', "12:28", "nothing is not a text for this"),
        ('explain: {en: "{name}", ru: "{nme}"}', "12:34", "{nme} is not a placeholder here (want {name})"),
        ('explain: {en: "{name}", kk: "{limit.value}"}', "12:34", "{limit.value} stands in a rule without a limit"),
        ('explain: "a"\n    ended_explain: {ru: "b"}', "13:20", "no sentence in en is here"),
    ],
)
def test_bad_languages(explain: str, place: str, what: str) -> None:
    """Each problem of a mapping has its place in the file."""
    (problem,) = problems(SILENCE.replace(ONE, f"    {explain}\n"))

    assert problem.startswith(f"rules.yaml:{place}: {what}")


def test_the_schema_takes_languages() -> None:
    """The schema takes a mapping of the languages, and no other one."""
    check = Draft202012Validator(schema())
    known, unknown = (
        yaml.load(SILENCE.replace(ONE, both), Loader=yaml.BaseLoader)  # noqa: S506 - the loader without types
        for both in (BOTH, BOTH.replace("ru:", "de:"))
    )

    assert check.is_valid(known)
    assert not check.is_valid(unknown)


@pytest.mark.parametrize("language", ["ru", "kk"])
def test_each_word_has_a_translation(language: str) -> None:
    """A sentence names types as the messages do, and every relation in its own language."""
    types = {name: load(language).say(f"types.{name}") for name in FACT_WORDS if name[0].isupper()}

    assert {name: text[0].lower() + text[1:] for name, text in types.items()} == TYPE_WORDS[language]
    assert all(relation_in_words(name, language) != name for name in ("by", *RELATIONS))
