"""`casetrail backup`: a copy of a live database that is whole, checked, and there under its name or not at all."""

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
from projections.tables.database import open_database, snapshot, writing
from projections.tables.schema import log
from services.log.local import LocalLog
from services.operate import backup
from services.operate.backup import back_up
from tests.support.builders import dismissed
from tests.support.commands import COMMAND, environment, fact_line, facts_file, ndjson, ready, run, start
from tests.support.reading import ask, known
from tests.support.tampering import attack, told

WITH_LITTLE_ROOM = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
sys.argv = ["casetrail", "backup", "copy.db"]
from services.cli import main
main()
"""


def names(folder: Path) -> list[str]:
    """The files in *folder* but for the database itself and what SQLite keeps beside it."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("casetrail.db"))


def test_a_copy_says_all_that_the_database_says(tmp_path: Path) -> None:
    """Statuses, alerts and their acknowledgements, the ledger and the log."""
    told(f"sqlite:///{tmp_path / 'casetrail.db'}").dispose()
    done = ask("backup copy.db", tmp_path)
    copied = {"CASETRAIL_DATABASE_URL": f"sqlite:///{tmp_path / 'copy.db'}"}

    assert (0, "") == (done.returncode, done.stdout)
    assert (
        f"copy.db: {(tmp_path / 'copy.db').stat().st_size} bytes, 11 rows of the ledger, chain and counts hold\n"
        == (done.stderr)
    )
    for command in ("status --json", "alerts --all --json", "audit head --json", "parked list --all --json"):
        assert ask(command, tmp_path).stdout == ask(command, tmp_path, **copied).stdout
    assert 0 == ask("rebuild --check", tmp_path, **copied).returncode
    assert ["copy.db"] == names(tmp_path)


def test_a_copy_is_told_to_programs(tmp_path: Path) -> None:
    """With its size and the rows that hold."""
    known(tmp_path, dismissed("2022-03-27")).dispose()
    made = json.loads(ask("backup copy.db --json", tmp_path).stdout)

    assert {
        "file": "copy.db",
        "bytes": (tmp_path / "copy.db").stat().st_size,
        "rows": [{"partition": 0, "rows": 2}],
        "findings": [],
    } == made


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o277])
def test_only_its_owner_can_read_a_copy(tmp_path: Path, mask: int) -> None:
    """It holds what people are accused of; a umask can take rights away and adds none."""
    known(tmp_path, dismissed("2022-03-27")).dispose()
    done = subprocess.run(
        ["sh", "-c", f"umask {mask:o}; exec {' '.join(COMMAND)} backup copy.db"],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, check=False,
    )  # fmt: skip

    assert (0o600 & ~mask, b"") == (stat.S_IMODE((tmp_path / "copy.db").stat().st_mode), done.stdout), done.stderr


def test_a_copy_is_of_one_instant_while_others_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write between two pieces would make SQLite begin again, and never come to an end."""
    monkeypatch.setattr(backup, "PAGES", 1)
    engine = known(tmp_path, dismissed("2022-03-27"))
    writes = 0

    def write(_: float) -> None:
        nonlocal writes
        writes += 1
        LocalLog(engine).append([("kz-b", fact_line(subject="kz-b").encode())])

    made = back_up(engine, tmp_path / "copy.db", write)

    assert {0: 2} == made.rows
    assert writes > 20
    assert (0, writes) == (records(open_database(f"sqlite:///{made.file}")), records(engine))
    engine.dispose()


def records(engine: Engine) -> int:
    """How many records the log of *engine* holds."""
    with engine.connect() as conn:
        count = conn.scalar(select(func.count()).select_from(log))
    return count or 0


def test_a_service_goes_on_while_it_is_copied(tmp_path: Path) -> None:
    """What it has not yet moved from its other file is in the copy too."""
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
def test_nothing_is_written_over(tmp_path: Path, file: str, said: str) -> None:
    """A backup that takes the place of another is none; a mistyped folder is not made."""
    known(tmp_path, dismissed("2022-03-27")).dispose()
    (tmp_path / "there.db").write_text("mine")
    (tmp_path / "link.db").symlink_to("nowhere")
    done = ask(f"backup {file}", tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert said in done.stderr
    assert "mine" == (tmp_path / "there.db").read_text()
    assert ["link.db", "there.db"] == names(tmp_path)


def test_of_two_at_once_one_gets_the_name(tmp_path: Path) -> None:
    """The second to finish finds the first one's file, and leaves it."""
    engine = known(tmp_path, dismissed("2022-03-27"))
    file = tmp_path / "copy.db"

    def come_first(_: float) -> None:
        file.write_text("the first")

    with pytest.raises(BadInput, match="exists already"):
        back_up(engine, file, come_first)
    engine.dispose()

    assert ("the first", ["copy.db"]) == (file.read_text(), names(tmp_path))


