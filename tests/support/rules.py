"""Example rule files, one of each pattern, and the rules that are read from them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from events.facts import Fact, make_fact
from projections.rules.files.loading import RulesError, load, pack
from projections.rules.files.schema import schema
from projections.rules.languages import texts_of
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.pattern import Rule
from projections.rules.patterns.sequence import SequenceRule
from projections.rules.rulebook import Rulebook

VALIDATOR = Draft202012Validator(schema())
SILENCE = """\
rules:
  - id: silence
    title: Dismissed, and nothing followed
    severity: warning
    on: Dismissed
    absent: [case, Died]
    for: P90D
    settle: P7D
    unless:
      custody: [detained, remanded]
      open_cases: {at_least: 1}
    explain: "{name} was dismissed ({anchor.occurred})."
"""
SEQUENCE = """\
rules:
  - id: sequence
    title: Dismissed, then detained
    on: [Dismissed]
    then: Detained
    within: P180D
    explain: "{name} was dismissed and {then.type}."
"""


def dismissals() -> Rulebook:
    """Return the two shipped rules about dismissals alone: the other ones are tested by themselves."""
    ids = {"dismissal-before-arrest", "dismissed-without-follow-up"}
    return Rulebook(tuple(rule for rule in pack().rules if rule.id in ids))


def book(text: str | bytes) -> Rulebook:
    """Read *text* as the only rule file."""
    Path("rules.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(Path("rules.yaml"))


def silence(text: str = SILENCE) -> AbsenceRule:
    """Return the one silence rule of *text*."""
    (rule,) = book(text).rules
    assert isinstance(rule, AbsenceRule)
    return rule


def sequence(text: str = SEQUENCE) -> SequenceRule:
    """Return the one sequence rule of *text*."""
    (rule,) = book(text).rules
    assert isinstance(rule, SequenceRule)
    return rule


def english(rule: Rule) -> str:
    """Return the English sentence of *rule*."""
    return dict(texts_of(rule.explain, "en"))["en"]


def problems(text: str | bytes) -> list[str]:
    """Return the problems of *text*, which must be refused; each names the wanted value."""
    with pytest.raises(RulesError) as refused:
        book(text)
    found = [str(problem) for problem in refused.value.problems]
    assert all("(want " in problem and "(want )" not in problem for problem in found)
    return found


def schema_problems(text: str) -> list[str]:
    """Return the problems that the schema has with a rule file; scalars are texts, as the program reads them."""
    data: Any = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the loader without types
    return [error.message for error in VALIDATOR.iter_errors(data)]


def fact(kind: str, **data: Any) -> Fact:
    """Return a fact of *kind* about one person, with *data* beside the times."""
    shape = {"occurred": "2022-03-27", "published": "2022-03-28", "sources": [{"title": "Decree"}], **data}
    return make_fact(id=f"{kind}-1", type=kind, subject="kz-a", source="urn:test", version="1", data=shape)
