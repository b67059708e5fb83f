"""lag: how far behind the projectors are."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from services.log.open import log_offsets
from services.operate.lag import Lag, beyond, lag_json, lags
from services.settings import load_settings

from .app import Json, app, database
from .layout import Column, show
from .output import FINDINGS, emit, fail

UNKNOWN = "?"
COLUMNS = (
    Column("partition", 0),
    Column("position", 5),
    Column("end", 6),
    Column("lag", 1),
    Column("seconds", 2),
    Column("progress", 7),
    Column("watermark", 8, below=True),
    Column("parked", 4),
    Column("stopped", 3, below=True, least=20),
)


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
    settings = load_settings()
    engine = database(settings)
    with log_offsets(settings, engine) as asking:
        found = lags(engine, asking, datetime.now(UTC))
    if as_json:
        emit([lag_json(each) for each in found])
    else:
        _show(found)
    late = beyond(found, max_seconds) if max_seconds is not None else []
    if late:
        fail("; ".join(_late(each) for each in late), FINDINGS)


def _show(found: list[Lag]) -> None:
    show(COLUMNS, map(_cells, map(lag_json, found)))


def _cells(row: Mapping[str, Any]) -> Iterable[object]:
    yield from (row["partition"], row["position"], row["end"], row["lag_records"])
    progress = row["seconds_since_progress"]
    yield UNKNOWN if row["lag_seconds"] is None else f"{row['lag_seconds']:.1f}"
    yield "never" if progress is None else f"{progress:.1f} s ago"
    yield row["watermark"] or ""
    yield row["parked"]
    yield row["stopped"] or ""


def _late(late: Lag) -> str:
    partition = f"partition {late.progress.partition}"
    if late.stopped:
        return f"{partition} has stopped: {late.stopped}"
    seconds = "an unknown time" if late.seconds is None else f"{late.seconds:.0f} s"
    return f"{partition} is {late.records} records and {seconds} behind"
