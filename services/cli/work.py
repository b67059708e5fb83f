"""The work itself: run and project."""

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Annotated, Any

import structlog
import typer
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from events.edtf import format_instant
from events.errors import BadInput
from projections.tables.checkpoint import OUTCOMES, Progress
from services.heartbeat import Heartbeat
from services.logs import configure, configure_service
from services.settings import Settings
from services.sources import opened
from services.stopping import Stop, stopping

from .app import Json, app, database, emit, rulebook, say, settings
from .parts import PARTS, chosen_parts, loop_over
from .progress import bar

PAUSE_SECONDS = 1.0

LOOK_UP_SECONDS = 0.5
"""Python acts on a signal in the main thread, and the system may give it to another, which does not wake this one."""

log = structlog.get_logger()


@app.command("project", epilog="\b\nExample:\n  casetrail project")
def project(as_json: Json = False) -> None:
    """
    Project everything that is in the log now, and return.

    With Kafka it joins the projectors that are running, and returns once all partitions are read, whoever did it.
    The counts are those of all partitions, the position is the sum of theirs, the watermark the earliest.
    """
    chosen = settings()
    configure(chosen)
    engine = database(chosen)
    with opened(chosen, engine, chosen.kafka_publish_timeout_seconds) as source:
        ends = source.ends(range(source.partitions))
        with bar("Projecting", sum(ends.values())) as advance:
            done = loop_over(chosen, engine, source).drain(ends, lambda reached: advance(reached, absolute=True))
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
    chosen = settings()
    configure_service(chosen)
    running = chosen_parts(chosen, parts or [])
    rules = rulebook(chosen)
    with stopping() as stop:
        engine = _await_database(chosen, stop)
        log.info("started", parts=list(running), rules=rules.version)
        if engine is not None:
            _serve(running, chosen, engine, stop)
        log.info("stopped")


def _await_database(chosen: Settings, stop: Stop) -> Engine | None:
    """Open the database, waiting for a server that is away; None if *stop* is set before it comes."""
    while not stop.is_set():
        try:
            return database(chosen)
        except OperationalError as problem:
            if chosen.database_url.startswith("sqlite"):
                raise
            # With its text: here it can be a wrong name or password too, which waiting does not cure.
            log.warning("database_failed", error=str(problem.orig).strip(), pause_seconds=PAUSE_SECONDS)
            stop.wait(PAUSE_SECONDS)
    return None


def _serve(parts: Sequence[str], chosen: Settings, engine: Engine, stop: Stop) -> None:
    """Work beside the main thread, which has to be free for signals while a database keeps the others waiting."""
    if chosen.log == "kafka":
        import_module("kafka")  # its modules name each other in a circle, and fail where two threads load them at once
    hearts = {part: Heartbeat() for part in parts}
    with _watched(chosen, engine, hearts), ThreadPoolExecutor(thread_name_prefix="casetrail") as pool:
        working = [pool.submit(PARTS[part], chosen, engine, stop, hearts[part].beat) for part in parts]
        try:
            while not (stop.is_set() or wait(working, LOOK_UP_SECONDS, FIRST_COMPLETED).done):
                pass
        finally:
            stop.set()
            while wait(working, LOOK_UP_SECONDS).not_done:
                pass
    for part in working:
        part.result()


def _watched(chosen: Settings, engine: Engine, hearts: Mapping[str, Heartbeat]) -> AbstractContextManager[None]:
    """Serve the metrics of the parts while a block runs, if CASETRAIL_METRICS_PORT is set."""
    if chosen.metrics_port is None:
        return nullcontext()
    from services.metrics import watched  # noqa: PLC0415 - Prometheus' client takes a tenth of the time to begin

    return watched(chosen, engine, hearts, chosen.metrics_port)


def _totals(done: Sequence[Progress]) -> dict[str, Any]:
    counts = {name: sum(getattr(each, name) for each in done) for name in ("read", *OUTCOMES, "position")}
    watermarks = [each.watermark for each in done if each.watermark]
    return {**counts, "watermark": format_instant(min(watermarks)) if len(watermarks) == len(done) else None}
