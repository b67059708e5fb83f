"""A database as an earlier release left it, for the tests of an upgrade."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import DateTime, Engine, LargeBinary, MetaData, Table, insert

from projections.tables.database import open_database, writing
from services.database import VERSION
from tests.support.places import ROOT

ROWS = json.loads((Path(__file__).parent / "earlier_release.json").read_text("utf-8"))
"""
The rows of each table, as commit 02df735 wrote them, the last one with schema 0004.

Of six people: three reports of one dismissal (`reported`), two dismissals that nothing followed, one of them
acknowledged (`silent`, `seen`), a dismissal and an arrest (`arrested`), one count of two that ended in acquittal
(`mixed`), and facts that are refused by now (`odd`). A parked record and a conflict are about `silent`.
"""

LOG = [
    {name: row[name] for name in ("log_offset", "stamped", "key", "value") if name in row}
    for row in ROWS["ledger"]
    if "log_offset" in row
]
"""The records that the ledger names, as the log held them."""


def upgrade(engine: Engine, revision: str) -> None:
    """Bring the schema of *engine*'s database to *revision*, and do nothing else."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "alembic"))
    with writing(engine) as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, revision)


def earlier(url: str) -> Engine:
    """Make the database of the earlier release at *url*, which is empty."""
    engine = open_database(url)
    upgrade(engine, "0004")
    tables = MetaData()
    with writing(engine) as conn:
        for name, rows in [*ROWS.items(), ("log", LOG)]:
            table = Table(name, tables, autoload_with=conn)
            # A statement each, since the rows have the columns that are not null.
            for row in rows:
                conn.execute(insert(table).values({column: _value(table, column, row) for column in row}))
    return engine


def revision(engine: Engine) -> str | None:
    """The schema of the database."""
    with engine.connect() as conn:
        found: str | None = conn.scalar(VERSION.select())
    return found


def _value(table: Table, column: str, row: Mapping[str, Any]) -> Any:
    kind = table.c[column].type
    if isinstance(kind, LargeBinary):
        return row[column].encode()
    return datetime.fromisoformat(row[column]) if isinstance(kind, DateTime) else row[column]
