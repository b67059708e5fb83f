"""A database of an earlier release, for the tests of an upgrade."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import DateTime, Engine, LargeBinary, MetaData, Table, insert

from projections.tables.database import open_database, write_transaction
from services.database import VERSION
from tests.support.places import ROOT

ROWS = json.loads((Path(__file__).parent / "earlier_release.json").read_text("utf-8"))
"""
The rows of each table as commit 02df735 wrote them, the last commit with schema 0004.

They are about six people:

- `reported`: three reports of one dismissal
- `silent` and `seen`: a dismissal without a follow-up; the alert about `seen` is acknowledged
- `arrested`: a dismissal and an arrest
- `mixed`: two counts, one of which ended in acquittal
- `odd`: facts that are refused by now

A parked record and a conflict are about `silent`.
"""

CHANGED_RULES = json.loads((Path(__file__).parent / "earlier_0006.json").read_text("utf-8"))
"""
The rows of each table as commit 1c6a340 wrote them, with schema 0006.

Its rules changed on 2022-05-01: the title of one, which superseded its alerts and opened them again, and a new rule.
Receivers were told of all that. They are about three people:

- `silent`: an open alert
- `seen`: an alert that was acknowledged before the change, and again after it
- `found`: an alert of the new rule, in old history
"""


def upgrade(engine: Engine, revision: str) -> None:
    """Migrate the database of *engine* to *revision*, without any other step."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "alembic"))
    with write_transaction(engine) as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, revision)


def earlier(url: str, contents: Mapping[str, Any] = ROWS, schema: str = "0004") -> Engine:
    """Create the database of an earlier release at *url*, which must be empty."""
    engine = open_database(url)
    upgrade(engine, schema)
    tables = MetaData()
    # The records that the ledger names, as they stood in the log.
    log = [
        {name: row[name] for name in ("log_offset", "stamped", "key", "value") if name in row}
        for row in contents["ledger"]
        if "log_offset" in row
    ]
    with write_transaction(engine) as conn:
        for name, rows in {**contents, "log": log}.items():
            table = Table(name, tables, autoload_with=conn)
            # One statement a row, because the rows hold only the columns that are not null.
            for row in rows:
                conn.execute(insert(table).values({column: _value(table, column, row) for column in row}))
    return engine


def revision(engine: Engine) -> str | None:
    """Return the schema revision of the database."""
    with engine.connect() as conn:
        version: str | None = conn.scalar(VERSION.select())
    return version


def _value(table: Table, column: str, row: Mapping[str, Any]) -> Any:
    kind = table.c[column].type
    if isinstance(kind, LargeBinary):
        return row[column].encode()
    return datetime.fromisoformat(row[column]) if isinstance(kind, DateTime) else row[column]
