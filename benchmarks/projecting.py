"""The projector in this process: its records, a new SQLite database, and its processor time."""

import gc
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from typing import Final

from sqlalchemy import Engine

from benchmarks.process import UNTIL
from events.facts import Fact
from projections.ledger.chain import LogRecord
from projections.projector.projector import Projector
from projections.rules.rulebook import Rulebook
from projections.tables.columns import METADATA
from projections.tables.database import open_database
from projections.tables.schema import TOPIC

BATCH: Final = 1000


def records_of(stamped: Iterable[tuple[Fact, bytes, datetime]]) -> list[LogRecord]:
    """Return facts, each with its line and its instant in the log, as records in the order of these instants."""
    return [
        LogRecord(TOPIC, 0, offset, at, fact.subject.encode(), None, value)
        for offset, (fact, value, at) in enumerate(sorted(stamped, key=itemgetter(2)))
    ]


@contextmanager
def new_database() -> Iterator[Engine]:
    """Yield a SQLite database with empty tables, which is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="casetrail-") as folder:
        engine = open_database(f"sqlite:///{folder}/casetrail.db")
        METADATA.create_all(engine)
        try:
            yield engine
        finally:
            engine.dispose()


def project(engine: Engine, book: Rulebook, records: Sequence[LogRecord]) -> tuple[Projector, float]:
    """Project *records* by the rules of *book*; return the projector and its seconds of processor time."""
    projector = Projector(engine, book)
    projector.assign(UNTIL)
    gc.collect()
    started = time.process_time()
    for start in range(0, len(records), BATCH):
        projector.project(records[start : start + BATCH], UNTIL)
    return projector, time.process_time() - started
