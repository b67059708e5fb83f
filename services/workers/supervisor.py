"""The parts of the service: what `casetrail run` runs, each in a thread of its own until it is asked to stop."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from events.errors import BadInput
from services.database import concluded
from services.delivery.notifier import Notifier
from services.log.base import LogReader
from services.log.open import await_log
from services.runtime.heartbeat import Heartbeat
from services.runtime.shutdown import ShutdownSignal
from services.settings import Settings, load_rules

from .projector_loop import Loop

log = structlog.get_logger()

Beat = Callable[[], None]
Part = Callable[[Settings, Engine, ShutdownSignal, Beat], None]
"""Works on the database, as the settings have it, until it is asked to stop, and shows life each turn."""


def chosen_parts(settings: Settings, named: Sequence[str]) -> Sequence[str]:
    """
    Return the parts to run: those *named*, else all that the log of the settings has work for.

    Raises:
        BadInput: if one that is named has none.
    """
    if settings.log == "local":
        if "notifier" in named:
            msg = "the notifier sends to Kafka, and the log is local (`casetrail alerts --follow` gives its notices)"
            raise BadInput(msg, "CASETRAIL_LOG=kafka")
        return named or ["projector"]
    return named or [*PARTS]


def loop_over(settings: Settings, engine: Engine, source: LogReader) -> Loop:
    """Return the projectors' loop over *source*, as the settings have it."""
    return Loop(
        engine,
        load_rules(settings),
        source,
        batch_records=settings.batch_records,
        clock_margin_seconds=settings.clock_margin_seconds,
        cache_facts=settings.cache_facts,
    )


def _project(settings: Settings, engine: Engine, stop: ShutdownSignal, beat: Beat) -> None:
    with await_log(settings, engine, stop, beat) as source:
        if source is not None:
            loop_over(settings, engine, source).run(stop, settings.poll_seconds, beat)


def _notify(settings: Settings, engine: Engine, stop: ShutdownSignal, beat: Beat) -> None:
    from services.delivery.kafka import sender  # noqa: PLC0415 - Kafka's client takes long to load

    Notifier(engine, lambda: sender(settings, engine)).run(stop, settings.poll_seconds, beat)


PARTS: Mapping[str, Part] = {"projector": _project, "notifier": _notify}


PAUSE_SECONDS = 1.0


LOOK_UP_SECONDS = 0.5
"""Python acts on a signal in the main thread, and the system may give it to another, which does not wake this one."""


def await_database(settings: Settings, stop: ShutdownSignal) -> Engine | None:
    """Open the database, waiting for a server that is away; None if *stop* is set before it comes."""
    while not stop.is_set():
        try:
            return concluded(settings)
        except OperationalError as problem:
            if settings.database_url.startswith("sqlite"):
                raise
            # With its text: here it can be a wrong name or password too, which waiting does not cure.
            log.warning("database_failed", error=str(problem.orig).strip(), pause_seconds=PAUSE_SECONDS)
            stop.wait(PAUSE_SECONDS)
    return None


def serve(parts: Sequence[str], settings: Settings, engine: Engine, stop: ShutdownSignal) -> None:
    """Work beside the main thread, which has to be free for signals while a database keeps the others waiting."""
    if settings.log == "kafka":
        import_module("kafka")  # its modules name each other in a circle, and fail where two threads load them at once
    hearts = {part: Heartbeat() for part in parts}
    with _watched(settings, engine, hearts), ThreadPoolExecutor(thread_name_prefix="casetrail") as pool:
        working = [pool.submit(PARTS[part], settings, engine, stop, hearts[part].beat) for part in parts]
        try:
            while not (stop.is_set() or wait(working, LOOK_UP_SECONDS, FIRST_COMPLETED).done):
                pass
        finally:
            stop.set()
            while wait(working, LOOK_UP_SECONDS).not_done:
                pass
    for part in working:
        part.result()


def _watched(settings: Settings, engine: Engine, hearts: Mapping[str, Heartbeat]) -> AbstractContextManager[None]:
    """Serve the metrics of the parts while a block runs, if CASETRAIL_METRICS_PORT is set."""
    if settings.metrics_port is None:
        return nullcontext()
    from services.operate.metrics import watched  # noqa: PLC0415 - Prometheus' client takes a tenth of the time to begin

    return watched(settings, engine, hearts, settings.metrics_port)
