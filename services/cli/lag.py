"""lag: the number of records and the seconds by which the projectors are behind the log."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from projections.correlator.progress import CorrelatorProgress
from services.log.open import log_offsets
from services.operate.lag import Lag, beyond, correlator_json, correlator_of, held_back_words, lag_json, lags
from services.settings import load_settings

from .app import app, database
from .layout import Column, show
from .options import JsonOption
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
        float | None, typer.Option("--max-seconds", min=0, help="Exit 1 if a partition is behind by more than this.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show how far each partition is behind the log. The end of the log is read from the log itself.

    The lag in seconds is the time since the first unprojected record came into the log. With --max-seconds, a
    partition that has stopped is beyond the limit whatever its lag. If the log does not answer, the exit code is 3.

    Partition -1 is the correlator, which judges rules across people. Its seconds are the distance from the last instant
    that it has judged to the newest watermark.
    """
    settings = load_settings()
    engine = database(settings)
    with log_offsets(settings, engine) as offsets:
        now = datetime.now(UTC)
        partitions = lags(engine, offsets, now)
        correlator = correlator_of(engine, offsets.topic)
    rows = [lag_json(partition) for partition in partitions]
    if correlator is not None:
        rows.append(correlator_json(correlator, now))
    if as_json:
        emit(rows)
    else:
        show(COLUMNS, map(_cells, rows))
    if max_seconds is None:
        return
    late = [_late_words(partition) for partition in beyond(partitions, max_seconds)]
    if correlator is not None and (correlator.seconds is None or correlator.seconds > max_seconds):
        late.append(_behind_words(correlator))
    if late:
        fail("; ".join(late), FINDINGS)


def _cells(row: Mapping[str, Any]) -> Iterable[object]:
    yield from (row["partition"], row["position"], row["end"], row["lag_records"])
    progress = row["seconds_since_progress"]
    yield UNKNOWN if row["lag_seconds"] is None else f"{row['lag_seconds']:.1f}"
    yield "never" if progress is None else f"{progress:.1f} s ago"
    yield row["watermark"] or ""
    yield row["parked"]
    yield row["stopped"] or ""


def _behind_words(progress: CorrelatorProgress) -> str:
    if reason := held_back_words(progress):
        return f"the correlator is held back: {reason}"
    seconds = "an unknown time" if progress.seconds is None else f"{progress.seconds:.0f} s"
    return f"the correlator is {progress.rows_behind} facts and {seconds} behind"


def _late_words(late: Lag) -> str:
    partition = f"partition {late.progress.partition}"
    if late.stopped:
        return f"{partition} has stopped: {late.stopped}"
    seconds = "an unknown time" if late.seconds is None else f"{late.seconds:.0f} s"
    return f"{partition} is {late.records} records and {seconds} behind"
