"""rules test: the tests of rules, and the same tests of rules that were changed on purpose."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from typing_extensions import TypedDict

from projections.projector.rule_tests import (
    Outcome,
    Survivor,
    all_mutants,
    opens,
    run_tests,
    stays_silent,
    survivors,
)
from projections.rules.files.loading import WrittenRule, WrittenRules, load_written
from services.settings import load_settings, load_written_rules
from services.words.terms import safe

from .bar import bar
from .options import JsonOption
from .output import FINDINGS, emit, ignoring_closed_pipe, print_lines, say
from .rules_app import rules_app


class DifferenceOfTestJson(TypedDict):
    """A part of a result that is not as expected, and both values in words."""

    part: str
    expected: str
    actual: str


class OutcomeJson(TypedDict):
    """The result of one test at its place in the file."""

    rule: str
    test: str
    place: str
    passed: bool
    differences: list[DifferenceOfTestJson]


class SurvivorJson(TypedDict):
    """A change under which every test of the rule still passes; ``before`` and ``after`` are empty if it is a drop."""

    rule: str
    place: str
    key: str
    change: str
    before: str
    after: str


class LackJson(TypedDict):
    """A rule that lacks a test that opens an alert (``opens``), or one that stays silent (``silent``)."""

    rule: str
    place: str
    lacks: list[str]


class RuleTestsJson(TypedDict):
    """The results of the tests. ``mutants`` is the number of changed rules; null without ``--mutate``."""

    tests: list[OutcomeJson]
    lacking: list[LackJson]
    mutants: int | None
    survivors: list[SurvivorJson]


@rules_app.command(
    "test",
    epilog="\b\nExamples:\n  casetrail rules test my-rules.yaml\n  casetrail rules test my-rules.yaml --mutate",
)
def run_rule_tests(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A rule file or a folder. Default: the rules in the settings."),
    ] = None,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Change each rule on purpose, and list changes that no test notices.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """
    Run the tests of rules. Exit 1 if a test fails.

    It also lists each rule without a test that opens an alert, or without a test that stays silent. With --mutate, each
    duration is halved and doubled and each condition dropped, one at a time. If every test of a rule still passes, or
    it has no test, the exit code is 1.
    """
    rules = load_written(file) if file else load_written_rules(load_settings())
    with bar("Testing", sum(len(rule.tests) for rule in rules.written)) as advance:
        outcomes = run_tests(rules, advance)
    failed = [outcome for outcome in outcomes if outcome.differences]
    changes, surviving = 0, list[Survivor]()
    if mutate and not failed:
        changed = all_mutants(rules)
        changes = len(changed)
        with bar("Changing", changes) as advance:
            surviving = survivors(rules, changed, advance)
    untested = [rule for rule in rules.written if not rule.tests]
    with ignoring_closed_pipe():
        if as_json:
            emit(_json(rules, outcomes, changes if mutate and not failed else None, surviving))
        else:
            print_lines(_lines(rules, outcomes, surviving))
    if not as_json:
        _say_numbers(rules, outcomes, failed, surviving if mutate and not failed else None)
    if mutate and failed and not as_json:
        say("no rule was changed, since a test fails")
    if failed or surviving or (mutate and untested):
        raise typer.Exit(FINDINGS)


def _json(
    rules: WrittenRules, outcomes: Iterable[Outcome], mutants: int | None, surviving: Iterable[Survivor]
) -> RuleTestsJson:
    return {
        "tests": [_outcome_json(outcome) for outcome in outcomes],
        "lacking": [
            {"rule": rule.id, "place": rule.source.place(rule.loc), "lacks": lacks}
            for rule in rules.written
            if (lacks := _lacks(rule))
        ],
        "mutants": mutants,
        "survivors": [_survivor_json(survivor) for survivor in surviving],
    }


def _outcome_json(outcome: Outcome) -> OutcomeJson:
    return {
        "rule": outcome.rule.id,
        "test": outcome.test.name,
        "place": outcome.rule.source.place(outcome.test.loc),
        "passed": not outcome.differences,
        "differences": [
            {"part": part, "expected": expected, "actual": actual} for part, expected, actual in outcome.differences
        ],
    }


def _survivor_json(survivor: Survivor) -> SurvivorJson:
    rule, mutant = survivor
    return {
        "rule": rule.id,
        "place": rule.source.place((*rule.loc, *mutant.loc)),
        "key": ".".join(map(str, mutant.loc)),
        "change": mutant.change,
        "before": mutant.before,
        "after": mutant.after,
    }


def _lacks(rule: WrittenRule) -> list[str]:
    return [*([] if opens(rule) else ["opens"]), *([] if stays_silent(rule) else ["silent"])]


def _lines(rules: WrittenRules, outcomes: Iterable[Outcome], surviving: Iterable[Survivor]) -> Iterator[str]:
    for outcome in outcomes:
        result = "FAILED" if outcome.differences else "passed"
        place = f"{outcome.rule.source.place(outcome.test.loc)}: " if outcome.differences else ""
        yield safe(f"{place}{outcome.rule.id}: {outcome.test.name}: {result}")
        for part, expected, actual in outcome.differences:
            yield safe(f"  {part}")
            yield safe(f"    expected: {expected}")
            yield safe(f"    found:    {actual}")
    for rule in rules.written:
        words = {"opens": "a test that opens an alert", "silent": "a test that stays silent"}
        if lacks := [words[name] for name in _lacks(rule)]:
            yield safe(f"{rule.source.place(rule.loc)}: {rule.id} lacks {' and '.join(lacks)}")
    for survivor in surviving:
        yield safe(_survivor_words(_survivor_json(survivor), len(survivor.rule.tests)))


def _survivor_words(survivor: SurvivorJson, tests: int) -> str:
    change = f"{survivor['key']} {survivor['change']}"
    if survivor["before"]:
        change += f" from {survivor['before']} to {survivor['after']}"
    passing = "its only test still passes" if tests == 1 else f"all {tests} tests still pass"
    return f"{survivor['place']}: {survivor['rule']}: {change}: {passing}"


def _say_numbers(
    rules: WrittenRules, outcomes: list[Outcome], failed: list[Outcome], surviving: list[Survivor] | None
) -> None:
    count = len(rules.written)
    of_rules = f"{count} rule{'s' if count != 1 else ''}"
    say(f"{len(outcomes)} tests of {of_rules}: {len(outcomes) - len(failed)} passed, {len(failed)} failed")
    if surviving is not None:
        say(f"changes that no test notices: {len(surviving)}")
