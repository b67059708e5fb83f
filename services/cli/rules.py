"""rules: the list of the rules, one rule in full, a check of rule files, and their JSON Schema."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError
from typing_extensions import TypedDict

from events.errors import Infrastructure
from events.text import near_words
from projections.queries.alerts import alert_counts
from projections.rules.files.limit_table import Note
from projections.rules.files.loading import RulesError, notes
from projections.rules.files.schema import schema
from projections.rules.files.yaml_source import Problem
from projections.rules.limits import Limit, in_words
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.patterns.chain import ChainRule
from projections.rules.patterns.chain_steps import AbsentStep, ChainStep
from projections.rules.patterns.lasting import LastingRule
from projections.rules.patterns.pattern import Rule
from projections.rules.patterns.sequence import SequenceRule
from projections.tables.ledger_rows import rules_in_force
from projections.tables.schema import CORRELATOR, OF_LOG, partitions
from services.database import database_trouble
from services.settings import load_rules, load_settings
from services.words.terms import safe

from . import rules_backtest as _rules_backtest  # noqa: F401 - these add their commands to the group
from . import rules_explain as _rules_explain  # noqa: F401
from . import rules_test as _rules_test  # noqa: F401
from .app import database
from .layout import Column
from .layout import show as show_table
from .options import JsonOption
from .output import FINDINGS, emit, fail, ignoring_closed_pipe, print_lines, say
from .rules_app import rules_app

COLUMNS = (
    Column("rule", 0),
    Column("title", 3, below=True, least=24),
    Column("severity", 1),
    Column("pattern", 4, below=True, least=30),
    Column("version", 5, below=True),
    Column("in force", 2),
)

LIST_COLUMNS = (*COLUMNS, Column("enabled", 6), Column("alerts", 2, below=True, least=12))
STATES = ("open", "acknowledged", "resolved", "retracted", "superseded")
_ENABLED = {"true": "yes", "false": "no"}

_TITLES = ("rule", "title", "severity", "pattern", "version", "in force")
_IN_FORCE = {True: "yes", False: "no", None: "no database"}


class RuleJson(TypedDict):
    """
    A rule in the list; `in_force` is null if there is no database.

    ``enabled`` is *true*, *false* or *trial*, as the rule says.
    """

    rule: str
    title: str
    severity: str
    pattern: str
    version: str
    enabled: str
    in_force: bool | None


class ListedRuleJson(RuleJson):
    """A rule with the number of its alerts by state, of all its versions; ``alerts`` is null without a database."""

    alerts: dict[str, int] | None


class FullRuleJson(RuleJson):
    """A rule with its whole definition."""

    definition: dict[str, Any]


class ProblemJson(TypedDict):
    """One problem of a rule file, or a note about a correct one, by `kind`; line and column count from 1."""

    file: str
    line: int
    column: int
    what: str
    wanted: str
    kind: str


@rules_app.command("list", epilog="\b\nExample:\n  casetrail rules list")
def list_rules(as_json: JsonOption = False) -> None:
    """
    List the rules, and the number of their alerts.

    The list says whether each rule is in force, disabled or on trial. It works without a database too.
    """
    book = load_rules(load_settings())
    engine = _engine()
    in_force, counts = _in_force(engine), _alert_counts(engine)
    rules: list[ListedRuleJson] = [
        {**_rule_json(rule, in_force), "alerts": None if counts is None else _by_state(counts.get(rule.id, {}))}
        for rule in book.every
    ]
    if as_json:
        emit(rules)
        return
    show_table(LIST_COLUMNS, map(_list_cells, rules))


@rules_app.command("check", epilog="\b\nExample:\n  casetrail rules check my-rules.yaml")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Rule files, or folders of them.")],
    as_json: JsonOption = False,
) -> None:
    """
    Check rule files, and list each problem by line and column. Exit 1 if there is one.

    A note is no problem: it names the jurisdictions in which a rule is silent, since its limit has no entry there, or a
    sentence that no alert can have.
    """
    found = [remark for path in files for remark in _problems(path)]
    problems = [remark for remark in found if isinstance(remark, Problem)]
    with ignoring_closed_pipe():
        if as_json:
            emit([_problem_json(remark) for remark in found])
        else:
            print_lines(map(safe, found))
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
    shown: FullRuleJson = {**_rule_json(rule, _in_force(_engine())), "definition": rule.normal()}
    if as_json:
        emit(shown)
        return
    print_lines(f"{column}: {safe(text)}" for column, text in zip(_TITLES, _cells(shown), strict=True))
    for name, value in shown["definition"].items():
        if name not in {"id", "title", "severity"}:
            print(f"{name}: {_value_words(name, value)}")


def _problems(path: Path) -> Sequence[Problem | Note]:
    """Return the problems of the rules at *path*; the notes about them if there is none."""
    try:
        return notes(path)
    except RulesError as error:
        return error.problems


def _problem_json(remark: Problem | Note) -> ProblemJson:
    file, line, column, what, wanted = remark
    kind = "problem" if isinstance(remark, Problem) else "note"
    return {"file": file, "line": line, "column": column, "what": what, "wanted": wanted, "kind": kind}


def _engine() -> Engine | None:
    """Open the database; None if there is none, or if it does not answer."""
    try:
        return database(load_settings())
    except Infrastructure as problem:
        say(f"without a database: {problem}")
    except DBAPIError as problem:
        say(f"without a database: it {': '.join(database_trouble(problem))}")
    return None


def _alert_counts(engine: Engine | None) -> Mapping[str, Mapping[str, int]] | None:
    """Return the number of alerts of each rule by state; None without a database."""
    if engine is None:
        return None
    with engine.connect() as conn:
        return alert_counts(conn)


def _by_state(counts: Mapping[str, int]) -> dict[str, int]:
    """Return *counts* with every state, in the order of an alert's life."""
    return {state: counts.get(state, 0) for state in dict.fromkeys((*STATES, *sorted(counts)))}


