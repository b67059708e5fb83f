"""Create the database or bring it to this release's schema."""

from pathlib import Path

from sqlalchemy import Engine, column, inspect, select, table

from events.errors import Infrastructure
from projections.tables.database import writing

VERSION = table("alembic_version", column("version_num"))


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


def _location() -> Path:
    """Return where the migrations lie: beside this file where it is installed, at the top in a checkout."""
    here = Path(__file__).parent
    return here / "migrations" if (here / "migrations").is_dir() else here.parent / "alembic"
