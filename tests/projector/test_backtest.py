"""A backtest says what would have been known, and when, had casetrail been running; and touches no database."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from projections.projector.backtest import backtest
from projections.rules.rulebook import pack
from tests.support.builders import (
    Line,
    alerts,
    described,
    detained,
    dismissed,
    instant,
    life,
    report,
    silence,
    states,
    story,
)
from tests.support.commands import COMMAND, environment, fact_line, facts_file, run
from tests.support.reading import answer, ask

DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
LATER = described("2022-03-27", name="Second", id="2", recorded="2022-05-02T00:00:00Z")
EARLIER = described("2022-03-27", name="First", id="1", recorded="2022-05-01T00:00:00Z")
SILENT = "2022-07-03T00:00:00Z"
"""When the silence about DISMISSED is due: 90 days and 7 more after its day."""


def counts(lines: list[Line | bytes], until: str = "2030") -> dict[str, int]:
    """What became of the lines, but for what there is none of."""
    raw = [line if isinstance(line, bytes) else story(line)[0] for line in lines]
    found = backtest(raw, pack(), instant(until)).report["counts"]
    return {name: count for name, count in found.items() if count}


def bad(*lines: Line | bytes, until: str = "2030") -> list[tuple[int, str]]:
    """The bad lines, each with the instant from which on it counted."""
    raw = [line if isinstance(line, bytes) else story(line)[0] for line in lines]
    return [(line.number, f"{line.recorded:%Y-%m-%d}") for line in backtest(raw, pack(), instant(until)).bad]


def test_lines_are_read_in_the_order_of_recorded() -> None:
    """Of two contents under one id the one recorded first stays, wherever it is in the file."""
    first = EARLIER | {"id": "one"}
    second = LATER | {"id": "one"}

    for lines in ([first, second], [second, first]):
        found = report(lines)
        assert "First" == found["subjects"][0]["name"]
        assert {"read": 2, "applied": 1, "duplicate": 0, "conflict": 1, "parked": 0} == found["counts"]


def test_ties_stay_in_the_order_of_the_file() -> None:
    """As a log would have them, and more than one batch of them."""
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
    """By its latest instant: by then everybody knew."""
    found = alerts([DISMISSED, detained("2022-04-20", published=published)])

    assert [("open", expected, "followed")] == life(found)


def test_an_unreadable_line_takes_the_instant_of_the_one_before_it() -> None:
    """In the file; those before the first readable one take its instant, and without any there is only the end."""
    assert [(2, "2022-05-02"), (3, "2022-05-02"), (5, "2022-05-01")] == bad(LATER, b"{", b"[]", EARLIER, b"nonsense")
    assert [(1, "2022-05-01"), (2, "2022-05-01")] == bad(b"{", b"[]", EARLIER)
    assert [(1, "2030-12-31"), (2, "2030-12-31")] == [(n, "2030-12-31") for n, _ in bad(b"{", b"[]")]
    assert {"read": 3, "applied": 1, "parked": 2} == counts([b"{", EARLIER, b"[]"])


def test_lines_after_the_end_are_not_read() -> None:
    """Nor said to be bad: they had not come yet."""
    lines: list[Line | bytes] = [EARLIER, b"nonsense", LATER, b"{"]

    assert {"read": 2, "applied": 1, "parked": 1} == counts(lines, "2022-05-01T12:00:00Z")
    assert [(2, "2022-05-01")] == bad(*lines, until="2022-05-01T12:00:00Z")
    assert {"read": 1, "applied": 1} == counts([EARLIER], EARLIER["recorded"])
    assert {} == counts([EARLIER], "2022-04-30T23:59:59Z")


def test_the_clock_stops_at_the_end() -> None:
    """What is due at that very instant is not open, since a record of that instant could still have come."""
    assert [] == silence([DISMISSED], SILENT)
    assert [("open", SILENT, "deadline")] == life(silence([DISMISSED], "2022-07-03T00:00:00.000001Z"))
    assert SILENT == report([DISMISSED], SILENT)["until"]
    assert "2022-07-04T00:00:00Z" == report([DISMISSED], "2022-07-03")["until"], "a day means its end"


def test_the_whole_life_of_an_alert_is_told() -> None:
    """Up to the end, and no further."""
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
        story(DISMISSED | {"specversion": "1.0"})[0].replace(b'"id"', b'"id":"2","id"'),
    ],
    ids=["recorded", "a number", "no such month", "unheard of", "no such day", "a key twice"],
)
def test_a_line_that_publish_would_leave_out_is_bad(line: Line | bytes) -> None:
    """Parked, whatever could be read of it, and named by its number in the file, blank lines counted."""
    assert {"read": 2, "applied": 1, "parked": 1} == counts([LATER, b"", line])
    assert [3] == [number for number, _ in bad(LATER, b"", line)]


def test_nothing_at_all_is_a_report_too() -> None:
    """Of zeros."""
    assert {
        "until": "2031-01-01T00:00:00Z",
        "counts": {"read": 0, "applied": 0, "duplicate": 0, "conflict": 0, "parked": 0},
        "subjects": [],
        "alerts": [],
    } == report([])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of facts, one of them twice, one in conflict, and a bad line."""
    other = DISMISSED | {"data": DISMISSED["data"] | {"note": "another"}}
    facts_file(tmp_path, *story(DISMISSED, DISMISSED, other), b"nonsense", *story(EARLIER))
    return tmp_path


