"""The JSON Schema of rule files agrees with the program: it takes the same keys and words."""

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from projections.rules.files.schema import schema
from projections.rules.rulebook import PATTERNS
from tests.support.places import ROOT
from tests.support.rules import SEQUENCE, SILENCE, VALIDATOR, schema_problems


def test_it_is_a_schema() -> None:
    """It follows its own dialect."""
    Draft202012Validator.check_schema(schema())


def test_the_pack_fits_it() -> None:
    """The rules that ship are examples."""
    for path in (ROOT / "projections" / "rules" / "pack").glob("*.yaml"):
        assert [] == schema_problems(path.read_text("utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        SILENCE,
        SEQUENCE,
        SILENCE.replace("    for: P90D\n", "    before: P1D\n"),
        SILENCE + "    from: until\n    jurisdiction: [KZ, KG]\n    why: A reason.\n",
        SEQUENCE + "    over: [Released]\n    certainty: possible\n    wrong_when: It is over.\n",
        SEQUENCE + "    enabled: trial\n    ended_explain: It is over.\n    retracted_explain: Not so.\n",
    ],
)
def test_a_file_that_the_program_takes_fits_it(text: str) -> None:
    """An editor marks no file that can be used."""
    assert [] == schema_problems(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("for: P90D", "for: P3M"),
        ("on: Dismissed", "on: Dismised"),
        ("severity: warning", "severity: high"),
        ("severity: warning", "severity: warning\n    enabled: maybe"),
        ("    for: P90D\n", ""),
        ("    for: P90D\n", "    for: P90D\n    then: Detained\n"),
        ("{at_least: 1}", "{}"),
        ("custody: [detained, remanded]", "custody: [free]"),
    ],
)
def test_a_mistake_does_not_fit_it(old: str, new: str) -> None:
    """An editor marks the mistakes that the program refuses, as far as a schema can say them."""
    assert [] != schema_problems(SILENCE.replace(old, new, 1))


@pytest.mark.parametrize("value", [True, False, "true", "false", "trial"])
def test_an_editor_may_read_a_truth_value(value: object) -> None:
    """An editor reads `enabled: false` as a truth value, and the program as a word."""
    data = yaml.load(SEQUENCE, Loader=yaml.BaseLoader)  # noqa: S506 - the loader without types
    data["rules"][0]["enabled"] = value

    assert [] == list(VALIDATOR.iter_errors(data))


@pytest.mark.parametrize("key", PATTERNS)
def test_it_has_every_key_of_a_pattern(key: str) -> None:
    """A new key of a pattern needs a schema."""
    items = schema()["properties"]["rules"]["items"]["oneOf"]
    (item,) = (item for item in items if item["title"] == (PATTERNS[key].__doc__ or "").strip().splitlines()[0])

    assert {*PATTERNS[key].keys(), "tests"} == item["properties"].keys()
