"""How the database is opened, and the few statements that differ between SQLite and PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Table, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from events.errors import Infrastructure

BUSY_SECONDS = 120


def open_database(url: str) -> Engine:
    """
    Open the database at *url*, a SQLAlchemy URL of SQLite or of PostgreSQL with psycopg 3.

    SQLite: WAL, synchronous=FULL, and BEGIN IMMEDIATE for whoever writes, so that two writers wait for each
    other instead of failing when the second one finds the first's lock.

    Raises:
        Infrastructure: if the URL names another database or cannot be read.
    """
    memory = url in {"sqlite://", "sqlite:///:memory:"}
    try:
        engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"), **_pool(memory=memory))
    except Exception as problem:
        msg = f"database URL not usable: {problem} (want sqlite:///FILE or postgresql+psycopg://...)"
        raise Infrastructure(msg) from problem
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name != "postgresql":
        msg = f"database {engine.dialect.name} is not supported (want sqlite or postgresql)"
        raise Infrastructure(msg)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that is going to write; commit at the end, roll back on any error."""
    with engine.execution_options(casetrail_writes=True).begin() as conn:
        yield conn


def database_clock(conn: Connection) -> datetime:
    """Return the database's own clock, aware UTC; SQLite has none but this machine's."""
    if conn.dialect.name == "sqlite":
        return datetime.now(UTC)
    now = conn.scalar(select(func.clock_timestamp()))
    assert isinstance(now, datetime), "PostgreSQL has a clock"
    return now.astimezone(UTC)


def upsert(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert *rows*, each with every column; a row whose key is there replaces it."""
    if rows:
        conn.execute(_upsert(table, conn.dialect.name), rows)


@cache
def _upsert(table: Table, dialect: str) -> Executable:
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
    keys = [column.name for column in table.primary_key]
    changed = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=changed)


def _pool(*, memory: bool) -> dict[str, Any]:
    # A database in memory lives as long as its one connection.
    return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}} if memory else {}


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


def is_passing(problem: Exception) -> bool:
    """Whether a database error is worth trying again: a lost connection or a lock, not a wrong statement."""
    return isinstance(problem, OperationalError)
