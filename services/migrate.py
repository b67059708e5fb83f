"""Create the database or bring it to this release's schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from projections.database import writing


def migrate(engine: Engine) -> None:
    """Run the migrations that *engine*'s database has not had; safe to repeat, and at the same time."""
    with writing(engine) as conn:
        config = _config()
        config.attributes["connection"] = conn
        command.upgrade(config, "head")


def revisions(engine: Engine) -> tuple[str | None, str | None]:
    """Return the schema revision that the database has (None: none) and the one this release wants."""
    with engine.connect() as conn:
        current = MigrationContext.configure(conn).get_current_revision()
    return current, ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    here = Path(__file__).parent
    # Installed, the migrations lie beside this file; in a checkout, at the top.
    location = here / "migrations" if (here / "migrations").is_dir() else here.parent / "alembic"
    config = Config()
    config.set_main_option("script_location", str(location))
    return config
