"""The migrations build the schema of the code, on both databases."""

import os
import subprocess
import sys
from subprocess import PIPE, Popen
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, Row, inspect, text
from sqlalchemy.exc import DBAPIError

from events.errors import Infrastructure
from projections.queries.verify import verify
from projections.tables.columns import METADATA
from projections.tables.database import open_database, write_transaction
from services.database import migrate, revisions
from tests.support.earlier import earlier, revision, upgrade
from tests.support.places import ROOT

# One row again, as a tool that restores a copy would write it.
REPLACED = "INSERT INTO ledger SELECT * FROM ledger WHERE seq = 1"

STARTER = """
import sys
from projections.tables.database import open_database
from services.database import migrate
engine = open_database(sys.argv[1])
print("ready", flush=True)
input()
migrate(engine)
"""


def tables(url: str) -> set[str]:
    """Return the names of the tables at *url*, without Alembic's own."""
    engine = open_database(url)
    names = set(inspect(engine).get_table_names()) - {"alembic_version"}
    engine.dispose()
    return names


def alembic(url: str, *words: str) -> str:
    """Return the output of the command `alembic`, run in a checkout on *url*."""
    command = [sys.executable, "-m", "alembic", *words]
    environment = {**os.environ, "CASETRAIL_DATABASE_URL": url}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_migrations_build_the_schema_of_the_code(database_url: str) -> None:
    """Alembic finds no difference to the tables in the code, comments included on PostgreSQL."""
    engine = open_database(database_url)
    migrate(engine)

    current, newest = revisions(engine)
    engine.dispose()
    assert [current] == [newest] == list(ScriptDirectory(str(ROOT / "alembic")).get_heads())
    assert tables(database_url) == set(METADATA.tables)
    assert "No new upgrade operations detected." in alembic(database_url, "check")


def test_migrating_again_changes_nothing(database_url: str) -> None:
    """`casetrail init` can be run again."""
    engine = open_database(database_url)
    migrate(engine)
    before = inspect(engine).get_table_names()

    migrate(engine)

    assert inspect(engine).get_table_names() == before
    engine.dispose()


def test_processes_that_migrate_at_the_same_time_wait_for_each_other(postgres_url: str) -> None:
    """Several containers start at once, each with its init: one migrates, and none fails."""
    command = [sys.executable, "-c", STARTER, postgres_url]
    starters = [Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=PIPE) for _ in range(4)]
    ready = [starter.stdout.readline() for starter in starters if starter.stdout]

    # Start all of them before the first is awaited: communicate would wait for its end.
    for starter in starters:
        if starter.stdin:
            starter.stdin.write(b"go\n")
            starter.stdin.flush()
    errors = [starter.communicate()[1] for starter in starters]

    assert ready == [b"ready\n"] * 4
    assert errors == [b""] * 4
    assert tables(postgres_url) == set(METADATA.tables)


def test_alembic_itself_migrates(database_url: str) -> None:
    """A developer uses alembic's own command, which takes the address from the same variable."""
    alembic(database_url, "upgrade", "head")

    assert tables(database_url) == set(METADATA.tables)


def test_scripts_of_sql_are_refused(sqlite_url: str) -> None:
    """A migration reads the database that it changes, so its SQL is not known beforehand."""
    assert "migrations run online only" in alembic(sqlite_url, "upgrade", "head", "--sql")


def test_the_migrations_keep_the_ledger(database_url: str) -> None:
    """A ledger of an earlier release has the same rows and hashes afterwards, and is still append only."""
    engine = earlier(database_url)
    before = stored(engine)

    migrate(engine)

    assert before == stored(engine)
    with engine.connect() as conn:
        assert [] == verify(conn).findings
    for statement in ("UPDATE ledger SET reason = 'edited'", "DELETE FROM ledger", REPLACED):
        with pytest.raises(DBAPIError), write_transaction(engine) as conn:
            conn.execute(text(statement))
    assert before == stored(engine)
    engine.dispose()


def test_a_ledger_of_another_definition_is_not_copied(sqlite_url: str) -> None:
    """A ledger that somebody defined otherwise is left as it is, with the constraint that was expected."""
    engine = open_database(sqlite_url)
    upgrade(engine, "0009")
    with write_transaction(engine) as conn:
        conn.execute(text("DROP TABLE ledger"))
        conn.execute(text("CREATE TABLE ledger (partition INTEGER, seq INTEGER)"))

    with pytest.raises(Infrastructure, match="another definition"):
        migrate(engine)
    assert "0009" == revision(engine)
    engine.dispose()


def stored(engine: Engine) -> list[Row[Any]]:
    """Return the rows of the ledger as the database stores them."""
    with engine.connect() as conn:
        return [*conn.execute(text("SELECT * FROM ledger ORDER BY partition, seq"))]
