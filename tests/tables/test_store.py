"""What goes wrong while rows are stored comes as SQLAlchemy's errors, whichever way the rows go to the database."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
from sqlalchemy import Engine, Table, func, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from projections.tables import database
from projections.tables.bulk import FEW_ROWS, store
from projections.tables.checkpoint import Checkpoint
from projections.tables.database import AWAY, open_database, writing
from projections.tables.origin import note_partitions, progress_of
from projections.tables.part_rows import part_rows
from projections.tables.schema import LIVE, outbox, partitions
from services.database import migrate
from tests.support.builders import charged, history, status, told

ROWS = [tuple(vars(Checkpoint("two", number)).values()) for number in range(FEW_ROWS + 1)]
SIZES = pytest.mark.parametrize("rows", [ROWS[:1], ROWS], ids=["few", "many"])


@SIZES
def test_a_row_that_is_there_already_is_an_integrity_error(engine: Engine, rows: list[Any]) -> None:
    """By which a race with another projector is told from a bad record."""
    note_partitions(engine, "two", 1)

    with pytest.raises(IntegrityError), writing(engine) as conn:
        store(conn, partitions, rows)
    assert ["two"] == [each.topic for each in progress_of(engine, "two")]


@SIZES
def test_a_connection_that_is_cut_is_an_operational_error(postgres_url: str, rows: list[Any]) -> None:
    """So that it is waited for, and no record is taken for bad; the next transaction has a connection of its own."""
    engine = open_database(postgres_url)
    migrate(engine)
    with pytest.raises(OperationalError):
        store_over_a_cut(engine, rows)
    with writing(engine) as conn:
        store(conn, partitions, rows)
    engine.dispose()


@pytest.mark.parametrize("count", [1, FEW_ROWS + 1])
@pytest.mark.parametrize("table", [LIVE.cases, LIVE.counts], ids=["key of texts", "key with a number"])
def test_few_rows_and_many_take_the_place_of_those_with_their_keys(engine: Engine, table: Table, count: int) -> None:
    """They hold what was given, whichever way they went; a count has its number in the key."""
    names = [f"{n:03}" for n in range(count)]
    opened = [charged("2022-03-27", case=name, id=name, charges=[{"title": "взятка"}]) for name in names]
    ended = [told("CaseClosed", "2022-04-27", case=name, id=f"end {name}", authority="court") for name in names]
    for lines in (opened, [*opened, *ended]):
        rows = dict(zip(LIVE.parts, part_rows("s", status(*lines), history(*lines)), strict=True))[table]
        with writing(engine) as conn:
            store(conn, table, rows, replace=True)
        with engine.connect() as conn:
            there = conn.execute(select(table).order_by(*table.primary_key))
            assert rows == [tuple(row) for row in there]


def test_a_connection_that_was_cut_while_it_rested_is_not_given_out(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restart of the database; one that was in use a moment ago is not asked."""
    monkeypatch.setattr(database, "RESTED_SECONDS", 0.0)
    engine, other = open_database(postgres_url), open_database(postgres_url)
    with engine.connect() as conn:
        mine = conn.scalar(select(func.pg_backend_pid()))
    with other.connect() as conn:
        conn.execute(text("SELECT pg_terminate_backend(:pid, 60000)"), {"pid": mine})
    with engine.connect() as conn:
        assert mine != conn.scalar(select(func.pg_backend_pid()))
    for each in (engine, other):
        each.dispose()


def test_a_writer_that_is_frozen_does_not_lock_others_out(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its locks are taken from it after a while, and it cannot go on where it was."""
    monkeypatch.setattr(database, "IDLE_SECONDS", 1)
    one, other = open_database(postgres_url), open_database(postgres_url)
    migrate(one)
    note_partitions(one, "two", 1)
    with pytest.raises(AWAY):
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


def store_over_a_cut(engine: Engine, rows: list[Any]) -> None:
    """Store *rows* on a connection that the database ends before."""
    with writing(engine) as conn:
        mine = conn.scalar(select(func.pg_backend_pid()))
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        store(conn, partitions, rows)


@pytest.mark.parametrize("count", [1, 2, FEW_ROWS + 1])
def test_bytes_and_texts_come_back_as_they_were(engine: Engine, count: int) -> None:
    """Whatever is in them that a form on the way might take for its own."""
    odd = 'взятка "\\u0041" \\x41 \\\\ {"a": 1}\n\x7f😀'
    rows = [
        (0, n, "forward", f"{n}{odd}", odd, None, {odd: [odd, 0.1, 2**53 - 1, None]}, 2, b"", [[odd, None]], value)
        for n, value in zip(range(count), cycle((bytes(range(256)), b"\\x41", None)), strict=False)
    ]
    with writing(engine) as conn:
        store(conn, outbox, rows)
    with engine.connect() as conn:
        assert rows == [tuple(row) for row in conn.execute(select(outbox).order_by(outbox.c.n))]
