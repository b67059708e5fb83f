"""Logs: one line for each event of casetrail or of a library, without secrets."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from services.runtime.logging import RepeatFilter
from tests.support.commands import environment, ndjson, run
from tests.support.kafka import free_port
from tests.support.places import ROOT
from tests.support.topic import migrated, variables

LOGGING_PROCESS = """
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


def log_of(configure: str, folder: Path, level: str = "info", form: str = "json") -> str:
    """Return the log of a process in which casetrail, libraries and warnings log."""
    env = environment(folder, {"CASETRAIL_LOG_LEVEL": level, "CASETRAIL_LOG_FORMAT": form})
    done = subprocess.run(
        [sys.executable, "-c", LOGGING_PROCESS.format(configure=configure)],
        cwd=ROOT, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    return done.stderr


def test_a_service_logs_every_event_as_a_line_of_json(tmp_path: Path) -> None:
    """Each line has the level and the time, and the name of the logger if it is a library's."""
    entries = ndjson(log_of("configure_service", tmp_path))

    assert [
        (None, "info", "projected"),
        ("kafka.net", "warning", "node 1\nis away"),
        ("py.warnings", "warning", entries[2]["event"]),
        ("kafka.net", "error", "broken"),
    ] == [(entry.get("logger"), entry["level"], entry["event"]) for entry in entries]
    assert "UserWarning: old" in entries[2]["event"]
    assert all(entry["timestamp"].endswith("Z") for entry in entries)
    assert 3 == entries[0]["partition"]


def test_a_repeated_message_is_logged_once_a_minute() -> None:
    """Its values do not matter; a new message is logged at once."""
    repeat_filter = RepeatFilter()
    messages = [("a", "node %s away"), ("a", "node %s away"), ("b", "node %s away"), ("a", "node %s back")]
    records = [
        logging.LogRecord(name, logging.ERROR, "", 0, text, (n,), None) for n, (name, text) in enumerate(messages)
    ]

    assert [True, False, True, True] == [repeat_filter.filter(record) for record in records]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_secret(tmp_path: Path, form: str) -> None:
    """It has the lines and the error, but not the values of variables."""
    text = log_of("configure_service", tmp_path, form=form)

    assert "refused" in text
    assert "hunter2" not in text


def test_debug_logs_more_of_kafka_and_no_statements(tmp_path: Path) -> None:
    """A statement has names of persons in it."""
    events = [entry["event"] for entry in ndjson(log_of("configure_service", tmp_path, level="debug"))]

    assert "connected" in events
    assert "INSERT of a name" not in events


def test_a_command_that_ends_by_itself_keeps_the_libraries_quiet(tmp_path: Path) -> None:
    """The command reports its own errors; events of casetrail are logged at `debug`."""
    text = log_of("configure", tmp_path, level="debug")
    events = [json.loads(line)["event"] for line in text.splitlines() if line.startswith("{")]

    assert "projected" not in log_of("configure", tmp_path)
    assert ["projected"] == events
    assert "is away" not in text
    assert "broken" not in text


@pytest.mark.slow
@pytest.mark.parametrize("command", ["lag", "project", "topics create"])
def test_a_broker_that_is_away_is_one_line_on_the_terminal(sqlite_url: str, tmp_path: Path, command: str) -> None:
    """The messages of the client about each attempt are not shown."""
    migrated(sqlite_url).dispose()
    env = variables(f"127.0.0.1:{free_port()}", "casetrail.none", sqlite_url, kafka_publish_timeout_seconds=1)
    done = run(command, tmp_path, env=env)

    assert (3, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert done.stderr.startswith("casetrail: Kafka at ")
