"""The key `tests` of a rule: the stories in it, completed as a publisher does, and each way to write them wrong."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from events.decode import complete
from events.vocabulary import DATA
from projections.rules.files import rule_tests
from projections.rules.files.loading import RulesError, load, load_written
from projections.rules.files.rule_tests import ENVELOPE, WANTED_OF_TEST, RuleTest
from projections.rules.rulebook import Rulebook
from tests.support.rules import SEQUENCE
from tests.support.strategies import NOW, lines

STORY = """\
    tests:
      - name: a detention after a dismissal
        facts:
          - {type: Dismissed, id: d, occurred: 2022-03-27}
          - {type: Detained, id: a, occurred: 2022-04}
        until: 2022-12-31
        expect: [{anchor: d, life: [open 2022-05-01 followed], explain: "*dismissed*"}]
      - name: nothing
        facts: [{type: Dismissed, id: d, occurred: 2022-03-27}]
        until: 2022-12-31T10:00:00Z
        expect: []
"""


WANTED = {
    "TESTS": rule_tests.TESTS_WANTED,
    "EXPECT": WANTED_OF_TEST["expect"],
    "LIFE": rule_tests.LIFE_WANTED,
    "DATE": rule_tests.DATE_WANTED,
    "FACTS": WANTED_OF_TEST["facts"],
    "CASE": "the case it belongs to, named by the ingestion tool",
    "EDTF": "EDTF",
}
"""The wanted values, by the words that stand for them in the table."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder, so that messages name files as a person would type them."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def story_of(text: str) -> tuple[RuleTest, ...]:
    """Return the tests of the only rule in *text*."""
    Path("rules.yaml").write_text(text, "utf-8")
    (rule,) = load_written(Path("rules.yaml")).written
    return rule.tests


def facts_of(fact: str) -> dict[str, Any]:
    """Return the completed form of one *fact* of a test."""
    story = f"    tests:\n      - name: x\n        facts: [{fact}]\n        until: 2030\n        expect: []\n"
    (test,) = story_of(SEQUENCE + story)
    event: dict[str, Any] = json.loads(test.facts[0])
    return event


