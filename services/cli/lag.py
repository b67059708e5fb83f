"""lag: how far behind the projectors are."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from services.lag import Lag, beyond, gauge, lag_json, lags

from .app import FINDINGS, Json, app, console, database, emit, fail, settings
from .wording import cell

UNKNOWN = "?"


@app.command("lag", epilog="\b\nExamples:\n  casetrail lag\n  casetrail lag --max-seconds 60 > /dev/null")
def lag(
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", min=0, help="Exit 1 if a partition is more than this behind.")
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Show how far behind each partition is. The log itself is asked for its end.

    The lag in seconds is how long the first record that is not projected has been in the log. With --max-seconds a
    partition that has stopped is beyond it whatever its lag. A log that does not answer is exit 3.
    """
    chosen = settings()
    engine = database(chosen)
    with gauge(chosen, engine) as asking:
        found = lags(engine, asking, datetime.now(UTC))
    if as_json:
        emit([lag_json(each) for each in found])
    else:
        _show(found)
    late = beyond(found, max_seconds) if max_seconds is not None else []
    if late:
        fail("; ".join(_late(each) for each in late), FINDINGS)


def _show(found: list[Lag]) -> None:
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for title in ("partition", "position", "end", "lag", "seconds", "progress", "watermark", "parked", "stopped"):
        table.add_column(title, overflow="fold")
    for each in map(lag_json, found):
        numbers = (each["partition"], each["position"], each["end"], each["lag_records"])
        progress = each["seconds_since_progress"]
        table.add_row(
            *(cell(str(number)) for number in numbers),
            cell(UNKNOWN if each["lag_seconds"] is None else f"{each['lag_seconds']:.1f}"),
            cell("never" if progress is None else f"{progress:.1f} s ago"),
            cell(each["watermark"] or ""),
            cell(str(each["parked"])),
            cell(each["stopped"] or ""),
        )
    console().print(table)


def _late(late: Lag) -> str:
    partition = f"partition {late.progress.partition}"
    if late.stopped:
        return f"{partition} has stopped: {late.stopped}"
    seconds = "an unknown time" if late.seconds is None else f"{late.seconds:.0f} s"
    return f"{partition} is {late.records} records and {seconds} behind"
