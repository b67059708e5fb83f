"""Inserts of many rows at once: an INSERT of many rows on SQLite, an INSERT from JSON or a COPY on PostgreSQL."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import psycopg
from pydantic_core import to_json
from sqlalchemy import Connection, Dialect, LargeBinary, Table
from sqlalchemy.exc import DBAPIError

from .schema import column_names

FEW_ROWS = 50
"""The largest number of rows to send as one JSON array. A DELETE and a COPY of few rows take more round trips."""

STATEMENTS: Final = 256
"""
The statements of each kind that are kept, far more than a process with one database has.

Each keeps the dialect of its engine, with 250 kB of SQLAlchemy's memos. Without a limit, a process that opens one
database after the other, as tests do, grew by gigabytes.
"""


def store(conn: Connection, table: Table, rows: Sequence[Sequence[Any]], *, replace: bool = False) -> None:
    """
    Insert *rows*. Each has a value for every column of *table*, in the order of the columns.

    The rows go to the driver directly. A batch has thousands of rows, and SQLAlchemy takes longer to prepare them than
    the database takes to write them.

    Args:
        conn: a transaction that writes.
        table: the table.
        rows: as Python values: aware datetimes, JSON values, bytes.
        replace: whether a row replaces one with the same key.
    """
    if not rows:
        return
    if conn.dialect.name == "sqlite":
        statement, conversions = _insert_values(table, conn.dialect, replace)
        conn.exec_driver_sql(statement, [_converted(row, conversions) for row in rows])
    elif len(rows) <= FEW_ROWS:
        statement, names, binary = _insert_json(table, conn.dialect, replace)
        items = [dict(zip(names, _as_hex(row, binary), strict=True)) for row in rows]
        conn.exec_driver_sql(statement, (to_json(items).decode(),))
    else:
        if replace:
            indexes, delete = _delete_by_key(table, conn.dialect)
            conn.exec_driver_sql(delete, tuple([row[index] for row in rows] for index in indexes))
        _copy(conn, table, rows)


@lru_cache(STATEMENTS)
def _insert_values(
    table: Table,
    dialect: Dialect,
    replace: bool,  # noqa: FBT001 - a key of the cache
) -> tuple[str, tuple[tuple[int, Callable[[Any], Any]], ...]]:
    """Return the text of SQLite's insert and, by the number of the column, the conversion to a value of the driver."""
    marks = ", ".join("?" * len(table.columns))
    statement = _insert(table, dialect, f"VALUES ({marks})", replace=replace)
    # The driver takes bytes without a conversion.
    others = ((n, column.type) for n, column in enumerate(table.columns) if not isinstance(column.type, LargeBinary))
    processors = ((n, type_.dialect_impl(dialect).bind_processor(dialect)) for n, type_ in others)
    return statement, tuple((n, processor) for n, processor in processors if processor)


@lru_cache(STATEMENTS)
def _insert_json(
    table: Table,
    dialect: Dialect,
    replace: bool,  # noqa: FBT001 - a key of the cache
) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    """
    Return the text of PostgreSQL's insert of rows as one JSON array, the names in it, and the columns with bytes.

    The text is the same for any number of rows and any values, so that PostgreSQL plans it once, and all rows take one
    round trip. The driver's own insert takes three for two rows or more, and a new plan where a value is null.
    """
    quoted = dialect.identifier_preparer.quote
    columns = ", ".join(quoted(column.name) for column in table.columns)
    rows = f"SELECT {columns} FROM json_populate_recordset(NULL::{quoted(table.name)}, %s::json)"  # noqa: S608 - our own names
    binary = tuple(n for n, column in enumerate(table.columns) if isinstance(column.type, LargeBinary))
    return _insert(table, dialect, rows, replace=replace), column_names(table), binary


def _insert(table: Table, dialect: Dialect, rows: str, *, replace: bool) -> str:
    """Return the text that inserts the rows of the expression *rows*, in the order of the columns."""
    quoted = dialect.identifier_preparer.quote
    names = [quoted(column.name) for column in table.columns]
    statement = f"INSERT INTO {quoted(table.name)} ({', '.join(names)}) {rows}"
    if not replace:
        return statement
    keys = [quoted(column.name) for column in table.primary_key]
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys)
    return f"{statement} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}"


def _as_hex(row: Sequence[Any], binary: Iterable[int]) -> list[Any]:
    """Return *row* with its *binary* values in the text form of PostgreSQL."""
    values = list(row)
    for index in binary:
        if values[index] is not None:
            values[index] = f"\\x{values[index].hex()}"
    return values


def _copy(conn: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Insert *rows* by PostgreSQL's COPY, which takes a third of the time of the same number of inserts."""
    statement, types = _copy_statement(table, conn.dialect)
    driver = conn.connection.driver_connection
    assert isinstance(driver, psycopg.Connection), "PostgreSQL is reached by psycopg"
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as problem:
        # As SQLAlchemy would raise it: callers tell a race, a bad row and a lost connection apart by its errors.
        gone = driver.closed
        if gone:
            conn.invalidate(problem)
        raise DBAPIError.instance(
            statement.decode(), None, problem, psycopg.Error, connection_invalidated=gone, dialect=conn.dialect
        ) from problem


@lru_cache(STATEMENTS)
def _delete_by_key(table: Table, dialect: Dialect) -> tuple[list[int], str]:
    """Return the numbers of the key's columns, and PostgreSQL's statement that deletes rows by their keys."""
    keys = [column.name for column in table.primary_key]
    arrays = ", ".join(f"%s::{column.type.compile(dialect)}[]" for column in table.primary_key)
    same = " AND ".join(f"{table.name}.{key} = gone.{key}" for key in keys)
    statement = f"DELETE FROM {table.name} USING unnest({arrays}) AS gone({', '.join(keys)}) WHERE {same}"  # noqa: S608 - our own names
    return [table.columns.keys().index(key) for key in keys], statement


@lru_cache(STATEMENTS)
def _copy_statement(table: Table, dialect: Dialect) -> tuple[bytes, list[str]]:
    """Return the text of the COPY, and the columns' types by PostgreSQL's names."""
    quote = dialect.identifier_preparer.quote
    names = ", ".join(quote(column.name) for column in table.columns)
    types = [column.type.compile(dialect).lower() for column in table.columns]
    return f"COPY {quote(table.name)} ({names}) FROM STDIN (FORMAT BINARY)".encode(), types


def _converted(row: Sequence[Any], conversions: tuple[tuple[int, Callable[[Any], Any]], ...]) -> tuple[Any, ...]:
    values = list(row)
    for index, convert in conversions:
        if values[index] is not None:
            values[index] = convert(values[index])
    return tuple(values)
