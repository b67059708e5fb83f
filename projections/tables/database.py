"""Opening the database, transactions, and the few statements that differ between SQLite and PostgreSQL."""

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
"""Seconds after which PostgreSQL ends an idle transaction that writes. A frozen writer would hold up the others."""

INDEX_LOOKUPS = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off"
"""
Settings of a connection that writes: a batch looks up thousands of keys in an index, whatever the tables hold.

Without them PostgreSQL scans a whole table for as long as its statistics call it small, though it has grown since. A
reader may get such a connection from the pool, so the condition of a partial index must be in the text of a statement
and not in a parameter. Scans are forbidden by a high price, and for expensive plans PostgreSQL would use its compiler.
"""

FULL_SCANS = "SET LOCAL plan_cache_mode = auto; SET LOCAL enable_seqscan = on"

UNAVAILABLE = (OperationalError, InterfaceError, InternalError, NoConnection)
"""The errors of any statement on a database that is unreachable, restarted, full or read-only."""

PING_AFTER_SECONDS = 1.0
"""Seconds in the pool after which a connection is tested before use. A test costs as much as a query."""

KEEPALIVE = "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
"""Settings by which PostgreSQL soon notices that a machine is gone. With its own settings it takes two hours."""


def open_database(url: str | URL) -> Engine:
    """
    Open the database at *url*, a SQLAlchemy URL of SQLite or of PostgreSQL with psycopg 3.

    SQLite gets WAL, synchronous=FULL, and BEGIN IMMEDIATE for a transaction that writes. Two writers then wait for each
    other. Otherwise the second one would fail when it meets the lock of the first.

    Raises:
        Infrastructure: if the URL names another database or cannot be read.
    """
    memory = url in {"sqlite://", "sqlite:///:memory:"}
    try:
        engine = create_engine(
            url,
            # Several times faster than the standard library's. The text differs by its spaces only.
            json_serializer=lambda value: to_json(value).decode(),
            json_deserializer=from_json,
            **_pool(memory=memory),
        )
    except Exception as problem:
        what = f"database URL not usable: {problem}"
        raise Infrastructure(what, "want sqlite:///FILE or postgresql+psycopg://...") from problem
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _configure_postgresql)
        event.listen(engine, "checkin", _record_return)
        event.listen(engine, "checkout", _check_alive)
    else:
        what = f"database {engine.dialect.name} is not supported"
        raise Infrastructure(what, "want sqlite or postgresql")
    return engine


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """
    Begin a transaction that writes. Commit it at the end of the block, or roll it back on any error.

    PostgreSQL ends it after a minute without a statement, so that a frozen writer does not lock others out.
    """
    with engine.connect().execution_options(casetrail_writes=True) as conn:
        if conn.dialect.name == "postgresql" and "casetrail_writes" not in conn.info:
            conn.exec_driver_sql(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'; {INDEX_LOOKUPS}")
            conn.commit()
            conn.info["casetrail_writes"] = True
        with conn.begin():
            yield conn


def allow_full_scans(conn: Connection) -> None:
    """Allow scans of whole tables, and any time between two statements, until the transaction of *conn* ends."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = 0; {FULL_SCANS}")


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that reads. It sees one state of the database until its end."""
    level = "REPEATABLE READ" if engine.dialect.name == "postgresql" else "SERIALIZABLE"
    with engine.connect() as conn:
        yield conn.execution_options(isolation_level=level)


@contextmanager
def only_one(engine: Engine, number: int) -> Iterator[bool]:
    """
    Lock *number* among the processes of one PostgreSQL database, and yield whether no other process has the lock.

    The lock ends with the block, with the connection, or if the process is frozen for a minute. SQLite has no such
    lock: there it always yields true.
    """
    if engine.dialect.name == "sqlite":
        yield True
        return
    with engine.begin() as conn:
        conn.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        yield bool(conn.scalar(select(func.pg_try_advisory_xact_lock(number))))


def discard_plans(conn: Connection) -> None:
    """Discard the plans of the connection, so that statements are planned for the present size of the tables."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("DISCARD PLANS")


def database_clock(conn: Connection) -> datetime:
    """Return the time of the database's own clock, aware UTC. SQLite has only the clock of this machine."""
    if conn.dialect.name == "sqlite":
        return datetime.now(UTC)
    now = conn.scalar(select(func.clock_timestamp()))
    assert isinstance(now, datetime), "PostgreSQL has a clock"
    return now.astimezone(UTC)


def in_values(dialect: str, column: Column[Any]) -> ColumnElement[bool]:
    """
    Return the condition that *column* is one of the values of `values_parameter`.

    It has one parameter for any number of values, so that a statement is built once and executed often.
    """
    if dialect == "sqlite":
        values = func.json_each(bindparam("values", type_=Text()))
        return column.in_(select(values.table_valued("value").c.value))
    return column == any_(bindparam("values", type_=ARRAY(Text)))


def values_parameter(conn: Connection, values: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of a statement with the condition `in_values`."""
    listed = list(values)
    return {"values": json.dumps(listed) if conn.dialect.name == "sqlite" else listed}


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


def _record_return(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["casetrail_returned"] = time.monotonic()


def _check_alive(connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
    """
    Test a connection that was in the pool for longer than `PING_AFTER_SECONDS`.

    Raises:
        InvalidatePoolError: if it is dead; SQLAlchemy then opens another one.
    """
    if time.monotonic() - record.info.get("casetrail_returned", math.inf) > PING_AFTER_SECONDS:
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