def test_bad_lines_are_named_and_the_report_is_printed(folder: Path) -> None:
    """Exit 1, and the output is whole."""
    shown, read = ask("backtest facts.ndjson --until 2022-08-01", folder), ask("backtest facts.ndjson --json", folder)

    assert (1, 1) == (shown.returncode, read.returncode)
    assert re.match(r"facts.ndjson:4: broken JSON at place 2: .+ \(want one JSON object\)\n$", shown.stderr)
    assert shown.stderr == read.stderr
    assert {"read": 5, "applied": 2, "duplicate": 1, "conflict": 1, "parked": 1} == json.loads(read.stdout)["counts"]
    assert "Until 2022-08-02T00:00:00Z: 5 read, 2 applied, 1 duplicate, 1 conflict, 1 parked" in shown.stdout


def test_people_are_shown_the_statuses_and_the_lives(folder: Path) -> None:
    """A table, and each alert with what it is and went through; an id is the id of a fact."""
    lines = ask("backtest facts.ndjson --until 2022-08-01", folder).stdout.splitlines()

    assert "subject name headline since service custody case before the law" == " ".join(lines[2].split())
    assert "a First dismissed 2022-03-27 dismissed unknown presumed innocent" == " ".join(lines[4].split())
    assert f"  {SILENT}  open: deadline" == lines[-1]
    assert lines[-2] == (
        "dismissed-without-follow-up (warning): First was dismissed (2022-03-27); no new step of a case, no custody"
        " and no return to office is known in the 90 days after."
    )


def test_what_a_terminal_would_act_on_is_shown_and_not_done(tmp_path: Path) -> None:
    """Markup and escapes in a name are somebody's text."""
    facts_file(tmp_path, *story(DISMISSED, described("2022-03-27", name="[red]\x1b[31mSerik")))
    shown = ask("backtest facts.ndjson", tmp_path).stdout

    assert r"[red]\x1b[31mSerik" in shown
    assert "\x1b" not in shown


def test_it_reads_standard_input(tmp_path: Path) -> None:
    """From a pipe, and behind the mark that some editors put at the start of a file."""
    given = b"\xef\xbb\xbf" + b"\r\n".join(story(DISMISSED, EARLIER))
    done = run("backtest - --json", tmp_path, given)

    assert (0, "") == (done.returncode, done.stderr)
    assert 2 == json.loads(done.stdout)["counts"]["applied"]
    assert 0 == json.loads(run("backtest - --json", tmp_path).stdout)["counts"]["read"]


def test_it_touches_no_database(tmp_path: Path) -> None:
    """Without any setting, in a folder where nothing may be written, nothing is."""
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


def test_it_says_what_lies_after_its_end(tmp_path: Path) -> None:
    """An export bears the time of our log: whoever stops the clock before all of it is told why nothing was read."""
    facts_file(tmp_path, *story(LATER, EARLIER))
    none, some, everything = (
        run(f"backtest facts.ndjson --json --until {until}", tmp_path)
        for until in ("2022-04-29", "2022-05-01T00:00:00Z", "2022-05-02")
    )

    assert (0, 0) == (none.returncode, json.loads(none.stdout)["counts"]["read"])
    assert "not read: 2 recorded after 2022-04-30T00:00:00Z, the earliest at 2022-05-01T00:00:00Z\n" == none.stderr
    assert "not read: 1 recorded after 2022-05-01T00:00:00Z, the earliest at 2022-05-02T00:00:00Z\n" == some.stderr
    assert "" == everything.stderr


RULES = """rules:
  - id: quick
    title: Dismissed, and nothing followed at once
    on: Dismissed
    absent: [custody]
    for: P1D
    explain: "{name}: nothing."
"""


def test_other_rules_are_tried(tmp_path: Path) -> None:
    """Those of --rules, else those of CASETRAIL_RULES, else the ones that ship."""
    facts_file(tmp_path, *story(DISMISSED))
    (tmp_path / "rules.yaml").write_text(RULES, "utf-8")
    (tmp_path / "set.yaml").write_text(RULES.replace("quick", "set"), "utf-8")

    def asked(args: str = "", **env: str) -> list[tuple[str, str]]:
        found: Any = answer(f"backtest facts.ndjson --until 2023 {args}", tmp_path, **env)
        return [(alert["rule"], alert["life"][0]["at"]) for alert in found["alerts"]]

    assert [("quick", "2022-03-29T00:00:00Z")] == asked("--rules rules.yaml")
    assert [("dismissed-without-follow-up", SILENT)] == asked()
    assert [("set", "2022-03-29T00:00:00Z")] == asked(CASETRAIL_RULES="set.yaml")
    assert [("quick", "2022-03-29T00:00:00Z")] == asked("--rules rules.yaml", CASETRAIL_RULES="set.yaml")


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
def test_a_slip_ends_with_2_before_anything_is_read(tmp_path: Path, expected: str, args: str) -> None:
    """And says where."""
    facts_file(tmp_path, *story(DISMISSED))
    (tmp_path / "rules.yaml").write_text(RULES.replace("Dismissed\n", "Dismised\n"), "utf-8")
    done = ask(f"backtest {args}", tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith(f"casetrail: {expected}")


@pytest.mark.slow
def test_a_long_file_is_no_matter(tmp_path: Path) -> None:
    """20,000 facts about 2,000 people: far from the limits of a small machine."""
    lines = (fact_line(subject=f"s{n % 2000}", occurred=f"2022-03-{n % 28 + 1:02}", ref=str(n)) for n in range(20_000))
    facts_file(tmp_path, *lines)
    done = run("backtest facts.ndjson --json", tmp_path)

    assert 20_000 == json.loads(done.stdout)["counts"]["applied"]
