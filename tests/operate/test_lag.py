"""`casetrail lag` prints the lag of each partition, by the end that the log reports."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from projections.tables.checkpoint import Checkpoint
from services.log.base import Extent
from services.operate.lag import Lag, beyond
from tests.support.builders import dismissed, instant
from tests.support.commands import many, ready, run
from tests.support.kafka import Broker, make_topic
from tests.support.topic import PARTITIONS, Sent, binary, migrated, send, subject_at, variables

NOW = instant("2022-05-01T00:00:00Z")


def lag_of(position: int, extent: Extent) -> Lag:
    """Return the lag of a partition that has been read up to *position*."""
    return Lag(Checkpoint("t", 0, position), extent, 0, NOW)


def lags(folder: Path, options: str = "", env: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the output of `lag --json` of the partitions of the log; the correlator of the shipped rules is none."""
    printed: list[dict[str, Any]] = json.loads(run(f"lag --json {options}", folder, env=env).stdout)
    return [lag for lag in printed if lag["partition"] >= 0]


@pytest.mark.parametrize(
    ("position", "extent", "expected"),
    [
        (3, Extent(0, 3), (0, 0.0, False)),
        (1, Extent(0, 3, NOW - timedelta(seconds=9)), (2, 9.0, False)),
        (1, Extent(0, 3, NOW + timedelta(seconds=9)), (2, 0.0, False)),
        (1, Extent(0, 3), (2, None, False)),
        (1, Extent(2, 3), (2, None, True)),
        (4, Extent(0, 3), (0, 0.0, True)),
        (1, Extent(0, 3, NOW, stamped_by_log=False), (2, 0.0, True)),
    ],
)
def test_waiting_records_and_stopped_partitions(
    position: int, extent: Extent, expected: tuple[int, float | None, bool]
) -> None:
    """A partition with a position outside the log has stopped, and has not caught up."""
    lag = lag_of(position, extent)

    assert expected == (lag.records, lag.seconds, lag.stopped is not None)
    assert (lag.stopped is not None or lag.seconds is None) == bool(beyond([lag], 3600))


def test_an_empty_log_is_caught_up(tmp_path: Path) -> None:
    """It has one partition, which was never projected."""
    (lag,) = lags(ready(tmp_path))

    assert {"partition": 0, "position": 0, "end": 0, "lag_records": 0, "lag_seconds": 0.0}.items() <= lag.items()
    assert {"watermark": None, "parked": 0, "progressed": None, "seconds_since_progress": None}.items() <= lag.items()


def test_the_local_log_is_behind_until_it_is_projected(tmp_path: Path) -> None:
    """It prints every documented field, and has an exit code for cron."""
    ready(tmp_path)
    run("publish -", tmp_path, many(3))
    (before,) = lags(tmp_path)
    late = run("lag --max-seconds 0", tmp_path)
    run("project", tmp_path)
    (after,) = lags(tmp_path)
    caught_up = run("lag --max-seconds 0", tmp_path)

    assert [
        *("partition", "position", "end", "lag_records", "lag_seconds", "watermark", "parked"),
        *("progressed", "seconds_since_progress", "stopped"),
    ] == list(after)
    assert (0, 3, 3) == (before["position"], before["end"], before["lag_records"])
    assert before["lag_seconds"] > 0
    assert (3, 3, 0, 0.0) == tuple(after[name] for name in ("position", "end", "lag_records", "lag_seconds"))
    assert after["watermark"].endswith("Z")
    assert after["seconds_since_progress"] >= 0
    assert (1, 0) == (late.returncode, caught_up.returncode)
    assert "partition 0 is 3 records and " in late.stderr
    assert " behind\n" in late.stderr


@pytest.mark.slow
def test_kafka_is_asked_for_its_end(
    kafka_server: str, kafka_topics: Callable[..., str], database_url: str, tmp_path: Path
) -> None:
    """It lists every partition, the age of a waiting record, and parked records until they are dismissed."""
    topic = kafka_topics(partitions=PARTITIONS, settings={"retention.ms": "-1"})
    migrated(database_url).dispose()
    env = variables(kafka_server, topic, database_url)
    broken = Sent(subject_at(1).encode(), b"nonsense", binary(dismissed("2022-03-27")).headers)
    send(kafka_server, topic, [dismissed("2022-03-27", subject=subject_at(0)), broken])
    before = lags(tmp_path, env=env)
    late = run("lag --max-seconds 0", tmp_path, env=env)
    run("project", tmp_path, env=env)
    after = lags(tmp_path, "--max-seconds 0", env)
    run("parked dismiss 1:0 --reason test", tmp_path, env=env)

    assert [(0, 1, 1), (0, 1, 1), (0, 0, 0)] == [
        tuple(lag[name] for name in ("position", "end", "lag_records")) for lag in before
    ]
    assert [True, True, False] == [lag["lag_seconds"] > 0 for lag in before]
    assert 1 == late.returncode
    assert [(1, 0.0, 0), (1, 0.0, 1), (0, 0.0, 0)] == [
        tuple(lag[name] for name in ("position", "lag_seconds", "parked")) for lag in after
    ]
    assert [0, 0, 0] == [lag["parked"] for lag in lags(tmp_path, env=env)]


@pytest.mark.slow
def test_a_partition_with_lost_records_has_not_caught_up(
    kafka_server: str, kafka_topics: Callable[..., str], sqlite_url: str, tmp_path: Path
) -> None:
    """A topic that was made again ends before the position: this is printed, and exceeds every limit."""
    first = kafka_topics(partitions=1, settings={"retention.ms": "-1"})
    engine = migrated(sqlite_url)
    env = variables(kafka_server, first, sqlite_url)
    send(kafka_server, first, [dismissed("2022-03-27")])
    run("project", tmp_path, env=env)
    second = kafka_topics(partitions=1, settings={"retention.ms": "-1"})
    with engine.begin() as conn:
        conn.exec_driver_sql(f"UPDATE partitions SET topic = '{second}'")  # noqa: S608 - as if it had that name
    engine.dispose()
    done = run("lag --max-seconds 3600", tmp_path, env=variables(kafka_server, second, sqlite_url))

    assert 1 == done.returncode
    assert "partition 0 has stopped: the position is 1, and the log holds 0 to 0: records are gone" in done.stderr


@pytest.mark.slow
def test_a_broker_that_is_away_is_not_a_lag_of_zero(kafka_broker: Broker, sqlite_url: str, tmp_path: Path) -> None:
    """The exit code is 3, even if the database answers."""
    topic = make_topic(kafka_broker.address)
    migrated(sqlite_url).dispose()
    kafka_broker.kill()
    done = run("lag --json", tmp_path, env=variables(kafka_broker.address, topic, sqlite_url))

    assert (3, "") == (done.returncode, done.stdout)
    assert "nothing listens there" in done.stderr
