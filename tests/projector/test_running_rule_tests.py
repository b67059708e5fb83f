"""The tests of rules, run through the path of a backtest; and rules changed on purpose, which good tests notice."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.projector.rule_tests import all_mutants, opens, run_tests, stays_silent, survivors
from projections.rules.files.loading import WrittenRules, load_written, rule_of, written_pack
from projections.rules.files.mutants import mutants
from tests.support.rules import SEQUENCE, SILENCE

PACK = written_pack()
OPENS = """\
    tests:
      - name: nothing follows
        facts: [{type: Dismissed, id: d, occurred: 2022-03-27}]
        until: 2022-12-31
        expect: [{anchor: d, life: [open 2022-07-03 deadline], explain: "somebody * dismissed (2022-03-27)."}]
"""
CHANGES = OPENS + """\
      - name: a charge is known late
        facts:
          - {type: Dismissed, id: d, occurred: 2022-03-27}
          - {type: Charged, id: c, occurred: 2022-04-20, case_id: x, recorded: 2022-08-31}
        until: 2022-12-31
        expect: [{life: [open 2022-07, retracted 2022-09-01T00:00:00Z late_knowledge], explain: Was said until*}]
      - name: two people
        facts:
          - {type: Dismissed, id: d, occurred: 2022-03-27}
          - {type: Dismissed, id: e, occurred: 2022-03-28, subject: b}
          - {type: Charged, id: c, occurred: 2022-04-20, case_id: x, subject: b}
        until: 2022-12-31
        expect: [{anchor: d}]
      - name: in custody
        facts:
          - {type: Arrested, id: a, occurred: 2022-03-01}
          - {type: Dismissed, id: d, occurred: 2022-03-27}
        until: 2022-12-31
        expect: []
"""  # fmt: skip


def rules(text: str, folder: Path) -> WrittenRules:
    """Return the rules of *text*."""
    file = folder / "rules.yaml"
    file.write_text(text, "utf-8")
    return load_written(file)


def differences(old: str, new: str, folder: Path) -> list[tuple[str, str, str]]:
    """Return the differences of the tests of a rule, with *new* in place of *old*."""
    assert old in SILENCE + CHANGES
    outcomes = run_tests(rules((SILENCE + CHANGES).replace(old, new, 1), folder))
    return [(one.part, one.expected, one.actual) for outcome in outcomes for one in outcome.differences]


def test_tests_that_are_right_pass(tmp_path: Path) -> None:
    """The life, the anchor and the sentence are those of a backtest of the rule alone."""
    outcomes = run_tests(rules(SILENCE + CHANGES + SEQUENCE.partition("\n")[2], tmp_path))

    assert [()] * 4 == [outcome.differences for outcome in outcomes]


LIFE, SENTENCE = "the life of the alert of d", "the sentence of the alert of d"
FOUND, SAID = "open 2022-07-03 deadline", "somebody was dismissed (2022-03-27)."


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("open 2022-07-03", "open 2022-07-04", (LIFE, "open 2022-07-04 deadline", FOUND)),
        ("07-03 deadline", "07-03 followed", (LIFE, "open 2022-07-03 followed", FOUND)),
        ("07-03 deadline", "07-03T00:00:01Z", (LIFE, "open 2022-07-03T00:00:01Z", FOUND)),
        ("open 2022-07-03 deadline", "resolved 2022-07-03", (LIFE, "resolved 2022-07-03", FOUND)),
        ("[open 2022-07-03 deadline", "[open 2022-07-03, open 2023", (LIFE, "open 2022-07-03, open 2023", FOUND)),
        ("somebody * dismissed", "* suspended", (SENTENCE, "* suspended (2022-03-27).", SAID)),
        ("(2022-03-27).", "(2022-03-27)", (SENTENCE, "somebody * dismissed (2022-03-27)", SAID)),
        ("expect: []", "expect: [{anchor: d}]", ("alerts", "1", "0")),
        ("expect: [{anchor: d}]", "expect: []", ("alerts", "0", f"1 (of d: {FOUND})")),
        ("expect: [{anchor: d}]", "expect: [{anchor: e}]", ("the anchor of an alert", "e", "d")),
        ("expect: [{anchor: d}]", "expect: [{anchor: d}, {anchor: e}]", ("alerts", "2", f"1 (of d: {FOUND})")),
    ],
)
def test_a_wrong_expectation_is_shown_beside_the_result(
    old: str, new: str, difference: tuple[str, str, str], tmp_path: Path
) -> None:
    """Each difference names the part, the expected value and the value that was found."""
    assert [difference] == differences(old, new, tmp_path)


def test_a_rule_is_tested_alone(tmp_path: Path) -> None:
    """Another rule of the file, which would raise alerts of the same facts, is not asked."""
    other = SEQUENCE.partition("\n")[2].replace("Detained", "Charged")

    assert [()] * 4 == [one.differences for one in run_tests(rules(SILENCE + CHANGES + other, tmp_path))]


def test_a_lacking_test_is_known(tmp_path: Path) -> None:
    """A rule needs a test that opens an alert and one that stays silent."""
    (full,) = rules(SILENCE + CHANGES, tmp_path).written
    (half,) = rules(SILENCE + OPENS, tmp_path).written
    (none,) = rules(SILENCE, tmp_path).written

    assert [(True, True), (True, False), (False, False)] == [
        (opens(one), stays_silent(one)) for one in (full, half, none)
    ]


def test_the_changes_of_a_rule_are_its_durations_and_its_conditions(tmp_path: Path) -> None:
    """Each duration is halved and doubled, and each condition is dropped, nested ones too; texts are left alone."""
    where = "    where: {anchor.ground: x, any: [{anchor.post: a}, {anchor.region: b}]}\n    why: A reason.\n"
    ((_, data, *_),) = rules(SILENCE + where, tmp_path).written
    changes = [(".".join(map(str, one.loc)), one.change, one.after) for one in mutants(data) if rule_of(one.data, {})]

    assert [
        ("for", "halved", "P45D"),
        ("for", "doubled", "P180D"),
        ("settle", "halved", "P3DT43200S"),
        ("settle", "doubled", "P14D"),
        ("settle", "dropped", ""),
        ("unless", "dropped", ""),
        ("unless.custody", "dropped", ""),
        ("unless.open_cases", "dropped", ""),
        ("where", "dropped", ""),
        ("where.anchor.ground", "dropped", ""),
        ("where.any", "dropped", ""),
        ("where.any.0", "dropped", ""),
        ("where.any.1", "dropped", ""),
    ] == changes


def test_each_value_of_a_limit_is_halved_and_doubled(tmp_path: Path) -> None:
    """The table is changed and not the rule, so that a test of a limited rule has to be near each value."""
    law = "limits: [{name: stay, jurisdiction: KZ, from: 2020-01-01, value: P9D, longest: P20D, source: Law}]\n"
    count = (
        "rules:\n  - {id: x, title: x, on: Detained, explain: x,"
        " count: {distinct: subject, at_least: 2, by: agency, within: {limit: stay}}}\n"
    )
    limited = rules(count + law, tmp_path)
    changed = [one for one in mutants(limited.written[0].data) if one.limit]
    values = [
        (one.change, entry.value.days, entry.upper.days)
        for one in changed
        for entry in one.table(limited.limits)["stay"]
    ]

    assert [("count", "within")] * 2 == [one.loc for one in changed]
    assert [("halved", 4, 10), ("doubled", 18, 40)] == values


def test_a_change_that_no_test_notices_survives(tmp_path: Path) -> None:
    """Only the first test cares for the time; no test has a case that is open at the dismissal."""
    tested = rules(SILENCE + CHANGES, tmp_path)
    surviving = survivors(tested, all_mutants(tested))

    assert [("unless", "open_cases")] == [one.mutant.loc for one in surviving]


def test_tests_that_notice_every_change_leave_no_survivor(tmp_path: Path) -> None:
    """With a story for each condition and a narrow time, every changed rule fails."""
    case = """\
      - name: in a case
        facts:
          - {type: Charged, id: c, occurred: 2022-03-01, case_id: x}
          - {type: Dismissed, id: d, occurred: 2022-03-27}
        until: 2022-12-31
        expect: []
