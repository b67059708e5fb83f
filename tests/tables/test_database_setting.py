"""CASETRAIL_DATABASE_URL: only a database that is there for the next command too is taken."""

from pathlib import Path

import pytest

from projections.tables.database import open_database
from tests.support.builders import dismissed
from tests.support.reading import ask, known

MEMORY = "is a database in memory (want sqlite:///FILE: every command is a process of its own)"
ALONE = "behind the file (want sqlite:///FILE alone: casetrail chooses how it opens it)"
URI = "a URI of SQLite's own as the file (want sqlite:///FILE with the file's plain name)"
THREE = "a machine in the URL of a SQLite database (want sqlite:///FILE, with three slashes before the file)"


@pytest.mark.parametrize("command", ["init", "publish facts.ndjson", "status", "doctor", "run", "backup copy.db"])
@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///casetrail.db?mode=ro", "sqlite:///."])
def test_every_command_refuses_a_database_that_cannot_serve(tmp_path: Path, command: str, url: str) -> None:
    """A mistake of usage, before anything is tried: what is published into memory is gone with the command."""
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
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, url: str, said: str) -> None:
    """With what is wanted in its place, and without a password that somebody has put into it."""
    done = ask("init", tmp_path, CASETRAIL_DATABASE_URL=url)

    assert f"casetrail: CASETRAIL_DATABASE_URL: {said}\n" == done.stderr


@pytest.mark.parametrize("name", ["casetrail.db", "a b.db", "memory", "Жаңа.db"])
def test_any_plain_file_is_taken(tmp_path: Path, name: str) -> None:
    """In the folder where the command runs, or by its whole path."""
    known(tmp_path, dismissed("2022-03-27")).dispose()
    (tmp_path / "casetrail.db").rename(tmp_path / name)

    for url in (f"sqlite:///{name}", f"sqlite:///{tmp_path / name}"):
        assert '"a"' in ask("status --json", tmp_path, CASETRAIL_DATABASE_URL=url).stdout


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_the_program_itself_may_use_memory(url: str) -> None:
    """A backtest does, and so do tests."""
    engine = open_database(url)
    with engine.connect() as conn:
        assert 1 == conn.exec_driver_sql("SELECT 1").scalar()
    engine.dispose()
