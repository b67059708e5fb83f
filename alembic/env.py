"""
How a migration runs: from a checkout (alembic/) and from the installed package (services/migrations/) alike.

On the connection in ``config.attributes["connection"]`` where there is one, which is how `casetrail init` comes here;
else on CASETRAIL_DATABASE_URL. Logging stays as the program around it has set it.
"""

import os
from typing import Literal

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from projections.tables import METADATA, Instant

DEFAULT_URL = "sqlite:///casetrail.db"


def migrate(connection: Connection) -> None:
    """Bring the database at the other end of *connection* to the wanted revision, each migration in a transaction."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        compare_type=True,
        render_item=render,
        # SQLite can alter hardly anything in place: a batch copies the table.
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
        # Alembic takes SQLite to have none, since Python's driver opens no transaction for DDL; ours is opened below.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def render(kind: str, item: object, _: object) -> str | Literal[False]:
    """Write our own column type into a new migration in the library's words: a migration outlives our code."""
    if kind == "type" and isinstance(item, Instant):
        return 'sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")'
    return False


def migrate_by_address(url: str) -> None:
    """Connect to *url*, migrate and disconnect."""
    engine = create_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.connect() as connection:
        migrate(connection)


if context.is_offline_mode():
    # A migration looks at what is there, and the triggers it makes differ between databases.
    message = "migrations run online only: give CASETRAIL_DATABASE_URL and leave out --sql"
    raise CommandError(message)
if "connection" in context.config.attributes:
    migrate(context.config.attributes["connection"])
else:
    migrate_by_address(os.environ.get("CASETRAIL_DATABASE_URL", DEFAULT_URL))
