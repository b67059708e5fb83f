"""The keys `enabled`, `ended_explain` and `retracted_explain`: the values they take, and the messages for others."""

from pathlib import Path

import pytest

from tests.support.rules import SEQUENCE, SILENCE, book, problems, sequence, silence


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder, so that messages name files as a person would type them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("text", "asked"), [("true", True), ("false", False), ("trial", True)])
def test_the_values_of_enabled(text: str, asked: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A rule is asked unless it is disabled; only `trial` is a trial."""
    rules = book(SEQUENCE + f"    enabled: {text}\n")

    assert asked == bool(rules.asked)
    assert (text == "trial") == rules.rules[0].is_trial


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("enabled: maybe", '"maybe" is not a value of enabled (want one of true, false, trial)'),
        ("enabled: False", '"False" is not a value of enabled (want false)'),
        ("enabled: [trial]", "a list is not a value of enabled (want one of true, false, trial)"),
        ("enabled:", "nothing is not a value of enabled (want one of true, false, trial)"),
        ("ended_explain: ''", "nothing is not a text for this (want 1 to 1000 characters)"),
        ("retracted_explain: [a]", "a list is not a text for this (want 1 to 1000 characters)"),
    ],
)
def test_other_values_are_refused(line: str, message: str) -> None:
    """Each mistake has its place, and the wanted value."""
    (problem,) = problems(SEQUENCE + f"    {line}\n")

    assert problem.startswith("rules.yaml:8:")
    assert problem.endswith(message)


ROOTS = "is not a placeholder here (want {name}, {subject}, {anchor.occurred})"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (SILENCE, 'ended_explain: "{than.type}"', "13:21: {than.type} is not a placeholder here (want {then.type})"),
        (SILENCE, 'explain: "{then.type}"', f"12:15: {{then.type}} {ROOTS}"),
        (SILENCE, 'retracted_explain: "{then.type}"', f"13:25: {{then.type}} {ROOTS}"),
        (SEQUENCE, 'retracted_explain: "{name}, {then.id}"', f"8:33: {{then.id}} {ROOTS}"),
        (SEQUENCE, 'ended_explain: "{absent.id}"', f"8:21: {{absent.id}} {ROOTS}"),
    ],
)
def test_each_sentence_has_its_placeholders(text: str, line: str, message: str) -> None:
    """An ended pattern has a follow-up to speak of, a retracted one has not; the place of a mistake is named."""
    before = text[: text.rindex("    explain")] if line.startswith("explain") else text

    assert [f"rules.yaml:{message}"] == problems(f"{before}    {line}\n")


def test_the_sentences_are_kept() -> None:
    """The sentences are on one line, as all texts of a rule."""
    lines = '    ended_explain: "{name}:\n      {then.type}"\n    retracted_explain: "{anchor.post}"\n'

    assert "{name}: {then.type}" == silence(SILENCE + lines).ended_explain
    assert "{anchor.post}" == sequence(SEQUENCE + lines).retracted_explain
