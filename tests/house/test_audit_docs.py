"""The audit instructions of docs/audit.md are enough to check a ledger without casetrail, and to find an edit."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from projections.ledger.chain import LogRecord
from projections.queries.verify import heads
from projections.tables.database import open_database
from projections.tables.schema import TOPIC
from tests.support.builders import NOW, projector
from tests.support.places import ROOT
from tests.support.tampering import LENGTH, full_ledger

PAGE = (ROOT / "docs" / "audit.md").read_text("utf-8")
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with every kind of row, and records with every kind of key, headers and bytes."""
    engine = full_ledger(f"sqlite:///{tmp_path / 'casetrail.db'}")
    odd = [
        (None, None, None),
        (b"", [], b""),
        ("Нурлан".encode(), [["ce_type", "Задержан\u2028"]], b"\xff\x00"),
    ]
    held = projector(engine)
    start = held.checkpoint.position
    held.project([LogRecord(TOPIC, 0, start + n, NOW, *record) for n, record in enumerate(odd)], NOW)
    engine.dispose()
    return tmp_path / "casetrail.db"


def check(file: Path) -> "subprocess.CompletedProcess[str]":
    """Run the program of the page on *file*, without any module of casetrail."""
    command = [sys.executable, "-I", "-c", PROGRAM, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_program_computes_the_same_head(file: Path) -> None:
    """The program computes the head that casetrail reports, for rows with any content."""
    with open_database(f"sqlite:///{file}").connect() as conn:
        (head,) = heads(conn)
    done = check(file)

    assert (0, f"0 {LENGTH + 3} {head['hash']}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_the_program_finds_an_edited_row(file: Path) -> None:
    """The program fails on an edited row and names it."""
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TRIGGER ledger_no_update")
        database.execute("UPDATE ledger SET reason = 'other' WHERE seq = 4")

    done = check(file)
    assert (1, "row 4 of partition 0 does not follow from the one before it\n") == (done.returncode, done.stderr)


def test_the_program_needs_only_python() -> None:
    """The program imports only the standard library, so that an auditor installs nothing."""
    imported = PROGRAM.splitlines()[0].removeprefix("import ").split(", ")

    assert set(imported) <= sys.stdlib_module_names
    assert len(PROGRAM.splitlines()) <= 25
