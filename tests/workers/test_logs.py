"""Logs: one line each, whoever speaks, and nothing that should not be read."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from services.runtime.logging import Seldom
from tests.support.commands import environment, ndjson, run
from tests.support.kafka import free_port
from tests.support.places import ROOT
from tests.support.topic import migrated, variables

SPEAKER = """
import logging, warnings
import structlog
from services.runtime.logging import {configure}
from services.settings import Settings

def fail():
    password = "hunter" + str(2)
    raise ValueError("refused")

{configure}(Settings())
structlog.get_logger().info("projected", partition=3)
logging.getLogger("kafka.net").warning("node %s\\nis away", 1)
logging.getLogger("kafka.net").info("connected")
logging.getLogger("sqlalchemy.engine").info("INSERT of a name")
warnings.warn("old")
try:
    fail()
except ValueError:
    logging.getLogger("kafka.net").exception("broken")
"""


def speak(configure: str, folder: Path, level: str = "info", form: str = "json") -> str:
    """What a process logs in which everybody speaks."""
    env = environment(folder, {"CASETRAIL_LOG_LEVEL": level, "CASETRAIL_LOG_FORMAT": form})
    done = subprocess.run(
        [sys.executable, "-c", SPEAKER.format(configure=configure)],
        cwd=ROOT, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    return done.stderr


def test_a_service_logs_whatever_is_said_as_a_line_of_json(tmp_path: Path) -> None:
    """With level, time, and who says it where that is not us."""
    entries = ndjson(speak("configure_service", tmp_path))

    assert [
        (None, "info", "projected"),
        ("kafka.net", "warning", "node 1\nis away"),
        ("py.warnings", "warning", entries[2]["event"]),
        ("kafka.net", "error", "broken"),
    ] == [(entry.get("logger"), entry["level"], entry["event"]) for entry in entries]
    assert "UserWarning: old" in entries[2]["event"]
    assert all(entry["timestamp"].endswith("Z") for entry in entries)
    assert 3 == entries[0]["partition"]


def test_what_is_said_again_and_again_is_logged_once_a_minute() -> None:
    """Whatever values are in it; what is new comes through at once."""
    seldom = Seldom()
    said = [("a", "node %s away"), ("a", "node %s away"), ("b", "node %s away"), ("a", "node %s back")]
    records = [logging.LogRecord(name, logging.ERROR, "", 0, text, (n,), None) for n, (name, text) in enumerate(said)]

    assert [True, False, True, True] == [seldom.filter(record) for record in records]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_tells_no_secret(tmp_path: Path, form: str) -> None:
    """It has the places and the error, and not the values of variables."""
    said = speak("configure_service", tmp_path, form=form)

    assert "refused" in said
    assert "hunter2" not in said


def test_debug_tells_more_of_kafka_and_nothing_of_statements(tmp_path: Path) -> None:
    """A statement has names in it."""
    events = [entry["event"] for entry in ndjson(speak("configure_service", tmp_path, level="debug"))]

    assert "connected" in events
    assert "INSERT of a name" not in events


def test_a_command_that_ends_by_itself_keeps_the_libraries_quiet(tmp_path: Path) -> None:
    """It says itself what is wrong; what is ours is logged where that is asked for."""
    said = speak("configure", tmp_path, level="debug")
    ours = [json.loads(line)["event"] for line in said.splitlines() if line.startswith("{")]

    assert "projected" not in speak("configure", tmp_path)
    assert ["projected"] == ours
    assert "is away" not in said
    assert "broken" not in said


@pytest.mark.slow
@pytest.mark.parametrize("command", ["lag", "project", "topics create"])
def test_a_broker_that_is_away_is_one_line_on_the_terminal(sqlite_url: str, tmp_path: Path, command: str) -> None:
    """Not what its client has to say about every attempt."""
    migrated(sqlite_url).dispose()
    env = variables(f"127.0.0.1:{free_port()}", "casetrail.none", sqlite_url, kafka_publish_timeout_seconds=1)
    done = run(command, tmp_path, env=env)

    assert (3, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert done.stderr.startswith("casetrail: Kafka at ")
