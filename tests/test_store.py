"""What goes wrong while rows are stored comes as SQLAlchemy's errors, whichever way the rows go to the database."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from projections import database
from projections.database import open_database, store, writing
from projections.partitioning import note_partitions, progress_of
from projections.projector import Progress
from projections.tables import partitions
from services.loop import DATABASE_AWAY
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


def test_a_writer_that_is_frozen_does_not_lock_others_out(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its locks are taken from it after a while, and it cannot go on where it was."""
    monkeypatch.setattr(database, "IDLE_SECONDS", 1)
    one, other = open_database(postgres_url), open_database(postgres_url)
    migrate(one)
    note_partitions(one, "two", 1)
    with pytest.raises(DATABASE_AWAY):
        freeze_while(one, lambda: raise_epoch(other))

    assert [1] == [each.epoch for each in progress_of(other, "two")]
    for engine in (one, other):
        engine.dispose()


def test_a_machine_that_is_gone_is_soon_known_to_be(postgres_url: str) -> None:
    """The database asks after it, and not only after two hours."""
    engine = open_database(postgres_url)
    with engine.connect() as conn:
        asked = conn.scalar(text("SHOW tcp_keepalives_idle"))
    engine.dispose()

    assert "15" == asked


def raise_epoch(engine: Engine) -> None:
    """Take a partition over."""
    with writing(engine) as conn:
        conn.execute(update(partitions).values(epoch=partitions.c.epoch + 1))


def freeze_while(engine: Engine, work: Callable[[], None]) -> None:
    """Lock a partition, do nothing while *work* goes on, and go on then."""
    with writing(engine) as conn:
        conn.execute(update(partitions).values(epoch=7))
        work()
        conn.execute(update(partitions).values(epoch=7))


def store_over_a_cut(engine: Engine) -> None:
    """Store a row on a connection that the database ends before."""
    with writing(engine) as conn:
        mine = conn.scalar(select(func.pg_backend_pid()))
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        store(conn, partitions, [ROW])
