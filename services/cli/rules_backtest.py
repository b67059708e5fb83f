"""rules backtest: the alerts that rules would have raised, on a file of facts or on the facts of a database."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine
from typing_extensions import TypedDict

from events.edtf import format_instant
from events.errors import BadInput
from projections.alerts.shapes import AlertJson
from projections.projector.backtest import Line, backtest
from projections.projector.ledger_backtest import backtest_ledger
from projections.rules.files.loading import load
from projections.rules.patterns.pattern import Rule
from projections.rules.rulebook import Rulebook, as_in_force
from projections.tables.database import snapshot
from projections.tables.ledger_rows import applied_count
from services.database import migrated
from services.settings import load_settings
from services.words.terms import safe

from .app import closed_at_end
from .bar import bar
from .input_file import input_file
from .layout import Column, show
from .options import JsonOption, instant
from .output import FINDINGS, emit, ignoring_closed_pipe, print_lines, say
from .rules_app import rules_app

DATABASE = "database"
"""The word for the configured database."""
STATES = ("open", "resolved", "retracted", "superseded")
PEOPLE = 1000
COLUMNS = (Column("rule"), Column("alerts"), Column("people"), *(Column(state, 1) for state in STATES))


class RuleCountsJson(TypedDict):
    """The numbers of alerts that a rule would have raised: all of them, and by state at the end."""

    rule: str
    title: str
    alerts: int
    people: int
    states: dict[str, int]


class PersonFoundJson(TypedDict):
    """A person, or the group of an alert across people, with the alerts about them."""

    subject_id: str
    alerts: list[AlertJson]


class RulesBacktestJson(TypedDict):
    """The alerts that rules would have raised until the instant ``until``: counts first, then the people."""

    until: str
    rules: list[RuleCountsJson]
    people: list[PersonFoundJson]


@rules_app.command(
    "backtest",
    epilog="\b\nExamples:\n  casetrail rules backtest my-rules.yaml --on facts.ndjson\n"
    "  casetrail rules backtest my-rules.yaml --on database --until 2024-01-01",
)
def backtest_rules(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A rule file, or a folder of them.")],
    on: Annotated[
        str,
        typer.Option(
            metavar="FACTS|DB|database",
            help=f"A file of NDJSON, the file or URL of a database, or `{DATABASE}`: the one in use.",
        ),
    ],
    until: Annotated[str | None, typer.Option(help="The end of the clock: an instant or a day. Default: now.")] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show the alerts that rules would have raised.

    Counts come first, then the people with the sentences. A database is only read. Each of its facts counts from the
    instant at which it was recorded. Nobody is told.
    """
    stop = instant("--until", until) if until else datetime.now(UTC)
    book = as_in_force(load(file).every)
    alerts, bad = _found(on, book, stop)
    found: RulesBacktestJson = {
        "until": format_instant(stop),
        "rules": [_counts(rule, alerts) for rule in book.every],
        "people": [*_people(alerts)],
    }
    with ignoring_closed_pipe():
        if as_json:
            emit(found)
        else:
            _print(found)
    for line in bad:
        if line.problem:
            say(safe(line.problem.at(f"{on}:{line.number}")))
    if bad:
        raise typer.Exit(FINDINGS)


def _found(on: str, book: Rulebook, until: datetime) -> tuple[list[AlertJson], list[Line]]:
    """Return the alerts, and the bad lines of a file."""
    url = f"sqlite:///{on}" if _is_sqlite(on) else on
    if url == DATABASE or "://" in url:
        return [*_alerts(_engine(url), book, until)], []
    with input_file(on) as lines, bar("Replaying", None) as advance:
        result = backtest(lines, book, until, advance)
    return result.report["alerts"], result.bad


def _engine(on: str) -> Engine:
    """Open the database to read."""
    try:
        settings = load_settings() if on == DATABASE else load_settings(database_url=on)
    except BadInput as problem:
        raise (problem if on == DATABASE else BadInput(problem.what, problem.wanted, "--on")) from None
    return closed_at_end(migrated(settings))


def _is_sqlite(on: str) -> bool:
    """Return whether *on* is a file of SQLite, which begins with these bytes (https://sqlite.org/fileformat2.html)."""
    path = Path(on)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _alerts(engine: Engine, book: Rulebook, until: datetime) -> Iterator[AlertJson]:
    readings = bool(book.rules) + bool(book.across)
    with snapshot(engine) as conn, bar("Replaying", readings * applied_count(conn)) as advance:
        for alerts in backtest_ledger(conn, book, until, advance):
            yield from alerts


def _counts(rule: Rule, alerts: Iterable[AlertJson]) -> RuleCountsJson:
    own = [alert for alert in alerts if alert["rule"] == rule.id]
    states = Counter(alert["state"] for alert in own)
    return {
        "rule": rule.id,
        "title": rule.title,
        "alerts": len(own),
        "people": len({person for alert in own for person in _people_of(alert)}),
        "states": {state: states[state] for state in STATES},
    }


def _people_of(alert: AlertJson) -> Sequence[str]:
    """Return the people in the evidence of an alert; one, unless its rule is across people."""
    subject_id = alert["subject_id"]
    return alert["subjects"] or ([subject_id] if subject_id is not None else [])


def _owner(alert: AlertJson) -> str:
    """Return the person, or the group of an alert across people, under which an alert is listed."""
    return str(alert["subject_id"] or alert["group"])


def _people(alerts: Iterable[AlertJson]) -> Iterator[PersonFoundJson]:
    for owner, own in groupby(sorted(alerts, key=_owner), key=_owner):
        yield {"subject_id": owner, "alerts": list(own)}


def _print(found: RulesBacktestJson) -> None:
    print(f"Until {found['until']}\n")
    show(COLUMNS, (
        (row["rule"], row["alerts"], row["people"], *row["states"].values()) for row in found["rules"]
    ))  # fmt: skip
    people = found["people"]
    for person in people[:PEOPLE]:
        print("\n" + safe(person["subject_id"]))
        print_lines(safe(f"  {alert['rule']} ({_latest(alert)}): {alert['explanation']}") for alert in person["alerts"])
    if len(people) > PEOPLE:
        say(f"the first {PEOPLE} people are shown of {len(people)}; --json prints all")


def _latest(alert: AlertJson) -> str:
    return f"{alert['state']} {alert['life'][-1]['at'][:10]}"