def _in_force(engine: Engine | None) -> Mapping[str, str] | None:
    """
    Return the version of each rule that is in force in every partition; None without a database.

    A rule that is disabled or on trial there is not in force. A rule across people is in force if it is in force in the
    correlator.
    """
    if engine is None:
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
        "enabled": str(rule.normal().get("enabled", "true")).lower(),
        "in_force": None if in_force is None else in_force.get(rule.id) == rule.version,
    }


def _cells(rule: RuleJson) -> Iterable[object]:
    yield from (rule["rule"], rule["title"], rule["severity"], rule["pattern"], rule["version"])
    yield _IN_FORCE[rule["in_force"]]


def _list_cells(rule: ListedRuleJson) -> Iterable[object]:
    yield from _cells(rule)
    yield _ENABLED.get(rule["enabled"], rule["enabled"])
    alerts = rule["alerts"]
    counts = () if alerts is None else (f"{number} {state}" for state, number in alerts.items() if number)
    yield ", ".join(counts) or ("none" if alerts is not None else "no database")


def _pattern(rule: Rule) -> str:
    """Return the pattern in short: the types it starts from, the types it waits for, and the time."""
    anchor = " or ".join(sorted(rule.on))
    if isinstance(rule, AbsenceRule):
        settle = f", settled {_long(rule.settle)}" if rule.settle else ""
        after = f" for {_long(rule.wait)}" if rule.wait else ""
        until = " from its until" if rule.start else ""
        before = f"{', and none' if rule.wait else ''} in the {_long(rule.before)} before" if rule.before else ""
        return f"{anchor}, and none of {len(rule.absent)} types{after}{until}{before}{settle}"
    if isinstance(rule, LastingRule):
        settle = f", settled {_long(rule.settle)}" if rule.settle else ""
        return f"{rule.status.kind} {' or '.join(sorted(rule.status.words))} for {_long(rule.wait)}{settle}"
    if isinstance(rule, ChainRule):
        steps = ", then ".join(_step(step) for step in rule.steps)
        whole = f", all within {_long(rule.within)}" if rule.within else ""
        return f"{anchor}, then {steps}{whole} ({rule.certainty})"
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


def _step(step: ChainStep) -> str:
    if isinstance(step, AbsentStep):
        settle = f", settled {_long(step.settle)}" if step.settle else ""
        return f"none of {len(step.absent)} types for {_long(step.wait)}{settle}"
    return f"{' or '.join(sorted(step.then))} within {_long(step.within)}"


def _value_words(name: str, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict) and value.keys() == {"limit", "entries"}:
        return f"the limit {value['limit']}: {'; '.join(map(_entry_words, value['entries']))}"
    if name in {"for", "settle", "within", "before"}:
        return _long(timedelta(seconds=value))
    if isinstance(value, dict):
        return "; ".join(f"{field} {_value_words(field, inner)}" for field, inner in value.items())
    if isinstance(value, list):
        return ", ".join(f"({_value_words('', one)})" if isinstance(one, dict) else safe(one) for one in value)
    return safe(str(value).lower() if isinstance(value, bool) else value)


def _entry_words(entry: Mapping[str, Any]) -> str:
    """Return an entry of a limit in words: its value, its place, its days and its law."""
    longest = f", {_seconds_words(entry['longest'])} at most" if "longest" in entry else ""
    until = f" until {entry['until']}" if "until" in entry else ""
    value = f"{_seconds_words(entry['value'])}{longest}"
    return safe(f"{value}, in {entry['jurisdiction']} from {entry['from']}{until} ({entry['source']})")


def _seconds_words(seconds: int) -> str:
    return in_words(timedelta(seconds=seconds))


def _long(wait: timedelta | Limit) -> str:
    if isinstance(wait, Limit):
        return f"the limit {wait.name}"
    return f"{wait.days} days" if not wait.seconds else str(wait)
