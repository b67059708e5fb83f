"""rules: what is looked for, whether a file of rules can be used, and one rule in full."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select

from events.errors import Infrastructure
from projections.rules.rulebook import AbsenceRule, Rule, RulesError, load
from projections.tables.ledger_rows import rules_in_force
from projections.tables.schema import partitions
from services.settings import load_rules, load_settings
from services.words.terms import safe

from .app import Json, app, database
from .layout import Column
from .layout import show as show_table
from .output import FINDINGS, emit, lines, say, while_read

COLUMNS = (
    Column("rule", 0),
    Column("title", 3, below=True, least=24),
    Column("severity", 1),
    Column("pattern", 4, below=True, least=30),
    Column("version", 5, below=True),
    Column("in force", 2),
)

rules_app = typer.Typer(
    help="The rules: those that ship, or those of CASETRAIL_RULES.",
    epilog="\b\nExample:\n  casetrail rules list",
    no_args_is_help=True,
)
app.add_typer(rules_app, name="rules")


@rules_app.command("list", epilog="\b\nExample:\n  casetrail rules list")
def list_rules(as_json: Json = False) -> None:
    """List the rules, and whether each is in force in the database. Needs no database."""
    in_force = _in_force()
    found = [_rule_json(rule, in_force) for rule in load_rules(load_settings()).rules]
    if as_json:
        emit(found)
        return
    show_table(COLUMNS, map(_cells, found))


@rules_app.command("check", epilog="\b\nExample:\n  casetrail rules check my-rules.yaml")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Rule files, or folders of them.")],
    as_json: Json = False,
) -> None:
    """Read rule files and say what is wrong, by line and column. Exit 1 if anything is."""
    problems = [problem for path in files for problem in _problems(path)]
    with while_read():
        if as_json:
            emit([problem._asdict() for problem in problems])
        else:
            lines(map(safe, problems))
    if not problems and not as_json:
        say("nothing is wrong")
    if problems:
        raise typer.Exit(FINDINGS)


@rules_app.command("show", epilog="\b\nExample:\n  casetrail rules show dismissed-without-follow-up")
def show(rule_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the rule.")], as_json: Json = False) -> None:
    """Show one rule as it is understood. Lists are sorted, tracks are the types in them, times are in days."""
    rules = {rule.id: rule for rule in load_rules(load_settings()).rules}
    rule = rules.get(rule_id)
    if rule is None:
        meant = ", ".join(get_close_matches(rule_id, rules, cutoff=0.4)) or ", ".join(rules)
        say(f"casetrail: no rule {safe(rule_id)} is known (known: {meant})")
        raise typer.Exit(FINDINGS)
    found = _rule_json(rule, _in_force())
    if as_json:
        emit({**found, "definition": rule.normal()})
        return
    for name in ("rule", "title", "severity", "pattern", "version"):
        print(f"{name}: {safe(found[name])}")
    print(f"in force: {({True: 'yes', False: 'no', None: 'no database'})[found['in_force']]}")
    for name, value in rule.normal().items():
        if name not in {"id", "title", "severity"}:
            print(f"{name}: {_worded(name, value)}")


def _problems(path: Path) -> list[Any]:
    try:
        load(path)
    except RulesError as error:
        return error.problems
    return []


def _in_force() -> Mapping[str, str] | None:
    """Return the version in force of each rule, in every partition the same; None where no database is at hand."""
    try:
        engine = database(load_settings())
    except Infrastructure:
        return None
    with engine.connect() as conn:
        numbers = conn.scalars(select(partitions.c.partition)).all()
        books = [{rule.id: rule.version for rule in rules_in_force(conn, number).rules} for number in numbers]
    first = books[0] if books else {}
    return {rule: version for rule, version in first.items() if all(book.get(rule) == version for book in books)}


def _rule_json(rule: Rule, in_force: Mapping[str, str] | None) -> dict[str, Any]:
    return {
        "rule": rule.id,
        "title": rule.title,
        "severity": rule.severity,
        "pattern": _pattern(rule),
        "version": rule.version,
        "in_force": None if in_force is None else in_force.get(rule.id) == rule.version,
    }


def _cells(rule: Mapping[str, Any]) -> Iterable[object]:
    yield from (rule[name] for name in ("rule", "title", "severity", "pattern", "version"))
    yield {True: "yes", False: "no", None: "no database"}[rule["in_force"]]


def _pattern(rule: Rule) -> str:
    """Return the pattern in short: what it starts from, what it waits for, and how long."""
    anchor = " or ".join(sorted(rule.on))
    if isinstance(rule, AbsenceRule):
        settle = f", settled {rule.settle.days} days" if rule.settle else ""
        return f"{anchor}, and none of {len(rule.absent)} types for {_long(rule.wait)}{settle}"
    return f"{anchor}, then {' or '.join(sorted(rule.then))} within {_long(rule.within)} ({rule.certainty})"


def _worded(name: str, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if name in {"for", "settle", "within"}:
        return _long(timedelta(seconds=value))
    if isinstance(value, dict):
        return "; ".join(f"{inner} {_worded(inner, each)}" for inner, each in value.items())
    return safe(", ".join(value) if isinstance(value, list) else value)


def _long(wait: timedelta) -> str:
    return f"{wait.days} days" if not wait.seconds else str(wait)
