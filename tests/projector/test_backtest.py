"""A backtest reports past conclusions with their instants, and touches no database."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from projections.projector.backtest import backtest
from projections.rules.files.loading import pack
from tests.support.builders import (
    Line,
    alerts,
    described,
    detained,
    dismissed,
    encoded,
    instant,
    life,
    report,
    silence,
    states,
)
from tests.support.commands import COMMAND, environment, fact_line, facts_file, run
from tests.support.reading import answer, ask

DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
LATER = described("2022-03-27", name="Second", id="2", recorded="2022-05-02T00:00:00Z")
EARLIER = described("2022-03-27", name="First", id="1", recorded="2022-05-01T00:00:00Z")
SILENT = "2022-07-03T00:00:00Z"
"""The instant at which the silence after DISMISSED is due: 90 days and 7 more after its day."""


def counts(lines: list[Line | bytes], until: str = "2030") -> dict[str, object]:
    """Return the counts of outcomes, without those that are 0."""
    raw = [line if isinstance(line, bytes) else encoded(line)[0] for line in lines]
    outcomes = backtest(raw, pack(), instant(until)).report["counts"]
    return {name: count for name, count in outcomes.items() if count}


def bad(*lines: Line | bytes, until: str = "2030") -> list[tuple[int, str]]:
    """Return the numbers of the bad lines, each with the instant at which it counts as recorded."""
    raw = [line if isinstance(line, bytes) else encoded(line)[0] for line in lines]
    return [(line.number, f"{line.recorded:%Y-%m-%d}") for line in backtest(raw, pack(), instant(until)).bad]


def test_lines_are_read_in_the_order_of_recorded() -> None:
    """The content that is recorded first stays, wherever it stands in the file."""
    first = EARLIER | {"id": "one"}
    second = LATER | {"id": "one"}

    for lines in ([first, second], [second, first]):
        result = report(lines)
        assert "First" == result["subjects"][0]["name"]
        assert {"read": 2, "applied": 1, "duplicate": 0, "conflict": 1, "parked": 0} == result["counts"]


def test_ties_stay_in_the_order_of_the_file() -> None:
    """Lines with one instant stay in the order of the file, over several batches."""
    same = [described("2022-03-27", name=f"Name {n}", id="one", recorded=EARLIER["recorded"]) for n in range(5000)]

    assert "Name 0" == report(same)["subjects"][0]["name"]
    assert "Name 4999" == report(reversed(same))["subjects"][0]["name"]


@pytest.mark.parametrize(
    ("expected", "published"),
    [
        ("2022-04-28T00:00:00Z", "2022-04-27"),
        ("2022-05-01T00:00:00Z", "2022-04"),
        ("2022-04-27T10:30:01Z", "2022-04-27T10:30:00Z"),
        ("2022-04-28T00:00:00Z", "2022-04-27~"),
        ("2022-04-28T00:00:00Z", "2022-04-20/2022-04-27"),
    ],
)
def test_published_stands_in_where_nothing_is_recorded(expected: str, published: str) -> None:
    """A line without `recorded` counts from the latest instant of `published`."""
    results = alerts([DISMISSED, detained("2022-04-20", published=published)])

    assert [("open", expected, "followed")] == life(results)


def test_an_unreadable_line_takes_the_instant_of_the_one_before_it() -> None:
    """
    An unreadable line takes the instant of the line before it in the file.

    Lines before the first readable one take its instant. Without readable lines, they take the end.
    """
    assert [(2, "2022-05-02"), (3, "2022-05-02"), (5, "2022-05-01")] == bad(LATER, b"{", b"[]", EARLIER, b"nonsense")
    assert [(1, "2022-05-01"), (2, "2022-05-01")] == bad(b"{", b"[]", EARLIER)
    assert [(1, "2030-12-31"), (2, "2030-12-31")] == [(n, "2030-12-31") for n, _ in bad(b"{", b"[]")]
    assert {"read": 3, "applied": 1, "parked": 2} == counts([b"{", EARLIER, b"[]"])


def test_lines_after_the_end_are_not_read() -> None:
    """A line after the end is neither read nor reported as bad."""
    lines: list[Line | bytes] = [EARLIER, b"nonsense", LATER, b"{"]

    assert {"read": 2, "applied": 1, "parked": 1} == counts(lines, "2022-05-01T12:00:00Z")
    assert [(2, "2022-05-01")] == bad(*lines, until="2022-05-01T12:00:00Z")
    assert {"read": 1, "applied": 1} == counts([EARLIER], EARLIER["recorded"])
    assert {} == counts([EARLIER], "2022-04-30T23:59:59Z")


def test_the_clock_stops_at_the_end() -> None:
    """An alert that is due at the end itself is not open, because a record of that instant could still come."""
    assert [] == silence([DISMISSED], SILENT)
    assert [("open", SILENT, "deadline")] == life(silence([DISMISSED], "2022-07-03T00:00:00.000001Z"))
    assert SILENT == report([DISMISSED], SILENT)["until"]
    assert "2022-07-04T00:00:00Z" == report([DISMISSED], "2022-07-03")["until"], "a day means its end"


def test_the_report_holds_the_life_of_an_alert() -> None:
    """The report holds the life of an alert up to the end."""
    follow = detained("2022-04-20", recorded="2022-09-01T00:00:00Z")

    assert ["open", "retracted"] == states(silence([DISMISSED, follow]))
    assert ["open"] == states(silence([DISMISSED, follow], "2022-08-30"))


@pytest.mark.parametrize(
    "line",
    [
        DISMISSED | {"id": "2", "recorded": "soon"},
        DISMISSED | {"id": "2", "recorded": 5},
        DISMISSED | {"id": "2", "recorded": "2022-13-01T00:00:00Z"},
        DISMISSED | {"id": "2", "type": "Unheard"},
        DISMISSED | {"id": "2", "data": DISMISSED["data"] | {"occurred": "2022-13-01"}},
        encoded(DISMISSED | {"specversion": "1.0"})[0].replace(b'"id"', b'"id":"2","id"'),
    ],
    ids=["recorded", "a number", "no such month", "unheard of", "no such day", "a key twice"],
)
def test_a_line_that_publish_would_leave_out_is_bad(line: Line | bytes) -> None:
    """A line that publish would refuse is parked, and named by its number in the file, blank lines included."""
    assert {"read": 2, "applied": 1, "parked": 1} == counts([LATER, b"", line])
    assert [3] == [number for number, _ in bad(LATER, b"", line)]


def test_an_empty_file_has_a_report() -> None:
    """An empty file leads to a report with zeros."""
    assert {
        "until": "2031-01-01T00:00:00Z",
        "counts": {"read": 0, "applied": 0, "duplicate": 0, "conflict": 0, "parked": 0},
        "subjects": [],
        "alerts": [],
    } == report([])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of facts: a duplicate, a conflict and a bad line are in it."""
    other = DISMISSED | {"data": DISMISSED["data"] | {"note": "another"}}
    facts_file(tmp_path, *encoded(DISMISSED, DISMISSED, other), b"nonsense", *encoded(EARLIER))
    return tmp_path


