"""The types of columns, and groups of columns that several tables share."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Integer, MetaData, Text, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Json = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
Big = BigInteger().with_variant(Integer, "sqlite")


class Instant(TypeDecorator[datetime]):
    """
    An instant: ``timestamptz`` in PostgreSQL, and text such as ``2022-04-27T08:00:00.000000Z`` in SQLite.

    The text has one width, so that text order is time order. SQLite's own date functions read it.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type in the database: text where it has no type for instants."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """Return the conversion to the database; None where the driver takes aware datetimes."""
        return _to_text if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Return the conversion from the database. The result is always aware and UTC."""
        del coltype
        return _from_text if dialect.name == "sqlite" else _to_utc


# The same days and stamps are converted many times.
@lru_cache(maxsize=65536)
def _to_text(instant: datetime | None) -> str | None:
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


@lru_cache(maxsize=65536)
def _from_text(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)


def _to_utc(stored: datetime | None) -> datetime | None:
    return None if stored is None else stored.astimezone(UTC)


def cell(name: str, words: str) -> list[Column[Any]]:
    """Return the columns of one status and of the fact it rests on; *words* is the comment with its words."""
    return [Column(f"{name}_status", Text, comment=words), *since(f"{name}_", "it can have begun")]


def since(prefix: str, event: str) -> list[Column[Any]]:
    """Return the columns of a beginning: the source's text, the instants, the fact and the number of reports."""
    return [
        Column(f"{prefix}since", Text, comment="the date as the source wrote it (EDTF)"),
        Column(f"{prefix}since_earliest", Instant, comment=f"earliest instant {event}; null: not known"),
        Column(f"{prefix}since_latest", Instant, comment=f"latest instant {event}; null: not known"),
        Column(f"{prefix}fact_id", Text, comment="the fact it rests on"),
        Column(f"{prefix}facts", Integer, comment="how many facts report that event"),
    ]


def numbered(noun: str) -> list[Column[Any]]:
    """Return the columns of the key of a table with several rows a person; *noun* is the word for a row."""
    return [
        Column("subject_id", Text, primary_key=True, comment="the person"),
        Column("n", Integer, primary_key=True, autoincrement=False, comment=f"number of the {noun}, from 0"),
    ]
