"""`casetrail rules backtest`: counts and people, on a file of facts and on a database."""

import json
from pathlib import Path

import pytest

from tests.support.builders import detained, dismissed, encoded
from tests.support.commands import facts_file
from tests.support.reading import answer, ask, database_with
from tests.support.rules import SEQUENCE, SILENCE

STORY = [
    dismissed("2022-03-27", subject="a", recorded="2022-03-28T00:00:00Z"),
    dismissed("2022-03-27", subject="b", recorded="2022-03-28T00:00:00Z"),
    detained("2022-04-20", subject="b", recorded="2022-04-21T00:00:00Z"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two rules, a file of facts, and a database with the same facts."""
    (tmp_path / "mine.yaml").write_text(SILENCE + SEQUENCE.partition("\n")[2], "utf-8")
    facts_file(tmp_path, *encoded(*STORY))
    database_with(tmp_path, *STORY, passed="2022-05-01").dispose()
    return tmp_path


def on(source: str, *options: str) -> list[str]:
    """Return the arguments of a backtest on *source*."""
    return ["rules", "backtest", "mine.yaml", "--on", source, "--until", "2023", *options]


def test_counts_come_first_and_then_the_people(folder: Path) -> None:
    """Each rule has its numbers by state, and each person the sentences."""
    shown = ask(on("facts.ndjson"), folder).stdout

    assert ["sequence", "1", "1", "1", "0", "0", "0"] in [line.split() for line in shown.splitlines()]
    assert ["silence", "2", "2", "2", "0", "0", "0"] in [line.split() for line in shown.splitlines()]
    assert shown.index("silence") < shown.index("\na\n  silence (open 2022-07-03): a was dismissed (2022-03-27).")
    assert "\nb\n  sequence (open 2022-04-21): b was dismissed and detained.\n  silence (open" in shown


def test_a_database_gives_the_same_as_the_file(folder: Path) -> None:
    """The configured database, its URL, its file, and the file of facts have the same facts."""
    from_file = answer(on("facts.ndjson"), folder)

    assert from_file == answer(on("database"), folder)
    assert from_file == answer(on(f"sqlite:///{folder / 'casetrail.db'}"), folder)
    assert from_file == answer(on("casetrail.db"), folder)
    assert {"open": 2, "resolved": 0, "retracted": 0, "superseded": 0} == from_file["rules"][1]["states"]


def test_bad_lines_of_a_file_are_reported(folder: Path) -> None:
    """The rest is replayed, and the exit code is 1."""
    facts_file(folder, *encoded(*STORY), "{")
    done = ask(on("facts.ndjson", "--json"), folder)

    assert 1 == done.returncode
    assert "facts.ndjson:4: broken JSON" in done.stderr
    assert 2 == len(json.loads(done.stdout)["people"])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.ndjson", "missing.ndjson: No such file or directory (want a file of NDJSON, or -)"),
        ("mysql://x", '--on: "mysql" is not a kind of database that casetrail knows'),
        ("sqlite:///gone.db", "there is no database gone.db"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(folder: Path, source: str, message: str) -> None:
    """A mistake of usage ends with 2, a database that is not there with 3."""
    done = ask(on(source), folder)

    assert message in done.stderr
    assert (3 if "gone" in source else 2) == done.returncode
    assert not (folder / "gone.db").exists()


def test_a_bad_rule_file_changes_and_reads_nothing(folder: Path) -> None:
    """The rules are checked before anything is opened."""
    (folder / "mine.yaml").write_text("rules: [a]\n", "utf-8")
    done = ask(on("missing.ndjson"), folder)

    assert (2, True) == (done.returncode, "mine.yaml:1:9" in done.stderr)
