"""`casetrail parked` and `casetrail conflicts`: rejected records are kept, listed, replayed and dismissed."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from projections.projector.projector import project_together
from projections.tables.bulk import store
from projections.tables.database import open_database, write_transaction
from projections.tables.schema import ledger, log, partitions
from tests.support import builders
from tests.support.builders import detained, dismissed, retracted
from tests.support.commands import run
from tests.support.reading import answer, ask, database_with

BROKEN = b'{"nonsense"'
BYTES = b"\xff\x00\x1b[31m"


def parked(folder: Path, options: str = "") -> list[dict[str, Any]]:
    """The parked records."""
    found = answer(f"parked list {options}", folder)
    assert isinstance(found, list)
    return found


def counts(folder: Path) -> dict[str, int]:
    """The outcomes of the records read, with their counts."""
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    with engine.connect() as conn:
        row = conn.execute(select(partitions)).mappings().one()
    return {
        name: row[name] for name in ("read", "applied", "duplicate", "conflict", "parked", "forwarded") if row[name]
    }


def test_what_is_parked_is_listed_with_the_reason(tmp_path: Path) -> None:
    """The list has position, row, reason, size and the first characters, safe to print."""
    database_with(tmp_path, dismissed("2022-03-27"), BROKEN, BYTES)
    broken, not_text = parked(tmp_path)

    assert ({"partition": 0, "offset": 1}, "not_json", 11, '{"nonsense"', False) == tuple(
        broken[name] for name in ("position", "code", "size", "preview", "dismissed")
    )
    assert broken["reason"].startswith("broken JSON at place 11")
    assert ("not_utf8", 7, "\\xff\\x00\\x1b[31m") == tuple(not_text[name] for name in ("code", "size", "preview"))


def test_where_nothing_is_wrong_that_is_said(tmp_path: Path) -> None:
    """The message is on stderr: an empty table would not show that the command looked."""
    database_with(tmp_path, dismissed("2022-03-27"))
    shown = {command: ask(command, tmp_path) for command in ("parked list", "parked list --all", "conflicts")}

    assert {""} == {done.stdout for done in shown.values()}
    assert "no record is parked (--all includes dismissed records)\n" == shown["parked list"].stderr
    assert "no record is parked\n" == shown["parked list --all"].stderr
    assert "there are no conflicts\n" == shown["conflicts"].stderr


@pytest.mark.parametrize("command", ["parked", "parked list"])
def test_the_table_of_what_is_parked_is_safe_to_print(tmp_path: Path, command: str) -> None:
    """Bytes from outside reach no terminal as a command."""
    database_with(tmp_path, BYTES, b"\x1b[31m" + "\u202e[bold]".encode())
    shown = ask(command, tmp_path).stdout

    assert not {"\x1b", "\x00", "\u202e"} & set(shown)
    assert "0:0" in shown
    assert "not_utf8" in shown
    assert "\\x1b[31m\\u202e[bold]" in shown


def test_show_gives_reason_and_bytes(tmp_path: Path) -> None:
    """The bytes are text with escapes, for the person that repairs the tool that wrote it."""
    database_with(tmp_path, BYTES)
    shown = ask("parked show 0:0", tmp_path).stdout

    assert "reason: not_utf8: byte 0xff at place 1 is not UTF-8 (want UTF-8)\n7 bytes:\n\\xff\\x00\\x1b[31m\n" in shown


def test_show_gives_the_key_and_the_headers_of_a_record(tmp_path: Path) -> None:
    """In binary mode only the headers name the subject and the source. In text they are safe to print."""
    headers = [["ce_type", "Beheaded"], ["ce_id", "1\x1b[31m"], ["ce_source", None], ["ce_subject", {"base64": "/w=="}]]
    database_with(tmp_path)
    with write_transaction(open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")) as conn:
        store(conn, log, [(0, builders.NOW, b"kz-\xff", headers, b"{}")])
    ask("project", tmp_path)
    shown = ask("parked show 0:0", tmp_path).stdout
    (listed,) = parked(tmp_path)

    assert [
        "key: kz-\\xff",
        "header ce_type: Beheaded",
        "header ce_id: 1\\x1b[31m",
        "header ce_source: (no value)",
        'header ce_subject: {"base64": "/w=="}',
        "2 bytes:",
        "{}",
    ] == shown.splitlines()[2:]
    assert ("kz-\\xff", headers) == (listed["key"], listed["headers"])


def test_raw_writes_the_exact_bytes(tmp_path: Path) -> None:
    """The bytes of a parked record are unchanged."""
    database_with(tmp_path, b"no \r\n JSON")

    assert "no \r\n JSON" == run("parked show 0:0 --raw", tmp_path).stdout


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("show 0:0", 1, "0:0 is not parked"),
        ("show 0:99", 1, "0:99 is not parked"),
        ("show 17", 2, '"17" is not a position'),
        ("show 0:x", 2, '"0:x" is not a position'),
        ("replay 0:99", 1, "0:99 is not parked"),
        ("replay", 2, "no record is named"),
        ("replay --all 0:1", 2, "both positions and --all"),
        ("dismiss 0:0 --reason test", 1, "0:0 is not parked"),
    ],
)
def test_a_position_that_is_not_parked_is_said_to_be_so(tmp_path: Path, command: str, code: int, said: str) -> None:
    """A record that was applied is left alone."""
    database_with(tmp_path, dismissed("2022-03-27"), BROKEN)
    done = ask(f"parked {command}", tmp_path)

    assert (code, "") == (done.returncode, done.stdout)
    assert said in done.stderr
    assert {"read": 2, "applied": 1, "parked": 1} == counts(tmp_path)


def test_dismissed_records_are_kept_and_shout_no_longer(tmp_path: Path) -> None:
    """They still count as parked, and --all lists them with the reason of the dismissal."""
    database_with(tmp_path, BROKEN, BYTES)

    assert 0 == ask(["parked", "dismiss", "0:0", "--reason", "a test of ours"], tmp_path).returncode
    assert [1] == [record["position"]["offset"] for record in parked(tmp_path)]
    assert [(True, "a test of ours"), (False, None)] == [
        (record["dismissed"], record["dismissed_reason"]) for record in parked(tmp_path, "--all")
    ]
    assert {"read": 2, "parked": 2} == counts(tmp_path)
    assert "dismissed: a test of ours" in ask("parked show 0:0", tmp_path).stdout


def test_a_record_is_dismissed_once(tmp_path: Path) -> None:
    """A second dismissal is refused."""
    database_with(tmp_path, BROKEN)
    ask("parked dismiss 0:0 --reason test", tmp_path)

    assert 1 == ask("parked dismiss 0:0 --reason again", tmp_path).returncode


def test_a_replay_that_finds_nothing_new_ends_with_1(tmp_path: Path) -> None:
    """The record stays parked, once, by a new row of the ledger."""
    database_with(tmp_path, BROKEN)
    done = ask("parked replay 0:0", tmp_path)

    assert 1 == done.returncode
    assert done.stdout.startswith("0:0 parked not_json: ")
    assert [(0, 3)] == [(record["position"]["offset"], record["seq"]) for record in parked(tmp_path)]
    assert {"read": 1, "parked": 1} == counts(tmp_path)


def test_a_replay_answers_in_the_shape_of_the_list(tmp_path: Path) -> None:
    """A program that reads the list can read the replay. Code and reason are separate fields in both."""
    wrongly_parked(tmp_path, BROKEN, dismissed("2022-03-27"))
    still, taken = json.loads(ask("parked replay --all --json", tmp_path).stdout)
    (listed,) = parked(tmp_path)

    assert listed | {"outcome": "parked", "fact_id": None} == still
    assert listed.keys() == taken.keys() - {"outcome", "fact_id"}
    assert ("applied", None, None) == (taken["outcome"], taken["code"], taken["reason"])
    assert taken["fact_id"]


def wrongly_parked(folder: Path, *lines: builders.Line | bytes) -> None:
    """Records that an earlier release could not read and parked, and that this release can read."""
    engine = database_with(folder)
    projector = builders.projector(engine)
    for record in builders.records(lines):
        # The row looks as if the reading had failed.
        project_together([(projector, [record])], builders.instant("2030"), ValueError())


def test_a_replay_applies_what_this_release_can_read(tmp_path: Path) -> None:
    """The replayed record is a fact like any other, at its own position."""
    wrongly_parked(tmp_path, dismissed("2022-03-27"), dismissed("2022-03-27", subject="b"))
    done = ask("parked replay --all --json", tmp_path)

    assert [(0, "applied"), (1, "applied")] == [
        (result["position"]["offset"], result["outcome"]) for result in json.loads(done.stdout)
    ]
    assert (0, []) == (done.returncode, parked(tmp_path))
    assert {"read": 2, "applied": 2} == counts(tmp_path)
    assert "dismissed" == answer("status a", tmp_path)[0]["headline"]


def test_a_replay_raises_the_alerts_of_the_rules_in_force(tmp_path: Path) -> None:
    """A dismissal and an arrest that were parked are a finding as soon as they can be read."""
    wrongly_parked(tmp_path, dismissed("2022-03-27"), detained("2022-04-20", case="c"))
    ask("parked replay --all", tmp_path)

    assert ["dismissal-before-arrest"] == [alert["rule"] for alert in answer("alerts", tmp_path)]


def test_what_was_dismissed_and_is_replayed_in_vain_shouts_again(tmp_path: Path) -> None:
    """A replay without success comes after the dismissal, so the record is listed again."""
    database_with(tmp_path, BROKEN)
    ask("parked dismiss 0:0 --reason test", tmp_path)
    ask("parked replay 0:0", tmp_path)

    assert [(False, None)] == [
        (record["dismissed"], record["dismissed_reason"]) for record in parked(tmp_path, "--all")
    ]
    assert parked(tmp_path) == parked(tmp_path, "--all")


def test_all_leaves_alone_what_was_dismissed(tmp_path: Path) -> None:
    """A person dismissed it: it is replayed only if its position is named."""
    wrongly_parked(tmp_path, dismissed("2022-03-27"), dismissed("2022-03-27", subject="b"))
    ask("parked dismiss 0:0 --reason test", tmp_path)

    assert "0:1 applied\n" == ask("parked replay --all", tmp_path).stdout
    assert "0:0 applied\n" == ask("parked replay 0:0 0:0", tmp_path).stdout
    assert {"read": 2, "applied": 2} == counts(tmp_path)


def test_the_chain_holds_after_replays_and_dismissals(tmp_path: Path) -> None:
    """Replays and dismissals are rows of the ledger too."""
    wrongly_parked(tmp_path, dismissed("2022-03-27"))
    ask("parked dismiss 0:0 --reason test", tmp_path)
    ask("parked replay 0:0", tmp_path)

    assert 0 == ask("audit verify", tmp_path).returncode
    engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
    with engine.connect() as conn:
        assert ["rules", "record", "dismissal", "replay"] == list(
            conn.scalars(select(ledger.c.entry).order_by(ledger.c.seq))
        )


def test_a_conflict_shows_both_contents_and_what_differs(tmp_path: Path) -> None:
    """The first content is in force. A reader sees both, and the position of each."""
    first = dismissed("2022-03-27", id="same", ground="loss of trust")
    database_with(tmp_path, first, dismissed("2022-03-28", id="same"))
    (conflict,) = answer("conflicts", tmp_path)
    shown = ask("conflicts", tmp_path).stdout

    assert ("same", "a") == (conflict["fact_id"], conflict["subject_id"])
    assert (0, 1) == tuple(conflict[side]["position"]["offset"] for side in ("first", "other"))
    assert ("2022-03-27", "2022-03-28") == tuple(
        conflict[side]["content"]["data"]["occurred"] for side in ("first", "other")
    )
    assert ["data.occurred", "data.published", "data.ground"] == conflict["differs"]
    assert conflict["differs"] == [line.split()[1] for line in shown.splitlines() if "≠" in line]
    assert "data.sources.0.title" in shown
    assert "(nothing)" in shown


def test_a_key_is_listed_for_people_and_for_programs(tmp_path: Path) -> None:
    """The key may name the person of a record that cannot be read. It is safe to print in both forms."""
    database_with(tmp_path)
    engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
    with write_transaction(engine) as conn:
        store(conn, log, [(0, builders.NOW, b"kz-\x1b[31m", None, b"{"), (1, builders.NOW, None, None, b"{")])
    engine.dispose()
    ask("project", tmp_path)
    header, _, first, second = ask("parked list", tmp_path).stdout.splitlines()

    assert ["kz-\\x1b[31m", None] == [record["key"] for record in parked(tmp_path)]
    assert "key" in header.split()
    assert header.index("key") == first.index("kz-\\x1b[31m")
    assert " " == second[header.index("key")]


def test_a_conflict_says_if_the_first_was_retracted_since(tmp_path: Path) -> None:
    """Then neither content is in force, and the other can be published under another id."""
    first = dismissed("2022-03-27", id="same")
    taken_back = retracted(first)
    database_with(tmp_path, first, dismissed("2022-03-28", id="same"), taken_back)
    (conflict,) = answer("conflicts", tmp_path)
    shown = ask("conflicts", tmp_path).stdout

    assert taken_back["id"] == conflict["first_retracted_by"]
    assert f"the first was retracted since, by the fact {taken_back['id']}\n" in shown
    assert "first, retracted" in shown
    assert "first, in force" not in shown


def test_a_retraction_that_was_retracted_takes_nothing_back(tmp_path: Path) -> None:
    """A retraction before the conflict counts as well, and one of another fact does not count."""
    first, other = dismissed("2022-03-27", id="same"), dismissed("2022-05-27", id="other")
    taken_back = retracted(first)
    lines = (first, other, taken_back, retracted(taken_back, id="revived"), retracted(other, id="of the other"))
    database_with(tmp_path, *lines, dismissed("2022-03-28", id="same"))
    (conflict,) = answer("conflicts", tmp_path)

    assert conflict["first_retracted_by"] is None
    assert "retracted" not in ask("conflicts", tmp_path).stdout


@pytest.mark.parametrize(
    ("first", "other", "same"),
    [
        ("Йорданов", unicodedata.normalize("NFD", "Йорданов"), True),
        ("caf\u00e9", "cafe\u0301", True),
        ("caf\u00e9", "cafe", False),
        ("10\u00b2", "102", False),
        ("ﬁne", "fine", False),
    ],
)
def test_a_conflict_says_if_both_are_the_same_text(tmp_path: Path, first: str, other: str, same: bool) -> None:  # noqa: FBT001
    """Two tools may write the same letters in different normal forms of Unicode."""
    database_with(
        tmp_path, dismissed("2022-03-27", id="same", note=first), dismissed("2022-03-27", id="same", note=other)
    )
    (conflict,) = answer("conflicts", tmp_path)

    assert (same, ["data.note"]) == (conflict["same_text"], conflict["differs"])
    said = "both have the same text: they differ in their Unicode normal form only"
    assert same == (said in ask("conflicts", tmp_path).stdout)


def test_a_text_that_is_the_same_does_not_hide_another_difference(tmp_path: Path) -> None:
    """A different date in another field is still a difference."""
    database_with(
        tmp_path,
        dismissed("2022-03-27", id="same", note="caf\u00e9"),
        dismissed("2022-03-28", id="same", note="cafe\u0301"),
    )

    assert [False] == [conflict["same_text"] for conflict in answer("conflicts", tmp_path)]


def test_two_ids_of_one_content_are_no_conflict(tmp_path: Path) -> None:
    """A fact that came twice is not a conflict either."""
    database_with(tmp_path, dismissed("2022-03-27"), dismissed("2022-03-27"), dismissed("2022-03-27", id="other"))

    assert [] == answer("conflicts", tmp_path)
    assert "" == ask("conflicts", tmp_path).stdout


def test_a_conflict_across_subjects_is_told_of_both(tmp_path: Path) -> None:
    """A tool that uses one id for facts about two people must be noticed at once."""
    database_with(tmp_path, dismissed("2022-03-27", id="same"), dismissed("2022-03-27", id="same", subject="b"))
    (conflict,) = answer("conflicts", tmp_path)

    assert ["subject"] == conflict["differs"]
    assert ("a", "b") == tuple(conflict[side]["content"]["subject"] for side in ("first", "other"))
