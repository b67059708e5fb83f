"""After a clean stop all data is in the file of the database itself, so a copy of that one file is complete."""

import sqlite3
from pathlib import Path

import pytest

from tests.support.builders import dismissed
from tests.support.commands import fact_line, facts_file, ndjson, ready, run, start
from tests.support.reading import database_with

FACT_SOURCE = ["--source-title", "Letter"]


def beside(folder: Path) -> list[str]:
    """Return the files that SQLite keeps beside the database while a process has it open."""
    return sorted(path.name for path in folder.glob("casetrail.db?*"))


def rows(folder: Path) -> tuple[int, int]:
    """Return the number of records in the log and in the ledger, read from the file alone."""
    copy = folder / "alone.db"
    copy.write_bytes((folder / "casetrail.db").read_bytes())
    with sqlite3.connect(f"file:{copy}?immutable=1", uri=True) as conn:
        (counts,) = conn.execute("SELECT (SELECT count(*) FROM log), (SELECT count(*) FROM ledger)")
    conn.close()
    return counts[0], counts[1]


def test_no_command_leaves_a_file_beside_the_database(tmp_path: Path) -> None:
    """Commands that write are checked, and commands that only read."""
    facts_file(tmp_path, fact_line(id="1"), fact_line(id="2", subject="kz-b"), b"no fact")
    fact_id = "kz:1"
    facts_file(tmp_path, fact_line().replace('{"type"', f'{{"id": "{fact_id}", "type"', 1), name="one.ndjson")
    commands: tuple[str | list[str], ...] = (
        "init", "init", "publish one.ndjson", "publish facts.ndjson", "project", "status", "alerts", "doctor",
        ["correct", fact_id, "--set", "occurred=2022-03-28", *FACT_SOURCE], "project",
        ["retract", fact_id, "--reason", "wrong", *FACT_SOURCE], "project", "rebuild", "parked list", "audit verify",
        "status nobody", "lag --max-seconds 0",
    )  # fmt: skip
    for command in commands:
        done = run(command, tmp_path)

        assert done.returncode in {0, 1}, done.stderr
        assert [] == beside(tmp_path), command
    assert (3, 3) <= rows(tmp_path)


@pytest.mark.parametrize("sign", ["terminate", "interrupt"])
def test_a_service_that_is_stopped_leaves_its_data_in_one_file(tmp_path: Path, sign: str) -> None:
    """A service has several connections, in several threads."""
    ready(tmp_path)
    with start("run", tmp_path) as service:
        while "started" not in [entry["event"] for entry in ndjson(service.stderr.readline().decode())]:
            pass
        with start("publish -", tmp_path) as publisher:
            publisher.tell(fact_line() + "\n")
            assert 0 == publisher.end()[0]
        assert beside(tmp_path)
        if sign == "terminate":
            service.process.terminate()
        else:
            service.process.send_signal(2)
        assert 0 == service.end()[0]

    assert [] == beside(tmp_path)
    assert 1 == rows(tmp_path)[0]


def test_a_publisher_that_is_stopped_leaves_its_data_in_one_file(tmp_path: Path) -> None:
    """A signal stops the publisher while it waits for input."""
    ready(tmp_path)
    with start("publish --json -", tmp_path) as publisher:
        publisher.tell(fact_line() + "\n")
        publisher.stdout.readline()
        publisher.process.terminate()
        assert 143 == publisher.end()[0]

    assert [] == beside(tmp_path)
    assert 1 == rows(tmp_path)[0]


def test_while_another_process_has_the_database_open_the_files_stay(tmp_path: Path) -> None:
    """Only the last process may remove them."""
    engine = database_with(tmp_path, dismissed("2022-03-27"))
    with engine.connect():
        assert 0 == run("status", tmp_path).returncode
        assert beside(tmp_path)
    engine.dispose()

    assert [] == beside(tmp_path)
