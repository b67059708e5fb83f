"""The tests of rules, run as a backtest of the rule alone; and the same tests of rules that were changed on purpose."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from events.edtf import Span, parse_instant
from projections.alerts.shapes import AlertJson, ChangeJson
from projections.rules.files.loading import WrittenRule, WrittenRules, rule_of
from projections.rules.files.mutants import Mutant, mutants
from projections.rules.files.rule_tests import ExpectedAlert, RuleTest
from projections.rules.rulebook import Rulebook, as_in_force

from .backtest import backtest


class Difference(NamedTuple):
    """A part of the result that is not as expected: the part, and both values in words."""

    part: str
    expected: str
    actual: str


class Outcome(NamedTuple):
    """The result of one test; it passed if there is no difference."""

    rule: WrittenRule
    test: RuleTest
    differences: tuple[Difference, ...]


class Survivor(NamedTuple):
    """A change of a rule under which all its tests still pass: they prove nothing about that place."""

    rule: WrittenRule
    mutant: Mutant


def run_tests(rules: WrittenRules, tell: Callable[[int], None] = lambda _: None) -> list[Outcome]:
    """
    Run the tests of *rules*, each in memory with its rule alone.

    Args:
        rules: the rules as they were written.
        tell: called with the number of tests that have run since the last call.
    """
    outcomes = []
    for rule in rules.written:
        book = _alone(rules.book, rule)
        for test in rule.tests:
            outcomes.append(Outcome(rule, test, tuple(_differences(book, test))))
            tell(1)
    return outcomes


def opens(rule: WrittenRule) -> bool:
    """Return whether a test of *rule* expects an alert."""
    return any(test.expect for test in rule.tests)


def stays_silent(rule: WrittenRule) -> bool:
    """Return whether a test of *rule* expects none."""
    return any(not test.expect for test in rule.tests)


def survivors(
    rules: WrittenRules, changes: Sequence[tuple[WrittenRule, Mutant]], tell: Callable[[int], None] = lambda _: None
) -> list[Survivor]:
    """
    Return those of *changes* under which every test of the rule still passes.

    Args:
        rules: the rules, with tests that pass.
        changes: as `all_mutants` returned them.
        tell: called with the number of changes that were tried since the last call.
    """
    surviving = []
    for rule, mutant in changes:
        changed = rule_of(mutant.data, mutant.table(rules.limits))
        if changed is not None and changed != rule_of(rule.data, rules.limits):
            book = as_in_force((changed,))
            if not any(any(_differences(book, test)) for test in rule.tests):
                surviving.append(Survivor(rule, mutant))
        tell(1)
    return surviving


def all_mutants(rules: WrittenRules) -> list[tuple[WrittenRule, Mutant]]:
    """Return every change of each rule that has tests."""
    return [(rule, mutant) for rule in rules.written if rule.tests for mutant in mutants(rule.data)]


def _alone(book: Rulebook, written: WrittenRule) -> Rulebook:
    return as_in_force(rule for rule in book.every if rule.id == written.id)


def _differences(book: Rulebook, test: RuleTest) -> Iterator[Difference]:
    """Yield the parts of the result of *test* that are not as expected."""
    result = backtest(test.facts, book, test.until)
    counts = result.report["counts"]
    if counts["applied"] != len(test.facts):
        yield Difference("facts that count", str(len(test.facts)), str(counts["applied"]))
    alerts = result.report["alerts"]
    if len(alerts) != len(test.expect):
        yield Difference("alerts", str(len(test.expect)), _shown(alerts))
    for expected, alert in _pairs(test.expect, alerts):
        yield from _differences_of(expected, alert)


def _pairs(expected: Sequence[ExpectedAlert], alerts: Sequence[AlertJson]) -> list[tuple[ExpectedAlert, AlertJson]]:
    """Return each expected alert with that of its anchor, and those without an anchor with the others, in order."""
    left = list(alerts)
    pairs = []
    for wanted in sorted(expected, key=lambda one: one.anchor is None):
        found = next((alert for alert in left if wanted.anchor in {None, alert["anchor"]}), None)
        if found is None:
            # The number of alerts may be right: then another anchor is the difference.
            found = left[0] if left else None
        if found is not None:
            left.remove(found)
            pairs.append((wanted, found))
    return pairs


def _differences_of(expected: ExpectedAlert, alert: AlertJson) -> Iterator[Difference]:
    anchor = alert["anchor"]
    if expected.anchor not in {None, anchor}:
        yield Difference("the anchor of an alert", str(expected.anchor), anchor)
        return
    if expected.life is not None and not _lives_alike(expected, alert):
        life = ", ".join(change.text for change in expected.life)
        yield Difference(f"the life of the alert of {anchor}", life, _life_words(alert))
    if expected.explain is not None:
        pattern = ".*".join(map(re.escape, expected.explain.split("*")))
        if not re.fullmatch(pattern, alert["explanation"]):
            yield Difference(f"the sentence of the alert of {anchor}", expected.explain, alert["explanation"])


def _lives_alike(expected: ExpectedAlert, alert: AlertJson) -> bool:
    changes = expected.life or ()
    return len(changes) == len(alert["life"]) and all(
        change.state == step["state"]
        and (change.cause is None or change.cause == step["cause"])
        and _is_in(change.at, step)
        for change, step in zip(changes, alert["life"], strict=True)
    )


def _is_in(span: Span, step: ChangeJson) -> bool:
    assert span.earliest is not None, "the date of a change is a plain one"
    assert span.latest is not None, "the date of a change is a plain one"
    return span.earliest <= parse_instant(step["at"]) < span.latest


def _life_words(alert: AlertJson) -> str:
    return ", ".join(f"{step['state']} {_day(step['at'])} {step['cause']}" for step in alert["life"])


def _day(at: str) -> str:
    """Return the instant *at* as a test writes it: the day, if it is the beginning of one."""
    return at.removesuffix("T00:00:00Z")


def _shown(alerts: Sequence[AlertJson]) -> str:
    lives = "; ".join(f"of {alert['anchor']}: {_life_words(alert)}" for alert in alerts)
    return f"{len(alerts)} ({lives})" if alerts else "0"
