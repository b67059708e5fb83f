"""`casetrail alerts --follow`: the notices as they are written, from a cursor."""

import json
import signal
from pathlib import Path
from typing import Any

from tests.support.alerted import EVERYBODY, SILENT, acknowledge
from tests.support.builders import dismissed
from tests.support.commands import SECONDS, ndjson, run, start
from tests.support.reading import database_with


def follow(folder: Path, cursor: str, notices: int) -> list[Any]:
    """Follow from *cursor* until *notices* have come, then stop the command and return them."""
    with start(f"alerts --follow {cursor}", folder) as followed:
        read = [json.loads(followed.stdout.readline()) for _ in range(notices)]
        followed.process.send_signal(signal.SIGTERM)
        code, rest, errors = followed.end()
    assert (0, "") == (code, errors)
    return [*read, *ndjson(rest)]


def test_followed_notices_go_on_from_a_cursor(tmp_path: Path) -> None:
    """No notice is printed twice and none is left out, wherever the reader stopped."""
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01")
    every = follow(tmp_path, "--cursor 0", 4)

    assert ["0:1", "0:2", "0:3", "0:4"] == [notice["cursor"] for notice in every]
    assert {"cursor", "notice_id", "alert_id", "state", "life"} <= every[0].keys()
    assert every[2:] == follow(tmp_path, "--cursor 0:2", 2)
    late = [notice["state"] for notice in every if notice["subject_id"] == "late"]
    assert ["open", "retracted"] == late


def test_followed_notices_pass_the_filters(tmp_path: Path) -> None:
    """The cursor also counts the notices that the filters leave out."""
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01")

    assert ["silent"] == [each["subject_id"] for each in follow(tmp_path, "--cursor 0 --agency ПОЛИЦИЯ", 1)]
    assert ["arrested"] == [each["subject_id"] for each in follow(tmp_path, "--cursor 0 --severity notice", 1)]


def test_without_a_cursor_only_what_comes_is_told(tmp_path: Path) -> None:
    """Only new notices are printed. The command prints the cursor at the start, and Ctrl-C ends it cleanly."""
    database_with(tmp_path, SILENT, passed="2022-10-01")
    with start("alerts --follow", tmp_path) as followed:
        began = followed.stderr.readline().decode()
        assert 0 == acknowledge(tmp_path).returncode
        first = json.loads(followed.stdout.readline())
        followed.process.send_signal(signal.SIGINT)
        code, _, errors = followed.end()

    assert "following from cursor 0:1\n" == began
    assert ("0:2", "acknowledged", 0, "") == (first["cursor"], first["state"], code, errors)


def test_before_the_first_record_the_cursor_is_the_beginning(tmp_path: Path) -> None:
    """The cursor is printed in the form that --cursor takes."""
    database_with(tmp_path)
    with start("alerts --follow", tmp_path) as followed:
        began = followed.stderr.readline()

    assert b"following from cursor 0:0\n" == began


def test_a_reader_who_has_seen_enough_ends_it(tmp_path: Path) -> None:
    """A closed pipe, as `| head -1` leaves it, ends the command without a traceback and with exit code 0."""
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01")
    with start("alerts --follow --cursor 0", tmp_path) as followed:
        followed.stdout.close()
        errors = followed.stderr.read()
        code = followed.process.wait(SECONDS)

    assert (0, b"") == (code, errors)


def test_a_cursor_in_a_partition_that_there_is_not_is_refused(tmp_path: Path) -> None:
    """No notice would ever come, and the reader would wait without a message."""
    database_with(tmp_path, dismissed("2022-03-27"))
    elsewhere, ahead = (run(f"alerts --follow --cursor {cursor}", tmp_path) for cursor in ("5:5", "0:9"))

    assert (2, 2) == (elsewhere.returncode, ahead.returncode)
    assert "--cursor: there is no partition 5 (want one of 0)" in elsewhere.stderr
    assert "--cursor: the last notice of partition 0 is 0, not 9" in ahead.stderr
