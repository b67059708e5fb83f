"""`casetrail backup` makes a complete and checked copy of a live database, or no copy."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text

from events.errors import BadInput
from projections.queries.verify import verify
from projections.tables.database import open_database, snapshot, write_transaction
from projections.tables.schema import log
from services.log.local import LocalLog
from services.operate import backup
from services.operate.backup import back_up
from tests.support.builders import dismissed
from tests.support.commands import COMMAND, environment, fact_line, facts_file, ndjson, ready, run, start
from tests.support.reading import ask, database_with
from tests.support.tampering import attack, full_ledger

WITH_LITTLE_ROOM = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
sys.argv = ["casetrail", "backup", "copy.db"]
from services.cli import main
main()
"""


def names(folder: Path) -> list[str]:
    """Return the files in *folder*, without the database itself and the files that SQLite keeps beside it."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("casetrail.db"))


def test_a_copy_has_all_data_of_the_database(tmp_path: Path) -> None:
    """It has the statuses, alerts with acknowledgements, the ledger and the log."""
    full_ledger(f"sqlite:///{tmp_path / 'casetrail.db'}").dispose()
    done = ask("backup copy.db", tmp_path)
    copied = {"CASETRAIL_DATABASE_URL": f"sqlite:///{tmp_path / 'copy.db'}"}

    assert (0, "") == (done.returncode, done.stdout)
    assert (
        f"copy.db: {(tmp_path / 'copy.db').stat().st_size} bytes, 11 rows of the ledger, chain and counts verified\n"
        == (done.stderr)
    )
    for command in ("status --json", "alerts --all --json", "audit head --json", "parked list --all --json"):
        assert ask(command, tmp_path).stdout == ask(command, tmp_path, **copied).stdout
    assert 0 == ask("rebuild --check", tmp_path, **copied).returncode
    assert ["copy.db"] == names(tmp_path)


def test_the_json_output_describes_the_copy(tmp_path: Path) -> None:
    """It has the size of the copy and the number of verified rows."""
    database_with(tmp_path, dismissed("2022-03-27")).dispose()
    made = json.loads(ask("backup copy.db --json", tmp_path).stdout)

    assert {
        "file": "copy.db",
        "bytes": (tmp_path / "copy.db").stat().st_size,
        "rows": [{"partition": 0, "rows": 2}],
        "findings": [],
    } == made


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o277])
def test_only_its_owner_can_read_a_copy(tmp_path: Path, mask: int) -> None:
    """It holds accusations against people; a umask can remove rights and adds none."""
    database_with(tmp_path, dismissed("2022-03-27")).dispose()
    done = subprocess.run(
        ["sh", "-c", f"umask {mask:o}; exec {' '.join(COMMAND)} backup copy.db"],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, check=False,
    )  # fmt: skip

    assert (0o600 & ~mask, b"") == (stat.S_IMODE((tmp_path / "copy.db").stat().st_mode), done.stdout), done.stderr


def test_a_copy_is_of_one_instant_while_other_processes_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write between two pieces would make SQLite begin again, so that it would never end."""
    monkeypatch.setattr(backup, "PAGES", 1)
    engine = database_with(tmp_path, dismissed("2022-03-27"))
    writes = 0

    def write(_: float) -> None:
        nonlocal writes
        writes += 1
        LocalLog(engine).append([("kz-b", fact_line(subject="kz-b").encode())])

    copy = back_up(engine, tmp_path / "copy.db", write)

    assert {0: 2} == copy.rows
    assert writes > 20
    assert (0, writes) == (records(open_database(f"sqlite:///{copy.file}")), records(engine))
    engine.dispose()


def records(engine: Engine) -> int:
    """Return the number of records in the log of *engine*."""
    with engine.connect() as conn:
        count = conn.scalar(select(func.count()).select_from(log))
    return count or 0


