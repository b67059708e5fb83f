"""The demo fits a terminal of 80 columns and 24 lines, and its second example has the documented conclusions."""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from events.decode import complete
from projections.projector.backtest import backtest
from projections.rules.files.loading import pack
from tests.support.commands import SECONDS
from tests.support.places import ROOT

CASETRAIL = Path(sys.executable).parent / "casetrail"
MIXED = (ROOT / "examples" / "mixed-verdict.ndjson").read_bytes().splitlines()
AFTERWARDS = datetime(2023, 6, 1, tzinfo=UTC)
STEPS = 7


def demo(folder: Path, env: Mapping[str, str], *, enters: int | None = None) -> tuple[int, str]:
    """
    Run a copy of the demo in *folder* on a terminal of 80 columns, and return its exit code and its output.

    Args:
        folder: an empty folder, so that the demo does not use the project's database.
        env: further variables.
        enters: the number of times that a person presses Enter; None if stdin is not a terminal.
    """
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    terminal, demo_end = pty.openpty()
    fcntl.ioctl(demo_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("CASETRAIL")}
    stdin = subprocess.DEVNULL if enters is None else demo_end
    with subprocess.Popen(
        [folder / "scripts" / "demo", CASETRAIL], stdin=stdin, stdout=demo_end, stderr=demo_end, cwd=folder,
        env=variables | {"TERM": "xterm", "NO_COLOR": "1"} | dict(env),
    ) as process:  # fmt: skip
        os.close(demo_end)
        os.write(terminal, b"\n" * (enters or 0))
        output = printed(terminal)
        code = process.wait(SECONDS)
    return code, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output).replace("\r\n", "\n")


def printed(terminal: int) -> str:
    """Return all output that is written to the other end of *terminal* until it closes."""
    chunks = []
    try:
        while chunk := os.read(terminal, 65536):
            chunks.append(chunk)
    except OSError:  # on Linux, the end of a terminal that no process holds open
        pass
    os.close(terminal)
    return b"".join(chunks).decode()


@cache
def report() -> Any:
    """Return the report of a backtest of the invented person's facts."""
    return backtest(MIXED, pack(), AFTERWARDS).report


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of the demo without a person at the terminal."""
    code, output = demo(tmp_path_factory.mktemp("demo"), {})
    assert 0 == code, output
    return output


def steps(output: str) -> list[str]:
    """Return the steps of the demo, each from its title on."""
    return re.split(r"(?m)^== \d of \d: ", output)[1:]


def too_wide(output: str) -> list[str]:
    """Return the lines that a terminal of 80 columns would break."""
    return [line for line in output.splitlines() if len(line) > 80]


@pytest.mark.slow
def test_each_step_of_the_demo_fits_a_screen(output: str) -> None:
    """No line is wider than 80 columns, and no step is longer than 24 lines."""
    assert STEPS == len(steps(output))
    assert [] == too_wide(output)
    assert [] == [step for step in steps(output) if len(step.rstrip().splitlines()) > 24]


@pytest.mark.slow
def test_each_step_of_the_demo_prints_a_sentence_a_command_and_its_output(output: str) -> None:
    """Each step prints a sentence, then the command as it is typed, then its output."""
    for step in steps(output):
        sentence, *commands = re.split(r"(?m)^\$ casetrail ", step)
        assert sentence.strip().endswith((".", ")."))
        assert commands
        assert all(command.partition("\n")[2].strip() for command in commands)
    assert "ACQUITTED on 1 of 3 charges" in " ".join(output.split())


@pytest.mark.slow
@pytest.mark.parametrize(("env", "waits"), [({}, STEPS - 1), ({"CI": "true"}, 0)], ids=["a person", "CI"])
def test_the_demo_waits_for_enter_between_steps_only_for_a_person(
    tmp_path: Path, env: dict[str, str], waits: int
) -> None:
    """The demo waits for Enter only for a person; CI does not press it, even if stdin is a terminal."""
    code, output = demo(tmp_path, env, enters=waits)

    assert (0, waits, STEPS) == (code, output.count("[Enter]"), len(steps(output)))
    assert [] == too_wide(output)


@pytest.mark.slow
def test_the_demo_ends_where_a_command_fails(tmp_path: Path) -> None:
    """The demo stops at the first command that fails, after its message."""
    (tmp_path / "demo.db").mkdir()
    code, output = demo(tmp_path, {})

    assert 0 != code
    assert "== 2 of" not in output


def test_the_facts_of_the_mixed_verdict_can_be_read_and_are_all_applied() -> None:
    """The example has no duplicates and no unreadable lines, and no fact in it is flagged."""
    assert {"read": 15, "applied": 15, "duplicate": 0, "conflict": 0, "parked": 0} == report()["counts"]
    assert {"ex-hastola"} == {complete(line, AFTERWARDS)[0].subject for line in MIXED}
    assert [[]] == [row["anomalies"] for row in report()["subjects"]]


def test_one_of_two_posts_was_lost_and_two_papers_say_so() -> None:
    """Two papers report the loss of one post: they agree on one event, and the other post is still held."""
    (row,) = report()["subjects"]
    posts = {post["agency"]: post["status"] for post in row["posts"]}

    assert {"Harbour Authority": "dismissed", "Port City Council": "in_office"} == posts
    assert ("in_office", "Port City Council") == (row["service"]["status"], row["agency"])


def test_the_verdict_is_kept_count_by_count() -> None:
    """Two counts are on appeal, the acquittal on the third is not, and none is final."""
    (row,) = report()["subjects"]
    cases = {case["case_id"]: case for case in row["cases"]}
    counts = [(count["status"], count["on_appeal"], count["final"]) for count in cases["ex-hastola-quay"]["counts"]]

    assert [("convicted", True, False), ("convicted", True, False), ("acquitted", False, False)] == counts
    assert "convicted_not_final" == row["presumption"]
    assert 3 == len(cases["ex-hastola-quay"]["parts"])


def test_custody_is_kept_by_case() -> None:
    """House arrest in one case and bail in the other are kept apart, and the row shows the stricter one."""
    (row,) = report()["subjects"]
    holds = {hold["case_id"]: hold["status"] for hold in row["custody_cases"]}

    assert {"ex-hastola-quay": "house_arrest", "ex-hastola-dredging": "bailed"} == holds
    assert "house_arrest" == row["custody"]["status"]
