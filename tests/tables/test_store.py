"""Rows are stored as they are, and failures are SQLAlchemy's errors, for few rows and for many."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
from sqlalchemy import Engine, Table, func, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from projections.tables import database
from projections.tables.bulk import FEW_ROWS, store
from projections.tables.checkpoint import Checkpoint
from projections.tables.database import UNAVAILABLE, open_database, write_transaction
from projections.tables.origin import note_partitions, progress_of
from projections.tables.part_rows import part_rows
from projections.tables.schema import LIVE, outbox, partitions
from services.database import migrate
from tests.support.builders import charged, history, stated, status

ROWS = [tuple(vars(Checkpoint("two", number)).values()) for number in range(FEW_ROWS + 1)]
SIZES = pytest.mark.parametrize("rows", [ROWS[:1], ROWS], ids=["few", "many"])


@SIZES
def test_a_row_with_an_existing_key_is_an_integrity_error(engine: Engine, rows: list[Any]) -> None:
    """The projector tells a race with another projector from a bad record by this error."""
    note_partitions(engine, "two", 1)

    with pytest.raises(IntegrityError), write_transaction(engine) as conn:
        store(conn, partitions, rows)
    assert ["two"] == [each.topic for each in progress_of(engine, "two")]


@SIZES
def test_a_lost_connection_is_an_operational_error(postgres_url: str, rows: list[Any]) -> None:
    """The projector then waits and blames no record; the next transaction has a new connection."""
    engine = open_database(postgres_url)
    migrate(engine)
    with pytest.raises(OperationalError):
        store_over_a_cut(engine, rows)
    with write_transaction(engine) as conn:
        store(conn, partitions, rows)
    engine.dispose()


@pytest.mark.parametrize("count", [1, FEW_ROWS + 1])
@pytest.mark.parametrize("table", [LIVE.cases, LIVE.counts], ids=["key of texts", "key with a number"])
def test_few_rows_and_many_replace_those_with_their_keys(engine: Engine, table: Table, count: int) -> None:
    """The stored rows are the new ones; a count has its number in the key."""
    names = [f"{n:03}" for n in range(count)]
    opened = [charged("2022-03-27", case=name, id=name, charges=[{"title": "взятка"}]) for name in names]
    ended = [stated("CaseClosed", "2022-04-27", case=name, id=f"end {name}", authority="court") for name in names]
    for lines in (opened, [*opened, *ended]):
        rows = dict(zip(LIVE.parts, part_rows("s", status(*lines), history(*lines)), strict=True))[table]
        with write_transaction(engine) as conn:
            store(conn, table, rows, replace=True)
        with engine.connect() as conn:
            stored = conn.execute(select(table).order_by(*table.primary_key))
            assert rows == [tuple(row) for row in stored]


def test_a_connection_that_was_lost_in_the_pool_is_replaced(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database may have restarted. A connection that was used a moment ago is not tested."""
    monkeypatch.setattr(database, "PING_AFTER_SECONDS", 0.0)
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
    """PostgreSQL releases its locks after a while, and its transaction fails."""
    monkeypatch.setattr(database, "IDLE_SECONDS", 1)
    one, other = open_database(postgres_url), open_database(postgres_url)
    migrate(one)
    note_partitions(one, "two", 1)
    with pytest.raises(UNAVAILABLE):
        freeze_while(one, lambda: raise_epoch(other))

    assert [1] == [each.epoch for each in progress_of(other, "two")]
    for engine in (one, other):
        engine.dispose()


def test_the_database_soon_notices_that_a_machine_is_gone(postgres_url: str) -> None:
    """Keepalives begin after 15 seconds, and not after two hours."""
    engine = open_database(postgres_url)
    with engine.connect() as conn:
        seconds = conn.scalar(text("SHOW tcp_keepalives_idle"))
    engine.dispose()

    assert "15" == seconds


def raise_epoch(engine: Engine) -> None:
    """Raise the epoch of each partition, as an assignment does."""
    with write_transaction(engine) as conn:
        conn.execute(update(partitions).values(epoch=partitions.c.epoch + 1))


def freeze_while(engine: Engine, work: Callable[[], None]) -> None:
    """Lock the partitions, do nothing while *work* runs, and write again."""
    with write_transaction(engine) as conn:
        conn.execute(update(partitions).values(epoch=7))
        work()
        conn.execute(update(partitions).values(epoch=7))


def store_over_a_cut(engine: Engine, rows: list[Any]) -> None:
    """Store *rows* on a connection that the database has ended."""
    with write_transaction(engine) as conn:
        mine = conn.scalar(select(func.pg_backend_pid()))
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        store(conn, partitions, rows)


@pytest.mark.parametrize("count", [1, 2, FEW_ROWS + 1])
def test_bytes_and_texts_come_back_as_they_were(engine: Engine, count: int) -> None:
    """Characters with a meaning in JSON, in COPY or in a text of PostgreSQL stay as they are."""
    odd = 'взятка "\\u0041" \\x41 \\\\ {"a": 1}\n\x7f😀'
    rows = [
        (0, n, "forward", f"{n}{odd}", odd, None, {odd: [odd, 0.1, 2**53 - 1, None]}, 2, b"", [[odd, None]], value)
        for n, value in zip(range(count), cycle((bytes(range(256)), b"\\x41", None)), strict=False)
    ]
    with write_transaction(engine) as conn:
        store(conn, outbox, rows)
    with engine.connect() as conn:
        assert rows == [tuple(row) for row in conn.execute(select(outbox).order_by(outbox.c.n))]