def test_a_service_goes_on_while_it_is_copied(tmp_path: Path) -> None:
    """The copy also has the data that SQLite still keeps in its other file."""
    ready(tmp_path)
    facts_file(tmp_path, fact_line())
    with start("run", tmp_path) as service:
        while "started" not in [entry["event"] for entry in ndjson(service.stderr.readline().decode())]:
            pass
        assert 0 == run("publish facts.ndjson", tmp_path).returncode
        assert (tmp_path / "casetrail.db-wal").stat().st_size
        assert 0 == run("backup copy.db", tmp_path).returncode
        service.process.terminate()
        assert 0 == service.end()[0]

    assert 1 == records(open_database(f"sqlite:///{tmp_path / 'copy.db'}"))


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("there.db", "there.db: exists already (want the name of a file that does not exist)"),
        ("link.db", "link.db: exists already"),
        (".", ".: exists already"),
        ("no/copy.db", "no/copy.db: its folder is missing (want a file in a folder that exists)"),
    ],
)
def test_no_file_is_replaced(tmp_path: Path, file: str, said: str) -> None:
    """A backup must not replace another one, and a mistyped folder is not created."""
    database_with(tmp_path, dismissed("2022-03-27")).dispose()
    (tmp_path / "there.db").write_text("mine")
    (tmp_path / "link.db").symlink_to("nowhere")
    done = ask(f"backup {file}", tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert said in done.stderr
    assert "mine" == (tmp_path / "there.db").read_text()
    assert ["link.db", "there.db"] == names(tmp_path)


def test_of_two_copies_at_once_one_gets_the_name(tmp_path: Path) -> None:
    """The second to finish finds the file of the first one, and keeps it."""
    engine = database_with(tmp_path, dismissed("2022-03-27"))
    file = tmp_path / "copy.db"

    def create_first(_: float) -> None:
        file.write_text("the first")

    with pytest.raises(BadInput, match="exists already"):
        back_up(engine, file, create_first)
    engine.dispose()

    assert ("the first", ["copy.db"]) == (file.read_text(), names(tmp_path))


def test_a_disk_without_links_is_sufficient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory stick is an example."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    engine = database_with(tmp_path, dismissed("2022-03-27"))
    copy = back_up(engine, tmp_path / "copy? 100%.db")
    engine.dispose()

    assert {0: 2} == copy.rows
    assert ["copy? 100%.db"] == names(tmp_path)


def test_a_copy_with_a_broken_chain_is_removed(tmp_path: Path) -> None:
    """A file with that name can be relied on. The findings are printed, as by the audit."""
    engine = full_ledger(f"sqlite:///{tmp_path / 'casetrail.db'}")
    with write_transaction(engine) as conn:
        attack(conn, "UPDATE ledger SET reason = 'other' WHERE seq = 4")
    with snapshot(engine) as conn:
        (finding,) = verify(conn).findings
    engine.dispose()
    done, answered = ask("backup copy.db", tmp_path), ask("backup copy.db --json", tmp_path)

    assert (1, 1) == (done.returncode, answered.returncode)
    assert f"the copy did not pass its check and was removed: {finding}" in done.stderr
    assert (None, [finding._asdict()]) == tuple(json.loads(answered.stdout)[name] for name in ("file", "findings"))
    assert [] == names(tmp_path)


def test_a_damaged_page_of_any_table_is_detected(tmp_path: Path) -> None:
    """The chain covers only the ledger."""
    engine = database_with(tmp_path, *(dismissed("2022-03-27", subject=f"kz-{n}", note="n" * 3000) for n in range(20)))
    with engine.connect() as conn:
        page = conn.scalar(text("SELECT rootpage FROM sqlite_master WHERE name = 'subjects'"))
        size = conn.scalar(text("PRAGMA page_size"))
    engine.dispose()
    assert page
    assert size
    with (tmp_path / "casetrail.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 200)
    done = ask("backup copy.db", tmp_path)

    assert 1 == done.returncode, done.stderr
    assert "the file is damaged" in done.stderr
    assert [] == names(tmp_path)


def test_a_database_can_be_copied_before_an_upgrade(tmp_path: Path) -> None:
    """Its schema is an older one then, and the backup protects it from the upgrade."""
    engine = database_with(tmp_path, dismissed("2022-03-27"))
    with write_transaction(engine) as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()
    done = ask("backup copy.db", tmp_path)

    assert 0 == done.returncode
    assert "the schema is of another release: the copy opens, and its chain was not verified" in done.stderr
    assert ["copy.db"] == names(tmp_path)


def test_a_missing_database_cannot_be_copied(tmp_path: Path) -> None:
    """No file is created."""
    done = ask("backup copy.db", tmp_path)

    assert 3 == done.returncode
    assert "there is no database" in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_for_postgresql_the_right_tool_is_named(tmp_path: Path) -> None:
    """The server does not have to answer."""
    done = ask("backup copy.dump", tmp_path, CASETRAIL_DATABASE_URL="postgresql+psycopg://nobody@127.0.0.1:1/none")

    assert (2, "") == (done.returncode, done.stdout)
    assert "the database is PostgreSQL (want pg_dump --format=custom" in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_an_interrupted_copy_leaves_no_file(tmp_path: Path) -> None:
    """Ctrl-C is an example."""
    engine = database_with(tmp_path, dismissed("2022-03-27"))

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(engine, tmp_path / "copy.db", stop)
    engine.dispose()

    assert [] == names(tmp_path)


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    """The exit code is that of other errors of the infrastructure."""
    engine = database_with(
        tmp_path, *(dismissed("2022-03-27", subject=f"kz-{n}", note="n" * 30_000) for n in range(40))
    )
    engine.dispose()
    limit = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)); \
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); sys.argv = ['casetrail', 'backup', 'copy.db']; \
from services.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", limit],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert 3 == done.returncode, done.stderr
    assert "copy.db: " in done.stderr
    assert [] == names(tmp_path)