def test_bad_lines_are_named_and_the_report_is_printed(folder: Path) -> None:
    """Bad lines are named on stderr with exit code 1, and the whole report is printed."""
    shown, read = ask("backtest facts.ndjson --until 2022-08-01", folder), ask("backtest facts.ndjson --json", folder)

    assert (1, 1) == (shown.returncode, read.returncode)
    assert re.match(r"facts.ndjson:4: broken JSON at place 2: .+ \(want one JSON object\)\n$", shown.stderr)
    assert shown.stderr == read.stderr
    assert {"read": 5, "applied": 2, "duplicate": 1, "conflict": 1, "parked": 1} == json.loads(read.stdout)["counts"]
    assert "Until 2022-08-02T00:00:00Z: 5 read, 2 applied, 1 duplicate, 1 conflict, 1 parked" in shown.stdout


def test_people_are_shown_the_statuses_and_the_lives(folder: Path) -> None:
    """The output for people is a table, and each alert with its sentence and its life."""
    lines = ask("backtest facts.ndjson --until 2022-08-01", folder).stdout.splitlines()

    assert "subject name headline since service custody case before the law" == " ".join(lines[2].split())
    assert "a First dismissed 2022-03-27 dismissed unknown presumed innocent" == " ".join(lines[4].split())
    assert f"  {SILENT}  open: deadline" == lines[-1]
    assert lines[-2] == (
        "dismissed-without-follow-up (warning): First was dismissed (2022-03-27); no new step of a case, no custody"
        " and no return to office is known in the 90 days after."
    )


def test_markup_and_escapes_are_printed_as_text(tmp_path: Path) -> None:
    """Markup and escapes in a name are printed as plain text."""
    facts_file(tmp_path, *encoded(DISMISSED, described("2022-03-27", name="[red]\x1b[31mSerik")))
    shown = ask("backtest facts.ndjson", tmp_path).stdout

    assert r"[red]\x1b[31mSerik" in shown
    assert "\x1b" not in shown


def test_it_reads_standard_input(tmp_path: Path) -> None:
    """A backtest reads standard input, also behind a byte order mark."""
    data = b"\xef\xbb\xbf" + b"\r\n".join(encoded(DISMISSED, EARLIER))
    done = run("backtest - --json", tmp_path, data)

    assert (0, "") == (done.returncode, done.stderr)
    assert 2 == json.loads(done.stdout)["counts"]["applied"]
    assert 0 == json.loads(run("backtest - --json", tmp_path).stdout)["counts"]["read"]


