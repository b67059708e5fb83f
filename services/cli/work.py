"""The work itself: run and project."""

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Annotated, Any

import structlog
import typer

from events.edtf import format_instant
from events.errors import BadInput
from projections.projector import OUTCOMES, Progress, Projector
from services.locallog import LocalLog
from services.logs import configure
from services.loop import Loop
from services.settings import Settings
from services.stopping import Stop, stopping

from .app import Json, app, database, emit, rulebook, say, settings
from .progress import bar

PARTS = ("projector",)

log = structlog.get_logger()


@app.command("project", epilog="\b\nExample:\n  casetrail project")
def project(as_json: Json = False) -> None:
    """Project everything that is in the log, and return."""
    loop = projecting(settings())
    partition = loop.projector.held.partition
    with bar("Projecting", loop.source.end(partition)) as advance:
        done = loop.drain(lambda now: advance(now.position, absolute=True))
    if as_json:
        emit(_totals(done))
    else:
        counts = ", ".join(f"{getattr(done, outcome)} {outcome}" for outcome in OUTCOMES)
        say(f"{done.read} read: {counts}")


@app.command("run", epilog="\b\nExamples:\n  casetrail run\n  casetrail run projector")
def run(
    parts: Annotated[
        list[str] | None, typer.Argument(metavar="[PART...]", help=f"Of {', '.join(PARTS)}; all where none is named.")
    ] = None,
) -> None:
    """
    Run the service until it is stopped: all its parts in one process, or the named ones.

    SIGTERM or Ctrl-C ends it cleanly, a second one at once. Logs go to stderr, as CASETRAIL_LOG_LEVEL and
    CASETRAIL_LOG_FORMAT say.
    """
    for part in parts or PARTS:
        if part not in PARTS:
            raise BadInput(f'"{part}" is not a part of the service', " or ".join(PARTS))
    chosen = settings()
    loop = projecting(chosen)
    with stopping() as stop:
        log.info("started", parts=list(parts or PARTS), rules=loop.projector.rulebook.version)
        _serve(loop, stop, chosen.poll_seconds)
        log.info("stopped", position=loop.projector.held.position)


def projecting(chosen: Settings) -> Loop:
    """Return the projector's loop over the log, as the settings have it; from now on logs go to stderr."""
    configure(chosen)
    engine = database(chosen)
    return Loop(
        Projector(engine, rulebook(chosen), cache_facts=chosen.cache_facts),
        LocalLog(engine),
        batch_records=chosen.batch_records,
        clock_margin_seconds=chosen.clock_margin_seconds,
    )


def _serve(loop: Loop, stop: Stop, poll_seconds: float) -> None:
    """Work beside the main thread, which has to be free for signals while a database keeps the other one waiting."""
    with ThreadPoolExecutor(thread_name_prefix="casetrail") as pool:
        working = [pool.submit(loop.run, stop, poll_seconds)]
        try:
            wait(working, return_when=FIRST_COMPLETED)
        finally:
            stop.set()
    for part in working:
        part.result()


def _totals(done: Progress) -> dict[str, Any]:
    watermark = done.watermark and format_instant(done.watermark)
    counts = {name: getattr(done, name) for name in ("read", *OUTCOMES, "position")}
    return {**counts, "watermark": watermark}
