"""rules: the list of the rules, one rule in full, and a check of rule files."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select
from typing_extensions import TypedDict

from events.errors import Infrastructure
from events.text import near_words
from projections.rules.files.loading import RulesError, load
from projections.rules.files.schema import schema
from projections.rules.files.yaml_source import Problem
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.patterns.pattern import Rule
from projections.rules.patterns.sequence import SequenceRule
from projections.tables.ledger_rows import rules_in_force
from projections.tables.schema import CORRELATOR, OF_LOG, partitions
from services.settings import load_rules, load_settings
from services.words.terms import safe

from .app import app, database
from .layout import Column
from .layout import show as show_table
from .options import JsonOption
from .output import FINDINGS, emit, fail, ignoring_closed_pipe, print_lines, say

COLUMNS = (
    Column("rule", 0),
    Column("title", 3, below=True, least=24),
    Column("severity", 1),
    Column("pattern", 4, below=True, least=30),
    Column("version", 5, below=True),
    Column("in force", 2),
)

_TITLES = ("rule", "title", "severity", "pattern", "version", "in force")
_IN_FORCE = {True: "yes", False: "no", None: "no database"}

rules_app = typer.Typer(
    help="The rules: the shipped ones, or those of CASETRAIL_RULES.",
    epilog="\b\nExample:\n  casetrail rules list",
    no_args_is_help=True,
)
app.add_typer(rules_app, name="rules")


class RuleJson(TypedDict):
    """A rule in the list; `in_force` is null if there is no database."""

    rule: str
    title: str
    severity: str
    pattern: str
    version: str
    in_force: bool | None


class FullRuleJson(RuleJson):
    """A rule with its whole definition."""

    definition: dict[str, Any]


class ProblemJson(TypedDict):
    """One problem of a rule file; line and column count from 1."""

    file: str
    line: int
    column: int
    what: str
    wanted: str


@rules_app.command("list", epilog="\b\nExample:\n  casetrail rules list")
def list_rules(as_json: JsonOption = False) -> None:
    """List the rules, and whether each is in force in the database. Works without a database."""
    in_force = _in_force()
    rules = [_rule_json(rule, in_force) for rule in load_rules(load_settings()).every]
    if as_json:
        emit(rules)
        return
    show_table(COLUMNS, map(_cells, rules))


@rules_app.command("check", epilog="\b\nExample:\n  casetrail rules check my-rules.yaml")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Rule files, or folders of them.")],
    as_json: JsonOption = False,
) -> None:
    """Check rule files, and list each problem by line and column. Exit 1 if there is one."""
    problems = [problem for path in files for problem in _problems(path)]
    with ignoring_closed_pipe():
        if as_json:
            emit([_problem_json(problem) for problem in problems])
        else:
            print_lines(map(safe, problems))
    if not problems and not as_json:
        say("no problem was found")
    if problems:
        raise typer.Exit(FINDINGS)


@rules_app.command("schema", epilog="\b\nExample:\n  casetrail rules schema > rules.schema.json")
def print_schema() -> None:
    """Print the JSON Schema of a rule file. Editors complete keys and words by it."""
    emit(schema())


@rules_app.command("show", epilog="\b\nExample:\n  casetrail rules show dismissed-without-follow-up")
def show(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the rule.")], as_json: JsonOption = False
) -> None:
    """Show one rule in its normal form. Lists are sorted, tracks are expanded to types, times are in days."""
    rules = {rule.id: rule for rule in load_rules(load_settings()).every}
    rule = rules.get(rule_id)
    if rule is None:
        others = ", ".join(near_words(rule_id, rules, cutoff=0.4)) or ", ".join(rules)
        fail(f"no rule {safe(rule_id)} is known (known: {others})", FINDINGS)
    shown: FullRuleJson = {**_rule_json(rule, _in_force()), "definition": rule.normal()}
    if as_json:
        emit(shown)
        return
    print_lines(f"{column}: {safe(text)}" for column, text in zip(_TITLES, _cells(shown), strict=True))
    for name, value in shown["definition"].items():
        if name not in {"id", "title", "severity"}:
            print(f"{name}: {_value_words(name, value)}")


def _problems(path: Path) -> list[Problem]:
    try:
        load(path)
    except RulesError as error:
        return error.problems
    return []


def _problem_json(problem: Problem) -> ProblemJson:
    file, line, column, what, wanted = problem
    return {"file": file, "line": line, "column": column, "what": what, "wanted": wanted}


def _in_force() -> Mapping[str, str] | None:
    """
    Return the version of each rule that is in force in every partition; None if there is no database.

    A rule that is disabled or on trial there is not in force. A rule across people is in force if it is in force in the
    correlator.
    """
    try:
        engine = database(load_settings())
    except Infrastructure:
        return None
    with engine.connect() as conn:
        numbers = conn.scalars(select(partitions.c.partition).where(OF_LOG)).all()
        asked = [rules_in_force(conn, number).asked for number in numbers]
        across = [rule for rule in rules_in_force(conn, CORRELATOR).across if rule.enabled == "true"]
    books = [{rule.id: rule.version for rule in rules if not rule.is_trial} for rules in asked]
    first = books[0] if books else {}
    common = {rule: version for rule, version in first.items() if all(book.get(rule) == version for book in books)}
    return common | {rule.id: rule.version for rule in across}


def _rule_json(rule: Rule, in_force: Mapping[str, str] | None) -> RuleJson:
    return {
        "rule": rule.id,
        "title": rule.title,
        "severity": rule.severity,
        "pattern": _pattern(rule),
        "version": rule.version,
        "in_force": None if in_force is None else in_force.get(rule.id) == rule.version,
    }


def _cells(rule: RuleJson) -> Iterable[object]:
    yield from (rule["rule"], rule["title"], rule["severity"], rule["pattern"], rule["version"])
    yield _IN_FORCE[rule["in_force"]]


def _pattern(rule: Rule) -> str:
    """Return the pattern in short: the types it starts from, the types it waits for, and the time."""
    anchor = " or ".join(sorted(rule.on))
    if isinstance(rule, AbsenceRule):
        settle = f", settled {_long(rule.settle)}" if rule.settle else ""
        after = f" for {_long(rule.wait)}" if rule.wait else ""
        until = " from its until" if rule.start else ""
        before = f"{', and none' if rule.wait else ''} in the {_long(rule.before)} before" if rule.before else ""
        return f"{anchor}, and none of {len(rule.absent)} types{after}{until}{before}{settle}"
    if isinstance(rule, CountRule):
        count = rule.count
        many = f"{count.at_least} people of one {count.by.removesuffix('_id')}"
        return f"{many}: {anchor} within {_long(count.within)} ({rule.certainty})"
    assert isinstance(rule, SequenceRule), "there are no other patterns"
    of = "" if not isinstance(rule, OfRule) else "accuser" if rule.is_by else " or ".join(sorted(rule.of))
    other = f" of the {of}" if of else ""
    over = f", until {' or '.join(sorted(rule.over))}" if rule.over else ""
    return (
        f"{anchor}, then {' or '.join(sorted(rule.then))}{other} within {_long(rule.within)}{over} ({rule.certainty})"
    )


def _value_words(name: str, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if name in {"for", "settle", "within", "before"}:
        return _long(timedelta(seconds=value))
    if isinstance(value, dict):
        return "; ".join(f"{field} {_value_words(field, inner)}" for field, inner in value.items())
    if isinstance(value, list):
        return ", ".join(f"({_value_words('', one)})" if isinstance(one, dict) else safe(one) for one in value)
    return safe(str(value).lower() if isinstance(value, bool) else value)


def _long(wait: timedelta) -> str:
    return f"{wait.days} days" if not wait.seconds else str(wait)
