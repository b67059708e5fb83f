"""The embedded log, projected to its end within the test."""

from sqlalchemy import Engine

from projections.rules.rulebook import pack
from projections.tables.checkpoint import Checkpoint
from services.log.local import LocalReader
from services.workers.projector_loop import Loop


def drain(engine: Engine, batch_records: int = 100, clock_margin_seconds: float = 60) -> Checkpoint:
    """Project all that is in the log of the database, and say how far that is."""
    source = LocalReader(engine)
    loop = Loop(engine, pack(), source, batch_records=batch_records, clock_margin_seconds=clock_margin_seconds)
    (held,) = loop.drain(source.ends([0]))
    return held
