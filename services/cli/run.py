"""run and project: the service, and one pass over the log."""

from collections.abc import Sequence
from typing import Annotated

import structlog
import typer
from typing_extensions import TypedDict

from events.edtf import format_instant
from events.errors import BadInput
from projections.tables.checkpoint import OUTCOMES, Checkpoint
from services.log.open import open_log
from services.runtime.logging import configure, configure_service
from services.runtime.shutdown import stopping
from services.settings import load_rules, load_settings
from services.workers.supervisor import PARTS, await_database, make_correlation, make_loop, parts_to_run, run_parts

from .app import app, closed_at_end, database
from .bar import bar
from .options import JsonOption
from .output import emit, say

logger = structlog.get_logger()


class ProjectedJson(TypedDict):
    """
    The result of `project`, over all partitions.

    The counts and `position` are sums. `watermark` is the earliest, and null if a partition has none.
    """

    read: int
    applied: int
    duplicate: int
    conflict: int
    parked: int
    forwarded: int
    position: int
    watermark: str | None


@app.command("project", epilog="\b\nExample:\n  casetrail project")
def project(as_json: JsonOption = False) -> None:
    """
    Project all records that are in the log now, and return.

    Then the rules about several people are judged.

    With Kafka, the command joins the running projectors, and returns once all partitions are read, by any of them. The
    counts and the position are sums over all partitions. The watermark is the earliest.
    """
    settings = load_settings()
    configure(settings)
    engine = database(settings)
    with open_log(settings, engine, settings.kafka_publish_timeout_seconds) as log:
        ends = log.ends(range(log.partitions))
        with bar("Projecting", sum(ends.values())) as advance:
            checkpoints = make_loop(settings, engine, log).drain(ends, lambda reached: advance(reached, absolute=True))
    make_correlation(settings, engine).drain()
    totals = _totals(checkpoints)
    if as_json:
        emit(totals)
    else:
        counts = ", ".join(f"{count} {name}" for name, count in totals.items() if name in OUTCOMES)
        say(f"{totals['read']} read: {counts}")


@app.command(
    "run", epilog="\b\nExamples:\n  casetrail run\n  casetrail run projector\n  casetrail run correlator notifier"
)
def run(
    parts: Annotated[
        list[str] | None, typer.Argument(metavar="[PART...]", help=f"Of {', '.join(PARTS)}; all if none is named.")
    ] = None,
) -> None:
    """
    Run the service until it is stopped. All parts, or the named parts, run in one process.

    Projectors compute statuses and alerts. The correlator judges the rules about several people, behind them. The
    notifier sends messages to the receivers of delivery.yaml, and notices and misplaced records to Kafka. With the
    local log and without that file there is none.

    SIGTERM or Ctrl-C ends the service cleanly; a second signal ends it at once. Logs go to stderr, by the settings
    CASETRAIL_LOG_LEVEL and CASETRAIL_LOG_FORMAT.
    """
    for part in parts or []:
        if part not in PARTS:
            raise BadInput(f'"{part}" is not a part of the service', " or ".join(PARTS))
    settings = load_settings()
    configure_service(settings)
    running = parts_to_run(settings, parts or [])
    rules = load_rules(settings)
    with stopping() as stop:
        engine = await_database(settings, stop)
        logger.info("started", parts=list(running), rules=rules.version)
        if engine is not None:
            run_parts(running, settings, closed_at_end(engine), stop)
        logger.info("stopped")


def _totals(checkpoints: Sequence[Checkpoint]) -> ProjectedJson:
    watermarks = [checkpoint.watermark for checkpoint in checkpoints if checkpoint.watermark]
    return {
        "read": sum(checkpoint.read for checkpoint in checkpoints),
        "applied": sum(checkpoint.applied for checkpoint in checkpoints),
        "duplicate": sum(checkpoint.duplicate for checkpoint in checkpoints),
        "conflict": sum(checkpoint.conflict for checkpoint in checkpoints),
        "parked": sum(checkpoint.parked for checkpoint in checkpoints),
        "forwarded": sum(checkpoint.forwarded for checkpoint in checkpoints),
        "position": sum(checkpoint.position for checkpoint in checkpoints),
        "watermark": format_instant(min(watermarks)) if len(watermarks) == len(checkpoints) else None,
    }
