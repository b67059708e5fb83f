"""How the database is opened, and the few statements that differ between SQLite and PostgreSQL."""

import json
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
from psycopg.types.json import set_json_dumps
from pydantic_core import from_json, to_json
from sqlalchemy import (
    ARRAY,
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Text,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, InternalError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, StaticPool

from events.errors import Infrastructure

BUSY_SECONDS = 120
IDLE_SECONDS = 60
"""How long PostgreSQL keeps the locks of a writer that is not heard of: one that is frozen holds the others up."""

LOOKED_UP = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off"
"""
What a batch asks about thousands of keys is looked up in an index key by key, whatever the tables hold. As PostgreSQL
would have it, a whole table is walked each time as long as it takes one that has grown since for small. Whoever reads
may be given such a connection: a condition of a partial index has to be words and no parameter. Walking is forbidden by
a high price, and for what is dear PostgreSQL would compile its plans.
"""

WALKED = "SET LOCAL plan_cache_mode = auto; SET LOCAL enable_seqscan = on"

AWAY = (OperationalError, InterfaceError, InternalError, NoConnection)
"""What a database raises that is away, restarted, full or read-only, whatever is asked of it."""

RESTED_SECONDS = 1.0

KEEPALIVE = "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
"""So that it soon knows of a machine that is gone without a word; by its own settings it takes two hours."""


def open_database(url: str | URL) -> Engine:
    """
    Open the database at *url*, a SQLAlchemy URL of SQLite or of PostgreSQL with psycopg 3.

    SQLite: WAL, synchronous=FULL, and BEGIN IMMEDIATE for whoever writes, so that two writers wait for each
    other instead of failing when the second one finds the first's lock.

    Raises:
        Infrastructure: if the URL names another database or cannot be read.
    """
    memory = url in {"sqlite://", "sqlite:///:memory:"}
    try:
        engine = create_engine(
            url,
            # Several times faster than the standard library's, for the same text but for its spaces.
            json_serializer=lambda value: to_json(value).decode(),
            json_deserializer=from_json,
            **_pool(memory=memory),
        )
    except Exception as problem:
        msg = f"database URL not usable: {problem} (want sqlite:///FILE or postgresql+psycopg://...)"
        raise Infrastructure(msg) from problem
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _configure_postgresql)
        event.listen(engine, "checkin", _note_return)
        event.listen(engine, "checkout", _see_that_it_lives)
    else:
        msg = f"database {engine.dialect.name} is not supported (want sqlite or postgresql)"
        raise Infrastructure(msg)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """
    Begin a transaction that is going to write; commit at the end, roll back on any error.

    PostgreSQL ends it if nothing is asked of it for a minute, so that a frozen writer does not lock others out.
    """
    with engine.connect().execution_options(casetrail_writes=True) as conn:
        if conn.dialect.name == "postgresql" and "casetrail_writes" not in conn.info:
            conn.exec_driver_sql(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'; {LOOKED_UP}")
            conn.commit()
            conn.info["casetrail_writes"] = True
        with conn.begin():
            yield conn


def unhurried(conn: Connection) -> None:
    """Let the transaction of *conn*, which writes, walk whole tables, and think between two statements as it needs."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = 0; {WALKED}")


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that reads, and goes on seeing the database as it is now whatever others write."""
    level = "REPEATABLE READ" if engine.dialect.name == "postgresql" else "SERIALIZABLE"
    with engine.connect() as conn:
        yield conn.execution_options(isolation_level=level)


def plan_anew(conn: Connection) -> None:
    """Have the questions of the transaction of *conn* planned for tables as they are now, and not as they once were."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("DISCARD PLANS")


def database_clock(conn: Connection) -> datetime:
    """Return the database's own clock, aware UTC; SQLite has none but this machine's."""
    if conn.dialect.name == "sqlite":
        return datetime.now(UTC)
    now = conn.scalar(select(func.clock_timestamp()))
    assert isinstance(now, datetime), "PostgreSQL has a clock"
    return now.astimezone(UTC)


def among(dialect: str, column: Column[Any]) -> ColumnElement[bool]:
    """
    Return the condition that *column* is one of the values of `given`: one parameter, however many thousands they are.

    For a statement that is built once and executed often.
    """
    if dialect == "sqlite":
        values = func.json_each(bindparam("values", type_=Text()))
        return column.in_(select(values.table_valued("value").c.value))
    return column == any_(bindparam("values", type_=ARRAY(Text)))


def given(conn: Connection, values: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of a statement with the condition `among`."""
    found = list(values)
    return {"values": json.dumps(found) if conn.dialect.name == "sqlite" else found}


def _pool(*, memory: bool) -> dict[str, Any]:
    # A database in memory lives as long as its one connection.
    return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}} if memory else {}


def _configure_postgresql(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # SQLAlchemy has set its own, which makes a text where the driver wants bytes.
    set_json_dumps(to_json, cast("psycopg.Connection", connection))
    cursor = connection.cursor()
    cursor.execute(KEEPALIVE)
    cursor.close()
    connection.commit()


def _note_return(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["casetrail_returned"] = time.monotonic()


def _see_that_it_lives(connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
    """Ask a connection that has rested for long whether it lives; asking each time costs as much as a query."""
    if time.monotonic() - record.info.get("casetrail_returned", math.inf) > RESTED_SECONDS:
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT 1")
            connection.rollback()
        except psycopg.Error as problem:
            raise InvalidatePoolError from problem


def _configure_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by itself: it would begin them without IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.close()


def _begin_sqlite(conn: Connection) -> None:
    writes = conn.get_execution_options().get("casetrail_writes", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