def test_it_touches_no_database(tmp_path: Path) -> None:
    """A backtest runs without settings in a folder without write permission, and writes no file."""
    inherited = {name: value for name, value in environment(tmp_path).items() if not name.startswith("CASETRAIL_")}
    tmp_path.chmod(0o555)
    try:
        done = subprocess.run(
            [*COMMAND, "backtest", "-"], cwd=tmp_path, env=inherited, input=fact_line().encode(), capture_output=True,
            check=False,
        )  # fmt: skip
    finally:
        tmp_path.chmod(0o755)

    assert (0, b"") == (done.returncode, done.stderr)
    assert [] == list(tmp_path.iterdir())


def test_lines_after_the_end_are_reported(tmp_path: Path) -> None:
    """Lines after the end are reported on stderr, because an export carries the time of the log."""
    facts_file(tmp_path, *encoded(LATER, EARLIER))
    none, some, everything = (
        run(f"backtest facts.ndjson --json --until {until}", tmp_path)
        for until in ("2022-04-29", "2022-05-01T00:00:00Z", "2022-05-02")
    )

    assert (0, 0) == (none.returncode, json.loads(none.stdout)["counts"]["read"])
    first, second = "2022-05-01T00:00:00Z", "2022-05-02T00:00:00Z"
    assert f"not read: 2 lines recorded after 2022-04-30T00:00:00Z, the earliest at {first}\n" == none.stderr
    assert f"not read: 1 lines recorded after {first}, the earliest at {second}\n" == some.stderr
    assert "" == everything.stderr


RULES = """rules:
  - id: quick
    title: Dismissed, and nothing followed at once
    on: Dismissed
    absent: [custody]
    for: P1D
    explain: "{name}: nothing."
"""


def test_other_rules_can_be_chosen(tmp_path: Path) -> None:
    """The rules come from --rules, else from CASETRAIL_RULES, else from the pack."""
    facts_file(tmp_path, *encoded(DISMISSED))
    (tmp_path / "rules.yaml").write_text(RULES, "utf-8")
    (tmp_path / "set.yaml").write_text(RULES.replace("quick", "set"), "utf-8")

    def opened(args: str = "", **env: str) -> list[tuple[str, str]]:
        result: Any = answer(f"backtest facts.ndjson --until 2023 {args}", tmp_path, **env)
        return [(alert["rule"], alert["life"][0]["at"]) for alert in result["alerts"]]

    assert [("quick", "2022-03-29T00:00:00Z")] == opened("--rules rules.yaml")
    assert [("dismissed-without-follow-up", SILENT)] == opened()
    assert [("set", "2022-03-29T00:00:00Z")] == opened(CASETRAIL_RULES="set.yaml")
    assert [("quick", "2022-03-29T00:00:00Z")] == opened("--rules rules.yaml", CASETRAIL_RULES="set.yaml")


@pytest.mark.parametrize(
    ("expected", "args"),
    [
        ("rules.yaml:4:9: ", "facts.ndjson --rules rules.yaml"),
        ("missing.yaml:1:1: not readable: No such file or directory", "facts.ndjson --rules missing.yaml"),
        ("missing.ndjson: No such file or directory (want a file of NDJSON, or -)", "missing.ndjson"),
        (".: Is a directory (want a file of NDJSON, or -)", "."),
        ('--until: "soon" is not a date (want EDTF, such as 2024-01-13 or 2024-01)', "facts.ndjson --until soon"),
    ],
)
def test_a_wrong_argument_ends_with_2(tmp_path: Path, expected: str, args: str) -> None:
    """A wrong option, rule file or input file ends with exit code 2 and its place, before any output."""
    facts_file(tmp_path, *encoded(DISMISSED))
    (tmp_path / "rules.yaml").write_text(RULES.replace("Dismissed\n", "Dismised\n"), "utf-8")
    done = ask(f"backtest {args}", tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith(f"casetrail: {expected}")


@pytest.mark.slow
def test_a_long_file_is_handled(tmp_path: Path) -> None:
    """A backtest handles 20,000 facts about 2,000 people, far from the limits of a small machine."""
    lines = (fact_line(subject=f"s{n % 2000}", occurred=f"2022-03-{n % 28 + 1:02}", ref=str(n)) for n in range(20_000))
    facts_file(tmp_path, *lines)
    done = run("backtest facts.ndjson --json", tmp_path)

    assert 20_000 == json.loads(done.stdout)["counts"]["applied"]
