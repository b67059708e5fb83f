"""`casetrail rebuild`: its output for people and for programs, and its state after a kill."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from projections.tables.database import open_database
from projections.tables.schema import LIVE, rebuild_partitions
from services.database import migrate
from tests.support.builders import conclusions, instant, rows
from tests.support.commands import SECONDS, environment, run
from tests.support.reading import answer, ask
from tests.support.scenario_db import change, populate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database in which a headline was changed by hand."""
    engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
    migrate(engine)
    populate(engine)
    seen = {"headline": "cleared\x1b", "due": instant("2030-01-01T00:00:00Z")}
    change(engine, update(LIVE.subjects).where(LIVE.subjects.c.subject_id == "a").values(**seen))
    change(engine, delete(LIVE.names))
    engine.dispose()
    return tmp_path


def test_a_check_exits_with_1_and_leaves_it_to_the_reader(folder: Path) -> None:
    """The rebuild itself replaces the rows. After that no row differs."""
    checked, again_checked = ask("rebuild --check", folder), ask("rebuild --check", folder)
    done, settled = run("rebuild", folder), ask("rebuild --check", folder)

    assert (1, "2 rows differ\n") == (checked.returncode, checked.stderr)
    assert checked.stdout == again_checked.stdout == done.stdout
    assert [
        r"subjects a: headline cleared\x1b -> dismissed, due 2030-01-01T00:00:00Z -> None",
        "names a Serik: new",
    ] == done.stdout.splitlines()
    assert (0, "2 rows differ\n") == (done.returncode, done.stderr)
    assert (0, "", "no row differs\n") == (settled.returncode, settled.stdout, settled.stderr)


def test_programs_read_what_differs(folder: Path) -> None:
    """The array has the table, the key, and the columns before and after; null if there is no row."""
    assert [
        {
            "table": "subjects",
            "key": {"subject_id": "a"},
            "before": {"headline": "cleared\x1b", "due": "2030-01-01T00:00:00Z"},
            "after": {"headline": "dismissed", "due": None},
        },
        {
            "table": "names",
            "key": {"subject_id": "a", "name": "Serik"},
            "before": None,
            "after": {"subject_id": "a", "name": "Serik", "folded": "serik"},
        },
    ] == answer("rebuild", folder)
    assert [] == answer("rebuild", folder)


# Casetrail's command, in batches of three rows. It is killed in the batch after the given number.
KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from projections.projector import rebuild
from services.cli import main

left = iter(range(int(sys.argv.pop())))

def write(conn, cursor, statement, *_):
    if statement.startswith("DELETE FROM rebuild_partitions WHERE") and next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "before_cursor_execute", write)
rebuild.BATCH = 3
main()
"""


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_a_rebuild_that_was_killed_is_taken_up(folder: Path, batches: int) -> None:
    """A kill while a batch is written undoes that batch. The next run completes the rebuild."""
    command = [sys.executable, "-c", KILLED, "rebuild", str(batches)]
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    before = conclusions(engine)
    done = subprocess.run(command, cwd=folder, env=environment(folder), timeout=SECONDS, check=False)
    after = conclusions(engine)
    (reached,) = rows(engine, rebuild_partitions)
    engine.dispose()

    assert (-signal.SIGKILL, before, 3 * batches) == (done.returncode, after, reached["seq"])
    assert "2 rows differ\n" == run("rebuild", folder).stderr
    assert "no row differs\n" == run("rebuild", folder).stderr
