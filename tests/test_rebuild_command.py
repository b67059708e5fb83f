"""What `casetrail rebuild` says, to people and to programs, and what a kill leaves."""

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, select, update

from projections.database import open_database
from projections.tables import LIVE, rebuild_partitions
from services.migrate import migrate
from tests.commands import run, start
from tests.lived import change, rich
from tests.reading import answer, ask
from tests.stories import conclusions, dismissed, instant, project, projector


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database in which somebody has set a headline."""
    engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
    migrate(engine)
    rich(engine)
    seen = {"headline": "cleared\x1b", "due": instant("2030-01-01T00:00:00Z")}
    change(engine, update(LIVE.subjects).where(LIVE.subjects.c.subject_id == "a").values(**seen))
    change(engine, delete(LIVE.names))
    engine.dispose()
    return tmp_path


def test_a_check_exits_with_1_and_leaves_it_to_the_reader(folder: Path) -> None:
    """And the rebuild itself puts the rows in place; after that there is nothing to say."""
    checked, again_checked = ask("rebuild --check", folder), ask("rebuild --check", folder)
    done, settled = run("rebuild", folder), ask("rebuild --check", folder)

    assert (1, "2 rows came out otherwise\n") == (checked.returncode, checked.stderr)
    assert checked.stdout == again_checked.stdout == done.stdout
    assert [
        r"subjects a: headline cleared\x1b -> dismissed, due 2030-01-01T00:00:00Z -> None",
        "names a Serik: new",
    ] == done.stdout.splitlines()
    assert (0, "2 rows came out otherwise\n") == (done.returncode, done.stderr)
    assert (0, "", "every row is as before\n") == (settled.returncode, settled.stdout, settled.stderr)


def test_programs_read_what_differs(folder: Path) -> None:
    """An array: the table, the row's key, and its columns before and after; null where there is no row."""
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


@pytest.mark.slow
def test_a_rebuild_that_was_killed_is_taken_up(tmp_path: Path) -> None:
    """Kill -9 in the middle of it: the live tables are untouched, and the next one ends it."""
    engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
    migrate(engine)
    held = projector(engine)
    for n in range(4):
        project(held, [dismissed("2022-03-27", subject=f"{n}-{m}", id=f"{n}-{m}") for m in range(2000)])
    before = conclusions(engine)
    change(engine, update(LIVE.subjects).where(LIVE.subjects.c.subject_id == "0-0").values(headline="cleared"))
    reached = select(func.max(rebuild_partitions.c.seq))

    with start("rebuild", tmp_path) as running:
        while not seq(engine, reached):
            assert running.process.poll() is None, "it came to its end too soon"
            time.sleep(0.01)
        running.process.kill()

    assert 0 < seq(engine, reached) < 8_001, "it was not in the middle"
    assert "subjects 0-0: headline cleared -> dismissed\n" == run("rebuild", tmp_path).stdout
    assert before == conclusions(engine)


def seq(engine: Engine, query: Any) -> int:
    """The one number that *query* asks for; 0 where there is none."""
    with engine.connect() as conn:
        return conn.scalar(query) or 0