def problems(old: str, new: str, text: str = SEQUENCE + STORY) -> list[str]:
    """Return the problems of *text* with *new* in place of *old*, without the name of the file."""
    assert old in text
    Path("rules.yaml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(RulesError) as refused:
        load(Path("rules.yaml"))
    return [str(problem).removeprefix("rules.yaml:") for problem in refused.value.problems]


def test_a_test_is_read_with_its_facts_and_its_expectation() -> None:
    """The instants are those of the log's clock, and a day means its end."""
    opened, silent = story_of(SEQUENCE + STORY)
    (alert,) = opened.expect
    assert alert.life is not None
    (change,) = alert.life

    assert ("a detention after a dismissal", "nothing") == (opened.name, silent.name)
    assert datetime(2023, 1, 1, tzinfo=UTC) == opened.until
    assert datetime(2022, 12, 31, 10, tzinfo=UTC) == silent.until
    assert ("d", "*dismissed*", ()) == (alert.anchor, alert.explain, silent.expect)
    assert ("open", "followed", "open 2022-05-01 followed") == (change.state, change.cause, change.text)


def test_tests_are_no_part_of_the_rule() -> None:
    """A new test does not make another version of a rule, and the ledger does not keep it."""
    Path("plain.yaml").write_text(SEQUENCE, "utf-8")
    Path("rules.yaml").write_text(SEQUENCE + STORY, "utf-8")
    plain, tested = load(Path("plain.yaml")), load(Path("rules.yaml"))

    assert (plain, plain.version) == (tested, tested.version)
    assert tested == Rulebook.from_json(tested.as_json())
    assert "nothing" not in tested.as_json()


@pytest.mark.parametrize(
    ("occurred", "published"),
    [
        ("2022-03-27", "2022-03-27"),
        ("2022-02", "2022-02-28"),
        ("2022", "2022-12-31"),
        ("2022-03-27~", "2022-03-27"),
        ("2022-03-2X", "2022-03-29"),
        ("2022-03-01/2022-03-15", "2022-03-15"),
        ("../2022-03-15", "2022-03-15"),
        ("2022-03-27T10:30:00+06:00", "2022-03-27T04:30:01Z"),
        ("9999", "9999-12-31"),
    ],
)
def test_a_fact_is_published_at_the_end_of_its_date(occurred: str, published: str) -> None:
    """The publisher's fields are filled in: subject, source, sources and the day of publication."""
    event = facts_of(f"{{type: Dismissed, id: d, occurred: {occurred}}}") if occurred != "9999" else None
    if event is None:
        story = SEQUENCE + STORY.replace("2022-03-27}]", "9999}]").replace("2022-12-31T10:00:00Z", "9999-12-31")
        event = json.loads(story_of(story)[1].facts[0])

    assert published == event["data"]["published"]
    assert {"type", "id", "subject", "source", "data"} < event.keys()
    assert event["data"]["sources"]


def test_stated_fields_are_kept() -> None:
    """A fact can name another person, another tool, its publication and its recording."""
    event = facts_of(
        "{type: Dismissed, id: d, subject: b, source: 'urn:x', occurred: 2022-03-27, published: 2022-04-01, "
        "recorded: 2022-05-01, sources: [{title: Decree}]}"
    )

    assert ("b", "urn:x", "2022-05-02T00:00:00Z") == (event["subject"], event["source"], event["recorded"])
    assert ("2022-04-01", [{"title": "Decree"}]) == (event["data"]["published"], event["data"]["sources"])


def test_numbers_and_booleans_become_those_of_the_schema() -> None:
    """YAML has every scalar as a text here; an article stays a text, an amount becomes a number."""
    charged = facts_of(
        "{type: Charged, id: c, occurred: 2022, case_id: 1, "
        'charges: [{article: 99, amount: 5, currency: KZT, counts: 2}, {title: "7", amount: 0.5, currency: KZT}]}'
    )["data"]
    arrested = facts_of("{type: Arrested, id: a, occurred: 2022, in_absentia: true, place: true, after: [1]}")["data"]

    assert ("1", "99", 5, 2) == (
        charged["case_id"],
        *(charged["charges"][0][k] for k in ("article", "amount", "counts")),
    )
    assert (0.5, "7") == (charged["charges"][1]["amount"], charged["charges"][1]["title"])
    assert (True, "true", ["1"]) == tuple(arrested[name] for name in ("in_absentia", "place", "after"))


def test_the_data_of_a_correction_is_completed_for_its_target() -> None:
    """The new data is that of the corrected type, numbers included, and its sources are filled in."""
    story = """\
    tests:
      - name: a correction
        facts:
          - {type: Bailed, id: b, occurred: 2022-03-27}
          - type: Corrected
            id: c
            occurred: 2022-04-27
            fact_id: b
            data: {occurred: 2022-03, amount: 7, currency: KZT}
        until: 2030
        expect: []
"""
    (test,) = story_of(SEQUENCE + story)
    data = json.loads(test.facts[1])["data"]["data"]

    assert (7, "2022-03-31") == (data["amount"], data["published"])
    assert data["sources"]


def test_no_field_of_a_fact_has_the_name_of_an_attribute() -> None:
    """A key of a fact in a test is an attribute or a field of its data, and never both."""
    assert set() == {*ENVELOPE} & {name for shape in DATA.values() for name in shape.__annotations__}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (STORY, "    tests: x\n", ['8:12: "x" is here (want TESTS)']),
        (STORY, "    tests: []\n", ["8:12: nothing is here (want TESTS)"]),
        (STORY, "    tests:\n", ["8:11: nothing is here (want TESTS)"]),
        (STORY, "    tests: [a]\n", ['8:13: "a" is not a test (want name, facts, until and expect)']),
        (STORY, "    tests: [{}]\n", None),
        ("tests:", "test:", ['8:5: unknown key "test" (want tests)']),
        ("name: a detention after a dismissal", "nam: x", None),
        ("name: nothing", "name: a detention after a dismissal", None),
        ("name: nothing", "name:", ["15:14: nothing is not a text for this (want 1 to 1000 characters)"]),
        ("name: nothing", "name: [a]", ["15:15: a list is not a text for this (want 1 to 1000 characters)"]),
        (
            "until: 2022-12-31T10:00:00Z",
            "until: 2022-12-32",
            ['17:16: "2022-12-32" fits no day of the calendar (want a day that exists, such as 2024-02-29)'],
        ),
        (
            "until: 2022-12-31T10:00:00Z",
            "until: 2022-12~",
            ['17:16: "2022-12~" is not an instant (want a date-time with zone, or a date, month or year)'],
        ),
        ("until: 2022-12-31T10:00:00Z", "until: [a]", ["17:16: a list is not a date (want DATE)"]),
        (
            "        until: 2022-12-31T10:00:00Z\n",
            "",
            ["15:9: until is missing (want the day on which the clock stops: DATE)"],
        ),
        (
            "until: 2022-12-31T10:00:00Z",
            "until: 2022-01",
            [
                "16:17: recorded at 2022-03-28T00:00:00Z, after until (want a later until, or an earlier fact)",
            ],
        ),
        ("        expect: []\n", "        expects: []\n", None),
        ("expect: []", "expect:", ["18:16: nothing is here (want EXPECT)"]),
        ("expect: []", "expect: none", ['18:17: "none" is here (want EXPECT)']),
        ("expect: []", "expect: [x]", ['18:18: "x" is not an alert (want EXPECT)']),
        ("expect: []", "expect: [{}]", ["18:18: nothing is not an alert (want EXPECT)"]),
        ("expect: []", "expect: [{ancor: d}]", ['18:19: unknown key "ancor" (want anchor)']),
        ("expect: []", "expect: [{anchor: e}]", ['18:27: "e" is not the id of a fact of this test (want one of d)']),
        ("expect: []", "expect: [{life: []}]", ["18:25: nothing is here (want a list of LIFE)"]),
        ("expect: []", "expect: [{life: open 2022}]", ['18:25: "open 2022" is here (want a list of LIFE)']),
        ("expect: []", "expect: [{life: [open]}]", ['18:26: "open" is not a change of an alert (want LIFE)']),
        ("expect: []", "expect: [{life: [[open]]}]", ["18:26: a list is not a change of an alert (want LIFE)"]),
        ("expect: []", "expect: [{life: [opn 2022]}]", ['18:26: "opn" is not a state (want open)']),
        ("expect: []", "expect: [{life: [open 2022 folowed]}]", ['18:26: "folowed" is not a cause (want followed)']),
        (
            "expect: []",
            "expect: [{life: [open 2022-3]}]",
            ['18:26: "2022-3" is not a date (want EDTF, such as 2024-01-13 or 2024-01)'],
        ),
        (
            "expect: []",
            "expect: [{life: [open 2022~]}]",
            ['18:26: "2022~" is not an instant (want a date-time with zone, or a date, month or year)'],
        ),
        ("expect: []", "expect: [{explain: }]", ["18:27: nothing is not a text for this (want 1 to 1000 characters)"]),
        (
            "facts: [{type: Dismissed, id: d, occurred: 2022-03-27}]",
            "facts: []",
            ["16:16: nothing is here (want FACTS)"],
        ),
        ("facts: [{type: Dismissed, id: d, occurred: 2022-03-27}]", "facts: x", ['16:16: "x" is here (want FACTS)']),
        (
            "facts: [{type: Dismissed, id: d, occurred: 2022-03-27}]",
            "facts: [x]",
            ['16:17: "x" is not a fact (want FACTS)'],
        ),
        ("[{type: Dismissed", "[{typ: Dismissed", ["16:17: type is missing (want a type of fact, such as Dismissed)"]),
        ("[{type: Dismissed", "[{type: Dismised", ['16:24: "Dismised" is not a type (want perhaps Dismissed)']),
        ("[{type: Dismissed", "[{type: [Dismissed]", None),
        ("[{type: Dismissed", "[{type: Jailed", None),
        ("id: d, occurred: 2022-03-27}]", "id: ' d', occurred: 2022}]", None),
        ("occurred: 2022-03-27}]", "ocurred: 2022-03-27}]", ['16:42: unknown key "ocurred" (want occurred)']),
        ("occurred: 2022-03-27}]", "occurred: 2022-3-27}]", None),
        ("occurred: 2022-03-27}]", "occurred: 2022-03/..}]", None),
        ("occurred: 2022-03-27}]", "occurred: XXXX-03-27}]", None),
        ("occurred: 2022-03-27}]", "occurred: 2022-03-27, recorded: soon}]", None),
        ("occurred: 2022-03-27}]", "occurred: 2022-03-27, charges: [{article: 1}]}]", None),
        ("occurred: 2022-04}", "occurred: 2022-04}\n          - {type: Detained, id: a, occurred: 2022-05}", None),
        ("type: Detained, id: a,", "type: Charged, id: a,", ["12:13: case_id is missing (want CASE)"]),
        ("type: Detained, id: a,", "type: Noted, id: a,", None),
        ("type: Detained, id: a,", "type: Charged, id: a, case_id: x, charges: [{amount: 5}],", None),
        ("type: Detained, id: a,", "type: Charged, id: a, case_id: x, charges: [{title: x, amount: -5}],", None),
        ("type: Detained, id: a,", "type: Charged, id: a, case_id: x, charges: [{titel: x}],", None),
        ("type: Detained, id: a,", "type: Charged, id: a, case_id: x, charges: x,", None),
        ("type: Detained, id: a,", "type: Arrested, id: a, in_absentia: maybe,", None),
        ("type: Detained, id: a,", "type: Corrected, id: a, fact_id: d, data: {occurred: 2022, grond: x},", None),
        ("type: Detained, id: a,", "type: Corrected, id: a, fact_id: d, data: x,", None),
        ("type: Detained, id: a,", "type: Retracted, id: a, fact_id: d,", None),
        ("type: Detained, id: a,", "type: Detained, id: a, sources: [],", None),
        ("type: Detained, id: a,", "type: Detained, id: a, sources: [{url: 'javascript:x'}],", None),
        ("type: Detained, id: a,", "type: Detained, id: a, subject: '',", None),
        ("type: Detained, id: a,", "type: Detained, id: a, {x: y}: z,", None),
    ],
)
def test_each_way_to_write_a_test_wrong_has_a_place(old: str, new: str, expected: list[str] | None) -> None:
    """A wrong test is refused when the rules are read, with its line, its column and the wanted value."""
    found = problems(old, new)
    length = len(Path("rules.yaml").read_text("utf-8").splitlines())

    assert all(8 <= int(problem.partition(":")[0]) <= length and "(want " in problem for problem in found)
    if expected is not None:
        assert [re.sub("[A-Z]{4,}", lambda word: WANTED[word[0]], line) for line in expected] == found


