"""Open the database, check or migrate its schema, and explain in plain words why it cannot be reached."""

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
from projections.tables.database import open_database, write_transaction

from .settings import Settings

VERSION = table("alembic_version", column("version_num"))

# Words of PostgreSQL or its client, and the next step. The first match counts.
_ADVICE = (
    ("password authentication failed", "correct the user or the password in CASETRAIL_DATABASE_URL"),
    ("no password supplied", "CASETRAIL_DATABASE_URL=postgresql+psycopg://USER:PASSWORD@HOST/NAME, or a ~/.pgpass"),
    ("no pg_hba.conf entry", "allow this user to connect from this machine, in the server's pg_hba.conf"),
    ("does not exist", "create it (CREATE ROLE, CREATE DATABASE), or correct CASETRAIL_DATABASE_URL"),
    ("does not support SSL", "remove ?sslmode=require from CASETRAIL_DATABASE_URL, or turn TLS on in the server"),
    ("certificate", "name the certificates to trust: ?sslmode=verify-full&sslrootcert=FILE in CASETRAIL_DATABASE_URL"),
    ("failed to resolve host", "correct the name of the machine, or check that DNS or /etc/hosts has it here"),
    ("could not translate host", "correct the name of the machine, or check that DNS or /etc/hosts has it here"),
    ("Connection refused", "start the server, or correct the machine and the port in CASETRAIL_DATABASE_URL"),
    ("No such file or directory", "start the server, or name its machine: CASETRAIL_DATABASE_URL has none"),
    ("timeout", "check for a firewall in between, and check the server"),
    ("too many clients", "raise the server's max_connections, or run fewer processes"),
    ("starting up", "wait a moment"),
    ("permission denied", "allow this user to use the schema and its tables (GRANT)"),
)


def existing(settings: Settings) -> Engine:
    """
    Open the database, without a check of its schema.

    Raises:
        Infrastructure: if it is a SQLite file that does not exist.
    """
    engine = open_database(settings.database_url)
    if engine.dialect.name == "sqlite" and engine.url.database and not os.path.exists(engine.url.database):  # noqa: PTH110
        raise Infrastructure(
            f"there is no database {engine.url.database}", "run `casetrail init`, or set CASETRAIL_DATABASE_URL"
        )
    return engine


def migrated(settings: Settings) -> Engine:
    """
    Open the database and check that its schema is that of this release.

    Raises:
        Infrastructure: if it does not exist or needs `casetrail init`.
        DBAPIError: if it cannot be reached.
    """
    engine = existing(settings)
    with _disposed_on_failure(engine):
        current, wanted = revisions(engine)
        if current != wanted:
            raise Infrastructure(
                f"the database's schema is at {current or 'nothing'}, this release wants {wanted}",
                "run `casetrail init`",
            )
    return engine


def concluded(settings: Settings) -> Engine:
    """
    Open the database and check that its schema and its conclusions are those of this release.

    Raises:
        Infrastructure: as for `migrated`.
        DBAPIError: as for `migrated`.
    """
    engine = migrated(settings)
    with _disposed_on_failure(engine):
        if is_due(engine):
            raise Infrastructure(
                "the statuses were concluded by an earlier release", "run `casetrail init`, which concludes them again"
            )
    return engine


def migrate(engine: Engine) -> None:
    """
    Run the migrations that the database of *engine* still needs. It is safe to repeat, also at the same time.

    Raises:
        Infrastructure: if this release does not know the schema.
    """
    from alembic import command  # noqa: PLC0415 - a tenth of the time that a command takes to begin
    from alembic.config import Config  # noqa: PLC0415 - the same
    from alembic.util import CommandError  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(_location()))
    before, _ = revisions(engine)
    try:
        with write_transaction(engine) as conn:
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
    except CommandError as problem:
        raise Infrastructure(
            f"the database's schema is at {before}, which this release does not know: {problem}", "use a newer release"
        ) from problem


def revisions(engine: Engine) -> tuple[str | None, str]:
    """Return the schema revision of the database, None if it has none, and the one that this release needs."""
    with engine.connect() as conn:
        current = conn.scalar(select(VERSION)) if inspect(conn).has_table(VERSION.name) else None
    return current, max(path.name.partition("_")[0] for path in (_location() / "versions").glob("*.py"))


def database_trouble(problem: DBAPIError) -> tuple[str, str]:
    """Return the database's words in one line, and the next step."""
    words = " ".join(str(problem.orig).split())
    advice = next((advice for part, advice in _ADVICE if part in words), "check that it runs and is reachable")
    return f"does not answer: {words}", advice


def failed_with(problem: Exception) -> str:
    """
    Return the failure for a log: the kind of *problem*, and a code of the database.

    The code is that of PostgreSQL or SQLite. The words of the database are left out, since they may hold values of
    rows. Only a failed connection to PostgreSQL has no code: its words are returned.
    """
    kind, original = type(problem).__name__, getattr(problem, "orig", None)
    code: Any = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    if code is None and isinstance(original, psycopg.Error):
        code = " ".join(str(original).split())
    return f"{kind}: {code}" if code else kind


@contextmanager
def _disposed_on_failure(engine: Engine) -> Iterator[None]:
    """Close the connections of *engine* if the block fails."""
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _location() -> Path:
    """Return the folder of the migrations: beside this file in an installation, at the top in a checkout."""
    here = Path(__file__).parent
    return here / "migrations" if (here / "migrations").is_dir() else here.parent / "alembic"
