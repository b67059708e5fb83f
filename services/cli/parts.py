"""The parts of the service: what `casetrail run` runs, each in a thread of its own until it is asked to stop."""

from collections.abc import Callable, Mapping

from sqlalchemy import Engine

from services.loop import Loop
from services.settings import Settings
from services.source import Source
from services.sources import awaited
from services.stopping import Stop

from .app import rulebook

Part = Callable[[Settings, Engine, Stop], None]
"""Works on the database, as the settings have it, until it is asked to stop."""


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


def _project(chosen: Settings, engine: Engine, stop: Stop) -> None:
    with awaited(chosen, engine, stop) as source:
        if source is not None:
            loop_over(chosen, engine, source).run(stop, chosen.poll_seconds)


PARTS: Mapping[str, Part] = {"projector": _project}
