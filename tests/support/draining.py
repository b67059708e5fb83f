"""The embedded log, projected to its end inside the test."""

from sqlalchemy import Engine

from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import Checkpoint
from services.log.local import LocalReader
from services.workers.projector_loop import Loop
from tests.support.rules import dismissals


def drain(
    engine: Engine, batch_records: int = 100, clock_margin_seconds: float = 60, rules: Rulebook | None = None
) -> Checkpoint:
    """Project the whole log of the database, with two rules about dismissals or with *rules*; return the checkpoint."""
    source = LocalReader(engine)
    book = rules or dismissals()
    loop = Loop(engine, book, source, batch_records=batch_records, clock_margin_seconds=clock_margin_seconds)
    (held,) = loop.drain(source.ends([0]))
    return held
