"""backtest: the statuses and alerts that a file of facts would have produced."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from events.edtf import format_instant
from projections.projector.backtest import backtest as replay
from projections.rules.rulebook import load
from services.settings import load_rules, load_settings
from services.words.terms import safe

from .app import Json, app
from .bar import bar
from .input_file import InFile, input_file
from .layout import show
from .options import instant
from .output import FINDINGS, emit, say, while_read
from .status import COLUMNS, cells


@app.command(
    epilog="\b\nExamples:\n  casetrail backtest facts.ndjson --until 2024-01-01\n"
    "  casetrail backtest - --rules my-rules.yaml --json < facts.ndjson"
)
def backtest(
    source: InFile,
    until: Annotated[str | None, typer.Option(help="Where the clock stops: an instant or a day. Default: now.")] = None,
    rules: Annotated[
        Path | None, typer.Option(help="A rule file or folder, instead of those of CASETRAIL_RULES or the pack.")
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Replay facts in memory: what would have been known, and when. Shows statuses and the full life of every alert.

    No database is touched. A line's `recorded` says when it would have been known, else `published` does; an export of
    the audit carries when our log accepted each, which may be long after it was published.
    """
    stop = instant("--until", until) if until else datetime.now(UTC)
    book = load(rules) if rules else load_rules(load_settings())
    with input_file(source) as lines, bar("Replaying", None) as advance:
        result = replay(lines, book, stop, advance)
    with while_read():
        if as_json:
            emit(result.report)
        else:
            _print_backtest(result.report)
    for line in result.bad:
        if line.problem:
            say(safe(line.problem.at(f"{source}:{line.number}")))
    if result.earliest_later is not None:
        after, earliest = format_instant(stop), format_instant(result.earliest_later)
        say(f"not read: {result.later} recorded after {after}, the earliest at {earliest}")
    if result.bad:
        raise typer.Exit(FINDINGS)


def _print_backtest(report: dict[str, Any]) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in report["counts"].items())
    print(f"Until {report['until']}: {counts}\n")
    show(COLUMNS, map(cells, report["subjects"]))
    for alert in report["alerts"]:
        print("\n" + safe(f"{alert['rule']} ({alert['severity']}): {alert['explanation']}"))
        for step in alert["life"]:
            fact = f" ({step['fact_id']})" if step["fact_id"] else ""
            print(safe(f"  {step['at']}  {step['state']}: {step['cause']}{fact}"))