"""
    tested = rules(SILENCE + CHANGES + case, tmp_path)

    assert [] == survivors(tested, all_mutants(tested))


@given(st.integers(1, 10**7))
def test_a_changed_duration_is_half_or_twice_as_long(seconds: int) -> None:
    """Whatever the units in which a duration was written, the changed one has the right length."""
    data = {"id": "x", "title": "x", "on": "Died", "absent": "Charged", "for": f"PT{seconds}S", "explain": "x"}
    lengths = {one.change: rule.normal()["for"] for one in mutants(data) if (rule := rule_of(one.data, {}))}

    assert {"doubled": 2 * seconds} | ({"halved": seconds // 2} if seconds > 1 else {}) == lengths


def test_the_pack_passes_its_own_tests() -> None:
    """The rules that ship pass their tests."""
    assert [] == [(one.rule.id, one.test.name, one.differences) for one in run_tests(PACK) if one.differences]


def test_no_rule_of_the_pack_lacks_tests() -> None:
    """Each rule that ships, those on trial too, has a test that opens an alert and one that stays silent."""
    assert [] == [rule.id for rule in PACK.written if not (opens(rule) and stays_silent(rule))]


@pytest.mark.parametrize("name", [rule.id for rule in PACK.written])
def test_the_tests_of_the_pack_prove_each_condition(name: str) -> None:
    """Each duration halved or doubled and each condition dropped is noticed by a test of the rule."""
    changed = [(rule, mutant) for rule, mutant in all_mutants(PACK) if rule.id == name]

    assert changed
    assert [] == [(one.mutant.loc, one.mutant.change) for one in survivors(PACK, changed)]


def test_every_rule_of_the_pack_has_a_test_with_a_vague_date() -> None:
    """A span, a month or an approximate date is where a rule is most likely to say too much."""
    certain = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")
    vague = {
        rule.id
        for rule in PACK.written
        for test in rule.tests
        for line in test.facts
        if not certain.fullmatch(json.loads(line)["data"]["occurred"])
    }

    assert {rule.id for rule in PACK.written} == vague
