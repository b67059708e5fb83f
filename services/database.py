"""Open the database, check or migrate its schema, and say in plain words why it cannot be reached."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, column, inspect, select, table
from sqlalchemy.exc import DBAPIError

from events.errors import Infrastructure
from projections.projector.rebuild import is_due
from projections.tables.database import open_database, writing

from .settings import Settings

VERSION = table("alembic_version", column("version_num"))


# What PostgreSQL and its client say, and what to do about it; the first that fits counts.
_ADVICE = (
    ("password authentication failed", "correct the user or the password in CASETRAIL_DATABASE_URL"),
    ("no password supplied", "CASETRAIL_DATABASE_URL=postgresql+psycopg://USER:PASSWORD@HOST/NAME, or a ~/.pgpass"),
    ("no pg_hba.conf entry", "let this user come from this machine: the server's pg_hba.conf"),
    ("does not exist", "make it (CREATE ROLE, CREATE DATABASE), or correct CASETRAIL_DATABASE_URL"),
    ("does not support SSL", "without ?sslmode=require in CASETRAIL_DATABASE_URL, or turn TLS on in the server"),
    ("certificate", "name whom to trust: ?sslmode=verify-full&sslrootcert=FILE in CASETRAIL_DATABASE_URL"),
    ("failed to resolve host", "correct the name of the machine, or see that DNS or /etc/hosts knows it here"),
    ("could not translate host", "correct the name of the machine, or see that DNS or /etc/hosts knows it here"),
    ("Connection refused", "start the server, or correct the machine and the port in CASETRAIL_DATABASE_URL"),
    ("No such file or directory", "start the server, or name its machine: CASETRAIL_DATABASE_URL has none"),
    ("timeout", "see that no firewall is between, and that the server is well"),
    ("too many clients", "raise the server's max_connections, or run fewer processes"),
    ("starting up", "wait a moment"),
    ("permission denied", "let this user use the schema and its tables (GRANT)"),
)


def existing(settings: Settings) -> Engine:
    """
    Open the database, whatever its schema is.

    Raises:
        Infrastructure: if there is none.
    """
    engine = open_database(settings.database_url)
    if engine.dialect.name == "sqlite" and engine.url.database and not os.path.exists(engine.url.database):  # noqa: PTH110
        msg = f"there is no database {engine.url.database} (run `casetrail init`, or set CASETRAIL_DATABASE_URL)"
        raise Infrastructure(msg)
    return engine


def migrated(settings: Settings) -> Engine:
    """
    Open the database and check that its schema is this release's.

    Raises:
        Infrastructure: if it cannot be reached, is not there, or wants `casetrail init`.
    """
    engine = existing(settings)
    with _disposed_on_failure(engine):
        current, wanted = revisions(engine)
        if current != wanted:
            msg = f"the database's schema is at {current or 'nothing'}, this release wants {wanted} "
            raise Infrastructure(msg + "(run `casetrail init`)")
    return engine


def concluded(settings: Settings) -> Engine:
    """
    Open the database and check that its schema is this release's, and its statuses are concluded.

    Raises:
        Infrastructure: if it cannot be reached, is not there, or wants `casetrail init`.
    """
    engine = migrated(settings)
    with _disposed_on_failure(engine):
        if is_due(engine):
            msg = "the statuses were concluded by an earlier release (run `casetrail init`, which concludes them again)"
            raise Infrastructure(msg)
    return engine


def migrate(engine: Engine) -> None:
    """
    Run the migrations that *engine*'s database has not had; safe to repeat, and at the same time.

    Raises:
        Infrastructure: if its schema is one that this release does not know.
    """
    from alembic import command  # noqa: PLC0415 - a tenth of the time that a command takes to begin
    from alembic.config import Config  # noqa: PLC0415 - the same
    from alembic.util import CommandError  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(_location()))
    before, _ = revisions(engine)
    try:
        with writing(engine) as conn:
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
    except CommandError as problem:
        msg = f"the database's schema is at {before}, which this release does not know ({problem}; use a newer release)"
        raise Infrastructure(msg) from problem


def revisions(engine: Engine) -> tuple[str | None, str]:
    """Return the schema revision that the database has (None: none) and the one this release wants."""
    with engine.connect() as conn:
        current = conn.scalar(select(VERSION)) if inspect(conn).has_table(VERSION.name) else None
    return current, max(path.name.partition("_")[0] for path in (_location() / "versions").glob("*.py"))


@contextmanager
def _disposed_on_failure(engine: Engine) -> Iterator[None]:
    """Close the connections of *engine* if the block fails."""
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _location() -> Path:
    """Return where the migrations lie: beside this file where it is installed, at the top in a checkout."""
    here = Path(__file__).parent
    return here / "migrations" if (here / "migrations").is_dir() else here.parent / "alembic"


def database_trouble(problem: DBAPIError) -> tuple[str, str]:
    """Return what the database said, in one line, and what to do about it."""
    said = " ".join(str(problem.orig).split())
    advice = next((advice for words, advice in _ADVICE if words in said), "see that it runs and is reachable")
    return f"does not answer: {said}", advice


def failed_with(problem: Exception) -> str:
    """
    Return what has failed, for a log: the kind of *problem*, and what the database says of it.

    That is a code, PostgreSQL's or SQLite's; words only PostgreSQL's of a connection that failed, since others may hold
    what is in rows.
    """
    kind, said = type(problem).__name__, getattr(problem, "orig", None)
    code: Any = getattr(said, "sqlstate", None) or getattr(said, "sqlite_errorname", None)
    if code is None and isinstance(said, psycopg.Error):
        code = " ".join(str(said).split())
    return f"{kind}: {code}" if code else kind
