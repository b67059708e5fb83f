"""run and project: the service, and one pass over the log."""

from collections.abc import Sequence
from typing import Annotated, Any

import structlog
import typer

from events.edtf import format_instant
from events.errors import BadInput
from projections.tables.checkpoint import OUTCOMES, Checkpoint
from services.log.open import open_log
from services.runtime.logging import configure, configure_service
from services.runtime.shutdown import stopping
from services.settings import load_rules, load_settings
from services.workers.supervisor import PARTS, await_database, chosen_parts, loop_over, serve

from .app import Json, app, closed_at_end, database
from .bar import bar
from .output import emit, say

log = structlog.get_logger()


@app.command("project", epilog="\b\nExample:\n  casetrail project")
def project(as_json: Json = False) -> None:
    """
    Project everything that is in the log now, and return.

    With Kafka it joins the projectors that are running, and returns once all partitions are read, whoever did it.
    The counts are those of all partitions, the position is the sum of theirs, the watermark the earliest.
    """
    settings = load_settings()
    configure(settings)
    engine = database(settings)
    with open_log(settings, engine, settings.kafka_publish_timeout_seconds) as source:
        ends = source.ends(range(source.partitions))
        with bar("Projecting", sum(ends.values())) as advance:
            done = loop_over(settings, engine, source).drain(ends, lambda reached: advance(reached, absolute=True))
    totals = _totals(done)
    if as_json:
        emit(totals)
    else:
        counts = ", ".join(f"{totals[outcome]} {outcome}" for outcome in OUTCOMES)
        say(f"{totals['read']} read: {counts}")


@app.command("run", epilog="\b\nExamples:\n  casetrail run\n  casetrail run projector")
def run(
    parts: Annotated[
        list[str] | None, typer.Argument(metavar="[PART...]", help=f"Of {', '.join(PARTS)}; all where none is named.")
    ] = None,
) -> None:
    """
    Run the service until it is stopped. All its parts run in one process, or the named ones.

    The notifier sends notices and misplaced records to Kafka, and has no work with the local log.

    SIGTERM or Ctrl-C ends it cleanly, a second one at once. Logs go to stderr, as CASETRAIL_LOG_LEVEL and
    CASETRAIL_LOG_FORMAT say.
    """
    for part in parts or []:
        if part not in PARTS:
            raise BadInput(f'"{part}" is not a part of the service', " or ".join(PARTS))
    settings = load_settings()
    configure_service(settings)
    running = chosen_parts(settings, parts or [])
    rules = load_rules(settings)
    with stopping() as stop:
        engine = await_database(settings, stop)
        log.info("started", parts=list(running), rules=rules.version)
        if engine is not None:
            serve(running, settings, closed_at_end(engine), stop)
        log.info("stopped")


def _totals(done: Sequence[Checkpoint]) -> dict[str, Any]:
    counts = {name: sum(getattr(each, name) for each in done) for name in ("read", *OUTCOMES, "position")}
    watermarks = [each.watermark for each in done if each.watermark]
    return {**counts, "watermark": format_instant(min(watermarks)) if len(watermarks) == len(done) else None}
