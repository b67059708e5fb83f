"""The parts of the service: what `casetrail run` runs, each in a thread of its own until it is asked to stop."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Engine

from events.errors import BadInput
from services.loop import Loop
from services.relay import Relay
from services.settings import Settings
from services.source import Source
from services.sources import awaited
from services.stopping import Stop

from .app import rulebook

Beat = Callable[[], None]
Part = Callable[[Settings, Engine, Stop, Beat], None]
"""Works on the database, as the settings have it, until it is asked to stop, and shows life each turn."""


def chosen_parts(chosen: Settings, named: Sequence[str]) -> Sequence[str]:
    """
    Return the parts to run: those *named*, else all that the log of the settings has work for.

    Raises:
        BadInput: if one that is named has none.
    """
    if chosen.log == "local":
        if "notifier" in named:
            msg = "the notifier sends to Kafka, and the log is local (`casetrail alerts --follow` gives its notices)"
            raise BadInput(msg, "CASETRAIL_LOG=kafka")
        return named or ["projector"]
    return named or [*PARTS]


def loop_over(chosen: Settings, engine: Engine, source: Source) -> Loop:
    """Return the projectors' loop over *source*, as the settings have it."""
    return Loop(
        engine,
        rulebook(chosen),
        source,
        batch_records=chosen.batch_records,
        clock_margin_seconds=chosen.clock_margin_seconds,
        cache_facts=chosen.cache_facts,
    )


def _project(chosen: Settings, engine: Engine, stop: Stop, beat: Beat) -> None:
    with awaited(chosen, engine, stop, beat) as source:
        if source is not None:
            loop_over(chosen, engine, source).run(stop, chosen.poll_seconds, beat)


def _notify(chosen: Settings, engine: Engine, stop: Stop, beat: Beat) -> None:
    from services.broker.sending import sender  # noqa: PLC0415 - Kafka's client takes long to load

    Relay(engine, lambda: sender(chosen, engine)).run(stop, chosen.poll_seconds, beat)


PARTS: Mapping[str, Part] = {"projector": _project, "notifier": _notify}
