"""CASETRAIL_DATABASE_URL accepts only a database that the next command can open too."""

from pathlib import Path

import pytest

from projections.tables.database import open_database
from tests.support.builders import dismissed
from tests.support.reading import ask, database_with

MEMORY = "is a database in memory (want sqlite:///FILE: every command is a process of its own)"
ALONE = "after the file (want sqlite:///FILE alone: casetrail chooses how it opens it)"
URI = "a URI in SQLite's own form as the file (want sqlite:///FILE with the file's plain name)"
THREE = "a machine in the URL of a SQLite database (want sqlite:///FILE, with three slashes before the file)"


@pytest.mark.parametrize("command", ["init", "publish facts.ndjson", "status", "doctor", "run", "backup copy.db"])
@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///casetrail.db?mode=ro", "sqlite:///."])
def test_every_command_refuses_an_unusable_database(tmp_path: Path, command: str, url: str) -> None:
    """It is an error of usage before any work begins: facts in memory would be lost at the end of the command."""
    (tmp_path / "facts.ndjson").touch()
    done = ask(command, tmp_path, CASETRAIL_DATABASE_URL=url)

    assert 2 == done.returncode
    assert "CASETRAIL_DATABASE_URL" in done.stdout + done.stderr
    assert ["facts.ndjson"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", f"sqlite:// {MEMORY}"),
        ("sqlite:///", f"sqlite:/// {MEMORY}"),
        ("sqlite:///:memory:", f"sqlite:///:memory: {MEMORY}"),
        ("sqlite+pysqlite:///:memory:", f"sqlite+pysqlite:///:memory: {MEMORY}"),
        ("sqlite:///:memory:?cache=shared", f'"?cache=shared" {ALONE}'),
        ("sqlite:///casetrail.db?mode=ro", f'"?mode=ro" {ALONE}'),
        ("sqlite:///casetrail.db?immutable=1&uri=true", f'"?immutable=1&uri=true" {ALONE}'),
        ("sqlite:///casetrail.db?timeout=1", f'"?timeout=1" {ALONE}'),
        ("sqlite:///file:casetrail.db", URI),
        ("sqlite:///file:casetrail.db?mode=ro&uri=true", URI),
        ("sqlite:///file::memory:?cache=shared&uri=true", URI),
        ("sqlite://casetrail.db", THREE),
        ("sqlite://u:geheim@casetrail.db", THREE),
        ("sqlite:///.", ". is a folder (want a file in it, such as sqlite:///casetrail.db)"),
        ("sqlite:////", "/ is a folder (want a file in it, such as sqlite:////casetrail.db)"),
        ("sqlite:///new/", "new/ is a folder (want a file in it, such as sqlite:///new/casetrail.db)"),
        ("sqlite:////dev/null", "/dev/null is not a file (want sqlite:///FILE)"),
    ],
)
def test_an_unusable_file_is_explained(tmp_path: Path, url: str, said: str) -> None:
    """The error states the right form, and leaves out a password in the URL."""
    done = ask("init", tmp_path, CASETRAIL_DATABASE_URL=url)

    assert f"casetrail: CASETRAIL_DATABASE_URL: {said}\n" == done.stderr


@pytest.mark.parametrize("name", ["casetrail.db", "a b.db", "memory", "Жаңа.db"])
def test_any_plain_file_is_accepted(tmp_path: Path, name: str) -> None:
    """The file may be relative to the folder of the command, or have its whole path."""
    database_with(tmp_path, dismissed("2022-03-27")).dispose()
    (tmp_path / "casetrail.db").rename(tmp_path / name)

    for url in (f"sqlite:///{name}", f"sqlite:///{tmp_path / name}"):
        assert '"a"' in ask("status --json", tmp_path, CASETRAIL_DATABASE_URL=url).stdout


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_the_program_itself_may_use_memory(url: str) -> None:
    """A backtest and tests use it."""
    engine = open_database(url)
    with engine.connect() as conn:
        assert 1 == conn.exec_driver_sql("SELECT 1").scalar()
    engine.dispose()