@settings(max_examples=100)
@given(line=lines)
def test_any_fact_that_the_publisher_takes_is_taken(
    line: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A fact written in YAML, with every scalar as a text, is the fact that the publisher would complete."""
    data = line["data"]
    written = {name: line[name] for name in ("type", "subject", "source", "id") if name in line} | data
    if line["type"] == "Corrected":
        return
    story = {"name": "x", "facts": [_as_texts(written)], "until": "9999-12-31", "expect": []}
    written_as_yaml = yaml.safe_dump([story], default_style='"', default_flow_style=True, width=1_000_000)
    rule = SEQUENCE + f"    tests: {written_as_yaml}\n"
    file = tmp_path_factory.getbasetemp() / "facts.yaml"
    file.write_text(rule, "utf-8")
    (taken,) = load_written(file).written
    ((read, _), (wanted, _)) = (
        complete(raw, NOW)
        for raw in (taken.tests[0].facts[0], json.dumps({k: v for k, v in line.items() if k != "time"}).encode())
    )

    assert wanted.data == read.data
    assert ("id" not in line) or wanted.id == read.id


def _as_texts(value: Any) -> Any:
    """Return *value* with each scalar as the text that YAML has for it."""
    if isinstance(value, dict):
        return {name: _as_texts(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_as_texts(held) for held in value]
    return value if isinstance(value, str) else json.dumps(value)
