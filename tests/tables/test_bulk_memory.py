"""The statements of inserts that are kept for the next batch."""

import gc
from weakref import ReferenceType, ref

from sqlalchemy import Dialect

from projections.tables.bulk import STATEMENTS, store
from projections.tables.database import open_database, write_transaction
from projections.tables.delivery.schema import mutes
from tests.support.strategies import NOW


def stored_once() -> ReferenceType[Dialect]:
    """Store a row in a database that is then closed; return a weak reference to its dialect."""
    engine = open_database("sqlite://")
    mutes.create(engine)
    with write_transaction(engine) as conn:
        store(conn, mutes, [("ann@example.org", NOW)])
    engine.dispose()
    return ref(engine.dialect)


def test_a_database_that_is_closed_is_forgotten_in_time() -> None:
    """The statements keep its dialect and all of its memos: a process with many databases would grow without end."""
    dialects = [stored_once() for _ in range(STATEMENTS + 1)]
    gc.collect()

    assert dialects[0]() is None
    assert dialects[-1]() is not None
