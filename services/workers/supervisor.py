"""The parts of the service. `casetrail run` runs each in a thread of its own until it is asked to stop."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from events.errors import BadInput
from services.database import concluded
from services.log.base import LogReader
from services.log.open import await_log, preload, topic_of, uses_kafka
from services.runtime.heartbeat import Heartbeat
from services.runtime.shutdown import ShutdownSignal
from services.runtime.together import run_together
from services.settings import Settings, delivery_file, load_rules

from .correlation import Correlation
from .projector_loop import Loop

PAUSE_SECONDS = 1.0

Beat = Callable[[], None]
Part = Callable[[Settings, Engine, ShutdownSignal, Beat], None]
"""Works on the database by the settings until it is asked to stop, and shows a sign of life each turn."""

logger = structlog.get_logger()


def parts_to_run(settings: Settings, names: Sequence[str]) -> Sequence[str]:
    """
    Return the parts to run: the parts *names*, or without names all that have work with the log of the settings.

    Raises:
        BadInput: if a named part has no work.
    """
    if uses_kafka(settings) or delivery_file(settings) is not None:
        return names or [*PARTS]
    if "notifier" in names:
        wanted = "a file delivery.yaml, or CASETRAIL_DELIVERY; `casetrail alerts --follow` prints the notices"
        raise BadInput("the notifier has nothing to do: there are no receivers, and the log is local", wanted)
    return names or ["projector", "correlator"]


def await_database(settings: Settings, stop: ShutdownSignal) -> Engine | None:
    """
    Open the database; wait for a server that does not answer. Return None if *stop* is set before it does.

    Raises:
        Infrastructure: as for `concluded`.
        OperationalError: if a SQLite database cannot be opened.
    """
    while not stop.is_set():
        try:
            return concluded(settings)
        except OperationalError as problem:
            if settings.database_url.startswith("sqlite"):
                raise
            # With the server's words: the reason may be a wrong name or password, which no wait mends.
            logger.warning("database_failed", error=str(problem.orig).strip(), pause_seconds=PAUSE_SECONDS)
            stop.wait(PAUSE_SECONDS)
    return None


def run_parts(parts: Sequence[str], settings: Settings, engine: Engine, stop: ShutdownSignal) -> None:
    """
    Run *parts* until *stop* is set or one of them ends; then stop the others, and wait for them.

    The main thread only waits, so that it can handle signals while a part waits for a database.

    Raises:
        Exception: the error with which a part ended.
    """
    preload(settings)
    hearts = {part: Heartbeat() for part in parts}
    tasks = [partial(PARTS[part], settings, engine, stop, hearts[part].beat) for part in parts]
    with _metrics_pages(settings, engine, hearts):
        run_together(tasks, stop, "casetrail", lambda: None)


def make_loop(settings: Settings, engine: Engine, reader: LogReader) -> Loop:
    """Return the projectors' loop over the log that *reader* reads, by the settings."""
    return Loop(
        engine,
        load_rules(settings),
        reader,
        batch_records=settings.batch_records,
        clock_margin_seconds=settings.clock_margin_seconds,
        cache_facts=settings.cache_facts,
        tell_backfilled=settings.tell_backfilled,
    )


def make_correlation(settings: Settings, engine: Engine) -> Correlation:
    """Return the correlator's loop, by the settings."""
    return Correlation(
        engine,
        load_rules(settings),
        topic_of(settings),
        cache_facts=settings.cache_facts,
        tell_backfilled=settings.tell_backfilled,
    )


def _project(settings: Settings, engine: Engine, stop: ShutdownSignal, beat: Beat) -> None:
    with await_log(settings, engine, stop, beat) as reader:
        if reader is not None:
            make_loop(settings, engine, reader).run(stop, settings.poll_seconds, beat)


def _notify(settings: Settings, engine: Engine, stop: ShutdownSignal, beat: Beat) -> None:
    from services.delivery.notifier import run_workers, workers  # noqa: PLC0415 - its clients take long to load

    run_workers(workers(settings, engine), stop, settings.poll_seconds, beat)


def _correlate(settings: Settings, engine: Engine, stop: ShutdownSignal, beat: Beat) -> None:
    make_correlation(settings, engine).run(stop, settings.poll_seconds, beat)


PARTS: Mapping[str, Part] = {"projector": _project, "correlator": _correlate, "notifier": _notify}


def _metrics_pages(
    settings: Settings, engine: Engine, hearts: Mapping[str, Heartbeat]
) -> AbstractContextManager[object]:
    """Return a block that serves the metrics of the parts, or does nothing without CASETRAIL_METRICS_PORT."""
    if settings.metrics_port is None:
        return nullcontext()
    from services.operate.metrics import serve_metrics  # noqa: PLC0415 - Prometheus' client takes a tenth of the start

    return serve_metrics(settings, engine, hearts, settings.metrics_port)
