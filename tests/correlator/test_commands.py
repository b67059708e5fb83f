"""Alerts across people in the commands, and the correlator inside the service."""

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from events.edtf import format_instant
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import Checkpoint, insert_first
from projections.tables.columns import METADATA
from projections.tables.database import open_database
from projections.tables.schema import CORRELATOR, partitions
from projections.tables.schema import TOPIC as SCHEMA_TOPIC
from services.workers.correlation import Correlation
from tests.support.builders import Line, encoded, instant
from tests.support.commands import facts_file, run, start
from tests.support.correlating import TOPIC, House, counting, ministry
from tests.support.reading import answer

RULES = """\
rules:
  - id: officials
    title: Officials of one agency
    on: [Detained, Arrested]
    count: {distinct: subject, at_least: 3, by: agency, within: P90D}
    explain: "{count} officials of {group} were detained."
"""
COUNT = Rulebook((counting(),))


def unrecorded(lines: list[Line]) -> list[Line]:
    """Return facts as a publisher states them."""
    return [{name: value for name, value in line.items() if name != "recorded"} for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database in which three officials of one ministry are detained and judged."""
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / ".env").write_text("CASETRAIL_RULES=rules.yaml\n")
    facts_file(tmp_path, *encoded(*unrecorded(ministry("abc"))))
    for command in ("init", "publish facts.ndjson", "project"):
        assert 0 == run(command, tmp_path).returncode, command
    return tmp_path


def test_a_group_is_listed_shown_and_acknowledged(folder: Path) -> None:
    """The commands name the group and its people, and an acknowledgement stands in the correlator's chain."""
    (alert,) = answer("alerts", folder)
    shown = run(f"alerts show {alert['alert_id']}", folder).stdout
    acknowledged = run(f"alerts ack {alert['alert_id']} --by ann", folder)
    (after,) = answer("alerts --subject b", folder)

    assert (None, "Ministry", ["a", "b", "c"]) == (alert["subject_id"], alert["group"], alert["subjects"])
    assert "about Ministry (3 people)\n  people: a, b, c\n" in shown
    assert (0, "acknowledged") == (acknowledged.returncode, after["state"])
    assert (0, 0) == (run("audit verify", folder).returncode, run("rebuild --check", folder).returncode)


def test_lag_and_doctor_show_the_correlator(folder: Path) -> None:
    """The correlator is partition -1 of `lag`, and a check of the doctor."""
    lags: list[dict[str, Any]] = answer("lag", folder)

    assert [(0, 0), (-1, 0)] == [(lag["partition"], lag["lag_records"]) for lag in lags]
    assert "ok      correlator" in run("doctor", folder).stdout


def test_one_correlator_works_and_another_stands_by(database_url: str) -> None:
    """Two loops over one database conclude everything once, whichever of them has the place."""
    engine = open_database(database_url)
    METADATA.create_all(engine)
    house = House(2, engine, COUNT)
    stop = threading.Event()
    loops = [
        threading.Thread(target=Correlation(engine, COUNT, TOPIC).run, args=(stop, 0.01), daemon=True) for _ in range(2)
    ]
    for loop in loops:
        loop.start()
    try:
        house.project(ministry("abcd"))
        house.declare("2023-06-01")
        end = time.monotonic() + 60
        while not house.alerts() and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        stop.set()
        for loop in loops:
            loop.join(30)

    (alert,) = house.alerts()
    assert ["open", "open"] == [step[0] for step in alert["life"]]
    assert instant("2022-02-09T12:00:00Z") == alert["opened_at"]
    engine.dispose()


def test_alerts_say_as_far_as_the_correlator_has_judged(folder: Path) -> None:
    """While a partition stands still, the list, one alert and --follow name the instant and the partition."""
    (alert,) = answer("alerts", folder)
    assert "across people" not in run("alerts", folder).stderr
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    with engine.begin() as conn:
        reached = conn.scalar(select(partitions.c.watermark).where(partitions.c.partition == CORRELATOR))
        assert reached is not None
        insert_first(conn, Checkpoint(SCHEMA_TOPIC, 1, watermark=reached + timedelta(minutes=2)))
    engine.dispose()

    words = f"alerts across people: as far as {format_instant(reached)} (partition 0 stands still; see `casetrail lag`)"
    for command in ("alerts", "alerts --json", f"alerts show {alert['alert_id']}"):
        assert words in run(command, folder).stderr
    assert "across people" not in run("alerts --known-at 2022-03-01", folder).stderr
    with start("alerts --follow", folder) as following:
        assert words == following.stderr.readline().decode().strip()
