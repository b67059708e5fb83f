"""What goes wrong while rows are stored comes as SQLAlchemy's errors, whichever way the rows go to the database."""

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from projections.database import open_database, store, writing
from projections.partitioning import note_partitions, progress_of
from projections.projector import Progress
from projections.tables import partitions
from services.migrate import migrate

ROW = tuple(vars(Progress("two", 0)).values())


def test_a_row_that_is_there_already_is_an_integrity_error(engine: Engine) -> None:
    """By which a race with another projector is told from a bad record."""
    note_partitions(engine, "two", 1)

    with pytest.raises(IntegrityError), writing(engine) as conn:
        store(conn, partitions, [ROW])
    assert ["two"] == [each.topic for each in progress_of(engine, "two")]


def test_a_connection_that_is_cut_is_an_operational_error(postgres_url: str) -> None:
    """So that it is waited for, and no record is taken for bad; the next transaction has a connection of its own."""
    engine = open_database(postgres_url)
    migrate(engine)
    with pytest.raises(OperationalError):
        store_over_a_cut(engine)
    with writing(engine) as conn:
        store(conn, partitions, [ROW])
    engine.dispose()


def store_over_a_cut(engine: Engine) -> None:
    """Store a row on a connection that the database ends before."""
    with writing(engine) as conn:
        mine = conn.scalar(select(func.pg_backend_pid()))
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        store(conn, partitions, [ROW])
