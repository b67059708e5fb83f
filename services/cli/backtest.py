"""backtest: the statuses and alerts that a file of facts would have produced."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from events.edtf import format_instant
from projections.projector.backtest import BacktestJson
from projections.projector.backtest import backtest as replay
from projections.rules.files.loading import load
from services.settings import load_rules, load_settings
from services.words.terms import safe

from .app import app
from .bar import bar
from .input_file import InputFile, input_file
from .layout import show
from .options import JsonOption, instant
from .output import FINDINGS, emit, ignoring_closed_pipe, say
from .status import COLUMNS, cells


@app.command(
    epilog="\b\nExamples:\n  casetrail backtest facts.ndjson --until 2024-01-01\n"
    "  casetrail backtest - --rules my-rules.yaml --json < facts.ndjson"
)
def backtest(
    source: InputFile,
    until: Annotated[str | None, typer.Option(help="The end of the clock: an instant or a day. Default: now.")] = None,
    rules: Annotated[
        Path | None, typer.Option(help="A rule file or a folder, instead of the rules of CASETRAIL_RULES or the pack.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Replay facts in memory, each at the time it became known. Shows statuses and the full life of every alert.

    No database is read or written. Each line is known from its `recorded` on, or from `published` if it has none. In
    an export, `recorded` is the instant at which the log accepted the line, perhaps long after it was published.
    """
    stop = instant("--until", until) if until else datetime.now(UTC)
    book = load(rules) if rules else load_rules(load_settings())
    with input_file(source) as lines, bar("Replaying", None) as advance:
        result = replay(lines, book, stop, advance)
    with ignoring_closed_pipe():
        if as_json:
            emit(result.report)
        else:
            _print_backtest(result.report)
    for line in result.bad:
        if line.problem:
            say(safe(line.problem.at(f"{source}:{line.number}")))
    if result.earliest_later is not None:
        after, earliest = format_instant(stop), format_instant(result.earliest_later)
        say(f"not read: {result.later} lines recorded after {after}, the earliest at {earliest}")
    if result.bad:
        raise typer.Exit(FINDINGS)


def _print_backtest(report: BacktestJson) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in report["counts"].items())
    print(f"Until {report['until']}: {counts}\n")
    show(COLUMNS, map(cells, report["subjects"]))
    for alert in report["alerts"]:
        print("\n" + safe(f"{alert['rule']} ({alert['severity']}): {alert['explanation']}"))
        for step in alert["life"]:
            fact = f" ({step['fact_id']})" if step["fact_id"] else ""
            print(safe(f"  {step['at']}  {step['state']}: {step['cause']}{fact}"))
