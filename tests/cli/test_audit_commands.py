"""`casetrail audit`: the output of its subcommands, for people and for programs."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from projections.tables.database import open_database, write_transaction
from tests.support.builders import project, projector
from tests.support.commands import COMMAND, environment, ndjson, ready, run
from tests.support.reading import answer, ask
from tests.support.tampering import BROKEN, LAST, attack, full_ledger


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database that the commands find: eleven rows in one partition, three facts among them."""
    full_ledger(f"sqlite:///{tmp_path / 'casetrail.db'}").dispose()
    return tmp_path


def tampered(folder: Path) -> Path:
    """The folder, with row 3 edited."""
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    with write_transaction(engine) as conn:
        attack(conn, "UPDATE ledger SET reason = 'x' WHERE seq = 3")
    engine.dispose()
    return folder


def test_verify_says_that_all_holds(folder: Path) -> None:
    """Nothing else is printed, neither for people nor for programs."""
    shown, read = ask("audit verify", folder), ask("audit verify --json", folder)

    assert (0, "partition 0: 11 rows, chain and counts verified\n", "") == (
        shown.returncode,
        shown.stdout,
        shown.stderr,
    )
    assert {"rows": [{"partition": 0, "rows": 11}], "findings": []} == json.loads(read.stdout)
    assert 0 == read.returncode


def test_verify_names_the_place_and_exits_with_1(folder: Path) -> None:
    """A script in a crontab needs the exit code."""
    shown, read = run("audit verify", tampered(folder)), ask("audit verify --json", folder)

    assert (1, f"partition 0, row 3, offset 1: {BROKEN}\n", "") == (shown.returncode, shown.stdout, shown.stderr)
    assert 1 == read.returncode
    assert {
        "rows": [{"partition": 0, "rows": 2}],
        "findings": [{"partition": 0, "seq": 3, "offset": 1, "what": BROKEN}],
    } == json.loads(read.stdout)


def test_verify_holds_the_chain_against_heads(folder: Path) -> None:
    """An earlier head from `audit head` must still be in the chain."""
    (kept,) = answer("audit head", folder)
    shown = ask("audit head", folder)
    with open_database(f"sqlite:///{folder / 'casetrail.db'}").connect() as conn:
        project(projector(conn.engine), [LAST | {"id": "later"}])

    assert ["partition", "seq", "hash", "recorded"] == list(kept)
    assert f"{kept['hash']}  partition 0, row 11, {kept['recorded']}\n" == shown.stdout
    assert 0 == ask(f"audit verify --head {kept['hash']}", folder).returncode

    other = ask(f"audit verify --head {kept['hash']} --head {'a' * 64}", folder)
    assert (1, f"every partition: no chain holds the hash {'a' * 64}: it was rewritten, or another head is meant") == (
        other.returncode, other.stdout.splitlines()[0]
    )  # fmt: skip


@pytest.mark.parametrize("given", ["", "6f1e", "g" * 64, "a" * 65, f"{'a' * 64} "])
def test_a_head_that_is_no_hash_is_refused(folder: Path, given: str) -> None:
    """A mistake in copying must not look like a forgery."""
    done = ask(["audit", "verify", "--head", given], folder)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr == (
        f'casetrail: --head: "{given}" is not a hash (want 64 hex digits, as `casetrail audit head` prints them)\n'
    )


def test_an_empty_ledger_holds(tmp_path: Path) -> None:
    """The ledger has no rows yet, and no head."""
    ready(tmp_path)
    verified, headed = ask("audit verify", tmp_path), ask("audit head", tmp_path)
    exported = run("audit export", tmp_path)

    assert (0, "the ledger is empty\n") == (verified.returncode, verified.stdout)
    assert (0, "", "the ledger is empty\n") == (headed.returncode, headed.stdout, headed.stderr)
    assert (0, "") == (exported.returncode, exported.stdout)
    assert {"rows": [], "findings": []} == answer("audit verify", tmp_path)


def test_what_export_writes_publish_and_backtest_take(folder: Path) -> None:
    """The export goes into a file or to standard output."""
    exported = run("audit export", folder)
    run("audit export -o facts.ndjson", folder)

    assert exported.stdout == (folder / "facts.ndjson").read_text("utf-8")
    assert 3 == len(ndjson(exported.stdout))
    assert "3 valid, 0 bad" in run("publish --check facts.ndjson", folder).stderr
    assert 3 == json.loads(run("backtest - --json", folder, exported.stdout).stdout)["counts"]["applied"]


def test_an_export_to_a_place_that_cannot_be_written_is_a_slip(folder: Path) -> None:
    """Nothing was exported, and the message names the place."""
    done = run("audit export -o missing/facts.ndjson", folder)

    assert (2, "casetrail: missing/facts.ndjson: No such file or directory (want a file that can be written)\n") == (
        done.returncode, done.stderr
    )  # fmt: skip


@pytest.mark.slow
def test_progress_shows_on_a_terminal_and_never_in_the_output(folder: Path) -> None:
    """A long verification shows its progress on a terminal; a pipe gets the verdict alone."""
    shown, terminal = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "audit", "verify"], cwd=folder, env=environment(folder) | {"TERM": "xterm"}, stderr=terminal,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    os.close(terminal)

    assert b"Verifying" in os.read(shown, 10_000)
    assert b"partition 0: 11 rows, chain and counts verified\n" == done.stdout
    os.close(shown)
