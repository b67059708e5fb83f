"""The exit codes of commands after the reader of stdout has closed the pipe, as `| head -1` does after a line."""

import os
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import update

from projections.tables.schema import LIVE
from tests.support.builders import dismissed, instant
from tests.support.commands import COMMAND, SECONDS, environment, fact_line, facts_file, many
from tests.support.reading import database_with
from tests.support.scenario_db import change
from tests.support.tampering import attack


def unread(args: str, folder: Path, stderr: int = subprocess.PIPE) -> tuple[int, str]:
    """Run ``casetrail`` with *args* and a closed pipe as stdout; return its exit code and its text on *stderr*."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        done = subprocess.run(
            [*COMMAND, *args.split()],
            cwd=folder,
            env=environment(folder),
            stdout=stdout,
            stderr=stderr,
            timeout=SECONDS,
            check=False,
        )
    return done.returncode, (done.stderr or b"").decode()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with a database whose ledger and statuses were changed, a bad rule file and bad facts."""
    facts = (dismissed("2022-03-27", subject=f"s{n}") for n in range(300))
    engine = database_with(tmp_path, *facts, b"no fact", passed="2022-10-01")
    change(engine, update(LIVE.subjects).values(due=instant("2040")))
    with engine.begin() as conn:
        attack(conn, "UPDATE ledger SET reason = 'forged' WHERE seq = 2")
    engine.dispose()
    (tmp_path / "rules.yaml").write_text("rules: 1\n", "utf-8")
    facts_file(tmp_path, *many(300).splitlines(), "{}")
    return tmp_path


@pytest.mark.parametrize("json", ["", " --json"])
@pytest.mark.parametrize(
    "args",
    [
        *("rebuild --check", "audit verify", "rules check rules.yaml", "doctor", "backtest facts.ndjson"),
        *("publish --check facts.ndjson", "id facts.ndjson", "parked replay --all"),
    ],
)
def test_a_verdict_stands_however_little_of_it_is_read(broken: Path, args: str, json: str) -> None:
    """With `set -o pipefail`, a script acts on the exit code. It must not depend on the number of lines read."""
    code, said = unread(args + json, broken)

    assert 1 == code
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


@pytest.mark.parametrize("args", ["audit verify", "rules check rules.yaml", "publish --check facts.ndjson"])
def test_a_verdict_stands_if_nobody_reads_the_messages_either(broken: Path, args: str) -> None:
    """With `2>&1 | head -1`, the messages go into the closed pipe too."""
    assert 1 == unread(args, broken, subprocess.STDOUT)[0]


@pytest.mark.parametrize("args", ["status", "status --json", "alerts --json", "audit head", "audit export", "schema"])
def test_where_there_is_nothing_to_judge_nothing_is_wrong(broken: Path, args: str) -> None:
    """The exit code is 0 and no message is printed, however much output was left."""
    assert (0, "") == unread(args, broken)


def test_what_is_wrong_is_said_though_nobody_reads_the_rest(tmp_path: Path) -> None:
    """Messages go to stderr, which has another reader."""
    facts_file(tmp_path, fact_line(), "{}")

    code, said = unread("backtest facts.ndjson", tmp_path)

    assert 1 == code
    assert said.startswith("facts.ndjson:2: type: missing")
