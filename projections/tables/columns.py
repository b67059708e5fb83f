"""The kinds of column that the tables have, and the columns that several of them share."""

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
    An instant: ``timestamptz`` in PostgreSQL; in SQLite text of one width, ``2022-04-27T08:00:00.000000Z``.

    One width, so that text order is time order and SQLite's own date functions read it.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Store as text where the database has no instants."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """Return the way in; nothing to do where the driver takes aware datetimes."""
        return _to_text if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Return the way out: always aware, always UTC."""
        del coltype
        return _from_text if dialect.name == "sqlite" else _to_utc


# Days and stamps come again and again.
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


def cell(name: str, what: str) -> list[Column[Any]]:
    """Return the columns of one status and of the fact it rests on; *what* says which words it has."""
    return [Column(f"{name}_status", Text, comment=what), *since(f"{name}_", "it can have begun")]


def since(prefix: str, what: str) -> list[Column[Any]]:
    """Return the columns that say since when, as the source wrote it and as instants, and what it rests on."""
    return [
        Column(f"{prefix}since", Text, comment="the date as the source wrote it (EDTF)"),
        Column(f"{prefix}since_earliest", Instant, comment=f"earliest instant {what}; null: not known"),
        Column(f"{prefix}since_latest", Instant, comment=f"latest instant {what}; null: not known"),
        Column(f"{prefix}fact_id", Text, comment="the fact it rests on"),
        Column(f"{prefix}facts", Integer, comment="how many facts report that event"),
    ]


def numbered(what: str) -> list[Column[Any]]:
    """Return the key of a table with several rows a person."""
    return [
        Column("subject_id", Text, primary_key=True, comment="the person"),
        Column("n", Integer, primary_key=True, autoincrement=False, comment=f"number of the {what}, from 0"),
    ]
