"""The embedded log, projected to its end inside the test."""

from sqlalchemy import Engine

from projections.tables.checkpoint import Checkpoint
from services.log.local import LocalReader
from services.workers.projector_loop import Loop
from tests.support.rules import dismissals


def drain(engine: Engine, batch_records: int = 100, clock_margin_seconds: float = 60) -> Checkpoint:
    """Project the whole log of the database, and return the checkpoint."""
    source = LocalReader(engine)
    loop = Loop(engine, dismissals(), source, batch_records=batch_records, clock_margin_seconds=clock_margin_seconds)
    (held,) = loop.drain(source.ends([0]))
    return held
