"""The problems of the key `steps`, each at its line and column, and its schema."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from projections.rules.patterns.chain import ChainRule
from projections.rules.rulebook import Rulebook
from tests.support.chains import ACCUSED, QUIET, chain
from tests.support.rules import SEQUENCE, SILENCE, book, problems, schema_problems

FIRST = "{then: [MaterialsReferred, InvestigationOpened], within: P90D}"
SECOND = "{then: [Detained, Arrested], within: P30D, as: arrest}"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (FIRST, "x", '6:9: "x" is not a step (want then and within, such as {then: Detained, within: P30D})'),
        (FIRST, "", "6:8: nothing is not a step"),
        (FIRST, "{}", "6:9: neither then nor absent is in this step"),
        (FIRST, "{within: P1D}", "6:9: neither then nor absent is in this step (want one of them: "),
        (
            FIRST,
            "{then: Detained, within: P9D, absent: Charged}",
            "6:9: both then and absent are in this step (want one of them: ",
        ),
        (FIRST, "{absent: Charged, for: P9D}", "6:18: absent is in a step before the last (want then, or absent in"),
        (", within: P90D", "", "6:9: within is missing (want weeks, days"),
        ("P90D", "P0D", "6:66: the time is zero or less"),
        ("P90D", "P3M", '6:66: "P3M" has months or years'),
        (
            "MaterialsReferred,",
            "MaterialsRefered,",
            '6:17: "MaterialsRefered" is not a fact type that a rule can name (want MaterialsReferred)',
        ),
        ("within: P90D", "witin: P90D", '6:58: unknown key "witin" (want within)'),
        ("within: P90D", "within: P90D, xyz: 1", '6:72: unknown key "xyz" (want one of then, within, where, same'),
        ("within: P90D", "within: P90D, for: P1D", "6:72: for is not for a step with then (want one of then, within"),
        ("within: P90D", "within: P90D, over: Died", '6:72: unknown key "over" (want one of then, within'),
        ("as: arrest", "as: Arrest", '7:56: "Arrest" is not a name of a step (want a small word'),
        ("as: arrest", "as: [arrest]", "7:56: a list is not a name of a step (want a small word"),
        ("as: arrest", "as: ''", "7:56: nothing is not a name of a step (want a small word"),
        ("as: arrest", "as: anchor", '7:56: "anchor" has a meaning of its own in a rule (want a small word'),
        ("as: arrest", "as: step1", '7:56: "step1" has a meaning of its own in a rule (want a small word'),
        ("P90D}", "P90D, as: arrest}", '7:56: "arrest" is the name of a step before too (want another name)'),
        ("{arrest.type}", "{arest.type}", "9:59: {arest.type} is not a placeholder here (want {arrest.type})"),
        ("{arrest.type}", "{step3.type}", "9:59: {step3.type} is not a placeholder here (want {step"),
        ("{arrest.type}", "{then.type}", "9:59: {then.type} is not a placeholder here (want {"),
        ("{arrest.type}", "{arrest.note}", "9:59: {arrest.note} is not a placeholder here (want {arrest.type})"),
        ("    within: P100D", "    within: soon", '8:13: "soon" is not a duration'),
        ("    within: P100D", "    over: Died", "8:5: over belongs to another pattern (want absent, for"),
        (
            "    within: P100D",
            "    where: {then.kind: civil}",
            '8:24: "then" in then.kind is not a fact of',
        ),
        ("    within: P100D", "    where: {step1.kind: civil}", '8:25: "step1" in step1.kind is not a fact of this'),
        ("P90D}", "P90D, where: {anchor.knd: x}}", '6:92: "knd" is not a field here (want anchor.kind)'),
        ("P90D}", "P90D, where: {same: post}}", "6:86: same is in where, and not in any (want same beside where"),
        ("P90D}", "P90D, where: {}}", "6:79: nothing is here"),
        ("P90D}", "P90D, same: pst}", '6:78: "pst" is not a field to compare (want post)'),
        (
            "P90D}",
            "P90D, where: {step2.kind: civil}}",
            '6:92: "step2" in step2.kind is not a fact of this pattern (want step1)',
        ),
        (
            "as: arrest",
            "where: {absent.place: x}",
            '7:74: "absent" in absent.place is not a fact of this pattern (want one of anchor, then, step2, step1)',
        ),
    ],
)
def test_a_mistake_is_named_at_its_place(old: str, new: str, message: str) -> None:
    """Each mistake has its line, its column and the wanted value, and is reported once."""
    messages = problems(ACCUSED.replace(old, new, 1))
    mine = [problem for problem in messages if problem.startswith(f"rules.yaml:{message}")]

    assert 1 == len(mine), messages
    assert [] == [problem for problem in messages if problem not in mine and ":9:" not in problem]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("", "5:11: nothing is here (want a list of 1 to 5 steps"),
        ("[]", "5:12: nothing is here (want a list of 1 to 5 steps"),
        ("soon", '5:12: "soon" is here (want a list of 1 to 5 steps'),
        ("{then: Detained, within: P9D}", "5:12: a mapping is here (want a list of 1 to 5 steps"),
        ("[" + "{then: Detained, within: P9D}, " * 6 + "]", "5:12: 6 steps are here (want at most 5)"),
        ("[{absent: Charged, for: P9D, as: x}]", "5:41: as is not for a step with absent (want one of absent, for"),
        ("[{absent: Charged}]", "5:13: for is missing (want weeks"),
        ("[{absent: Charged, for: P9D, within: P9D}]", "5:41: within is not for a step with absent"),
        ("[{absent: Charged, for: P9D, from: until}]", '5:41: unknown key "from" (want one of absent, for, settle'),
        ("[{absent: Charged, for: P9D, settle: P1Y}]", '5:49: "P1Y" has months or years'),
        (
            "[{absent: Charged, for: P9D, where: {then.kind: x}}]",
            '5:60: "x" is not a value of this field',
        ),
        (
            "[{absent: Charged, for: P9D, where: {then.kind: civil}}]",
            '5:60: "then" in then.kind is not a fact of this pattern (want one of anchor, absent)',
        ),
        ("[{absent: Charged, for: P9D}]\n    within: P9D", "2:5: within stands beside steps without then (want a step"),
    ],
)
def test_a_list_of_steps_that_is_none(steps: str, message: str) -> None:
    """An empty list, six steps, and a silence with the keys of another step are refused."""
    start, _, rest = QUIET.partition("    steps:\n")
    text = f"{start}    steps: {steps}\n    explain: a text\n"
    messages = problems(text)

    assert rest
    assert [True] == [problem.startswith(f"rules.yaml:{message}") for problem in messages], messages


def test_every_mistake_is_reported() -> None:
    """The problems of all steps and of the rest of the rule are reported together."""
    text = ACCUSED.replace("P90D", "P3M").replace("Arrested]", "Arested]").replace("as: arrest", "as: any")
    text = text.replace("title: A", "titel: A").replace("{name}", "{nam}")

    assert [(3, "title is missing"), (3, "unknown"), (6, '"P3M"'), (7, '"Arested"'), (7, '"any"'), (9, "{nam}")] == [
        (line, word)
        for problem in sorted(problems(text), key=lambda text: int(text.split(":")[1]))
        for line in [max(int(problem.split(":")[1]), 3)]
        for word in ["title is missing" if "title is" in problem else problem.split(": ", 1)[1].split(" ")[0]]
    ]


@pytest.mark.parametrize(
    "value",
    [
        5,
        {},
        [5],
        [None],
        [{}],
        [{5: "x"}],
        [{"then": "Died", "within": 5, "as": 5}],
        [[[]]],
        ["\ud800"],
        [{"as": "\0"}],
    ],
)
def test_hostile_steps_are_refused(value: object) -> None:
    """Any other value is refused with two sentences, and never with another error."""
    text = '{"id":"x","title":"x","on":["Died"],"explain":"x"}'
    rule = yaml.safe_load(text) | {"steps": value}

    with pytest.raises(ValidationError, match="want") as refused:
        ChainRule.model_validate(rule)

    assert {"what", "wanted"} == set().union(*(error["ctx"] for error in refused.value.errors()))


def test_a_rule_has_one_pattern() -> None:
    """`steps` stands neither beside `then` nor beside `absent`."""
    steps = "    steps: [{then: Charged, within: P9D}]\n"

    assert "rules.yaml:2:5: both then and steps are in this rule" in problems(SEQUENCE + steps)[0]
    assert "rules.yaml:2:5: both absent and steps are in this rule" in problems(SILENCE + steps)[0]
    assert schema_problems(SEQUENCE + steps)


@pytest.mark.parametrize("text", [ACCUSED, QUIET])
def test_the_examples_fit_the_schema_and_are_stored(text: str) -> None:
    """An editor marks no file that can be used, and the ledger keeps equal rules."""
    rules = book(text)

    assert [] == schema_problems(text)
    assert rules == Rulebook.from_json(rules.as_json())
    assert rules.version == Rulebook.from_json(rules.as_json()).version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (FIRST, "{then: Charged}"),
        (FIRST, "{then: Charged, within: P3M}"),
        (FIRST, "{then: Charged, within: P9D, for: P9D}"),
        (FIRST, "{absent: Charged, for: P9D, as: x}"),
        (FIRST, f"{FIRST}\n" + f"      - {FIRST}\n" * 4),
        ("as: arrest", "as: anchor"),
        ("as: arrest", "as: Arrest"),
    ],
)
def test_a_mistake_does_not_fit_the_schema(old: str, new: str) -> None:
    """An editor marks the mistakes that a schema can say."""
    assert schema_problems(ACCUSED.replace(old, new, 1))


def test_the_version_is_that_of_the_content() -> None:
    """Names of steps are part of a rule; another spelling of a duration and the order of types are not."""
    same = ACCUSED.replace("P90D", "PT2160H").replace("[Detained, Arrested]", "[Arrested, Detained]")
    other = ACCUSED.replace("as: arrest", "as: custody").replace("{arrest.", "{custody.")

    assert chain().version == chain(same).version
    assert chain().version != chain(other).version
    assert {"Accused", "MaterialsReferred", "InvestigationOpened", "Detained", "Arrested", "Died"} == chain().types
    assert {"InvestigationOpened", "Charged", "Detained", "Died"} == chain(QUIET).follow