def test_a_disk_without_links_is_good_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory stick, for instance."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    engine = known(tmp_path, dismissed("2022-03-27"))
    made = back_up(engine, tmp_path / "copy? 100%.db")
    engine.dispose()

    assert {0: 2} == made.rows
    assert ["copy? 100%.db"] == names(tmp_path)


def test_a_copy_whose_chain_does_not_hold_is_no_backup(tmp_path: Path) -> None:
    """A file under that name can be relied on. Findings are named, as by the audit."""
    engine = told(f"sqlite:///{tmp_path / 'casetrail.db'}")
    with writing(engine) as conn:
        attack(conn, "UPDATE ledger SET reason = 'other' WHERE seq = 4")
    with snapshot(engine) as conn:
        (finding,) = verify(conn).findings
    engine.dispose()
    done, answered = ask("backup copy.db", tmp_path), ask("backup copy.db --json", tmp_path)

    assert (1, 1) == (done.returncode, answered.returncode)
    assert f"the copy does not hold and was removed: {finding}" in done.stderr
    assert (None, [finding._asdict()]) == tuple(json.loads(answered.stdout)[name] for name in ("file", "findings"))
    assert [] == names(tmp_path)


def test_a_damaged_page_is_found_in_any_table(tmp_path: Path) -> None:
    """The chain is of the ledger alone."""
    engine = known(tmp_path, *(dismissed("2022-03-27", subject=f"kz-{n}", note="n" * 3000) for n in range(20)))
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
    """Its schema is an older one then, and the upgrade may be what it is to be saved from."""
    engine = known(tmp_path, dismissed("2022-03-27"))
    with writing(engine) as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()
    done = ask("backup copy.db", tmp_path)

    assert 0 == done.returncode
    assert "the database's schema is another release's: the copy opens, and its chain was not walked" in done.stderr
    assert ["copy.db"] == names(tmp_path)


def test_without_a_database_there_is_nothing_to_copy(tmp_path: Path) -> None:
    """And none is made."""
    done = ask("backup copy.db", tmp_path)

    assert 3 == done.returncode
    assert "there is no database" in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_for_postgresql_the_right_tool_is_named(tmp_path: Path) -> None:
    """Whether the server answers or not."""
    done = ask("backup copy.dump", tmp_path, CASETRAIL_DATABASE_URL="postgresql+psycopg://nobody@127.0.0.1:1/none")

    assert (2, "") == (done.returncode, done.stdout)
    assert "the database is PostgreSQL (want pg_dump --format=custom" in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_a_copy_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    """By Ctrl-C, say."""
    engine = known(tmp_path, dismissed("2022-03-27"))

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(engine, tmp_path / "copy.db", stop)
    engine.dispose()

    assert [] == names(tmp_path)


def test_a_disk_that_is_full_is_said_to_be(tmp_path: Path) -> None:
    """It ends as other trouble with the machine does."""
    engine = known(tmp_path, *(dismissed("2022-03-27", subject=f"kz-{n}", note="n" * 30_000) for n in range(40)))
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
