"""Projectors as processes on their own broker: killed, frozen past their session, and left without a broker."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from projections.queries.verify import verify
from projections.tables.checkpoint import Checkpoint
from projections.tables.origin import progress_of
from tests.support.builders import Line, dismissed, stated, suspended
from tests.support.commands import Running, start
from tests.support.kafka import Broker, make_topic
from tests.support.topic import PARTITIONS, migrated, send, subject_at, total, variables
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

EVERYONE = [subject_at(partition) for partition in range(PARTITIONS)]
SESSION_SECONDS = 2


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, kafka_programs: None) -> Iterator[Broker]:  # noqa: ARG001 - it may skip
    """Yield a broker that may be killed and allows short sessions."""
    home = tmp_path_factory.mktemp("broker")
    (home / "server.properties").write_text("group.min.session.timeout.ms=1000\n")
    made = Broker(home)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """Yield a migrated PostgreSQL database."""
    made = migrated(postgres_url)
    yield made
    made.dispose()


class Cluster:
    """Projectors of one topic, one process each."""

    def __init__(self, broker: Broker, engine: Engine, folder: Path) -> None:
        self.broker = broker
        self.engine = engine
        self.folder = folder
        self.topic = make_topic(broker.address, PARTITIONS, {"retention.ms": "-1"})
        url = engine.url.render_as_string(hide_password=False)
        self.env = variables(
            broker.address, self.topic, url, kafka_session_timeout_seconds=SESSION_SECONDS, log_format="json"
        )

    @contextmanager
    def projectors(self, count: int) -> Iterator[list[Running]]:
        """Run *count* projectors during the block, and wait until all partitions are assigned."""
        with ExitStack() as stack:
            running = [stack.enter_context(start("run projector", self.folder, self.env)) for _ in range(count)]
            wait_until(lambda: all(each.epoch for each in self.progress()) and len(self.progress()) == PARTITIONS)
            yield running

    def publish(self, *lines: Line) -> None:
        """Send *lines* and wait until all are projected."""
        before = total(self.progress()).get("read", 0)
        send(self.broker.address, self.topic, lines)
        wait_until(lambda: total(self.progress()).get("read", 0) >= before + len(lines))

    def progress(self) -> list[Checkpoint]:
        """Return the checkpoint of each partition."""
        return progress_of(self.engine, self.topic)

    def epochs(self) -> list[int]:
        """Return the epoch of each partition."""
        return [each.epoch for each in self.progress()]

    def sound(self) -> bool:
        """Return whether the chains and the counts are in order."""
        with self.engine.connect() as conn:
            return verify(conn).findings == []


@pytest.fixture
def cluster(broker: Broker, engine: Engine, tmp_path: Path) -> Cluster:
    """Return a topic and a database for projectors."""
    return Cluster(broker, engine, tmp_path)


def everyone(of: Callable[..., Line], day: str) -> list[Line]:
    """Return the same fact about a person of each partition."""
    return [line | {"id": f"{line['id']} {who}"} for who in EVERYONE for line in [of(day, subject=who)]]


def end_and_read_events(service: Running) -> list[str]:
    """Ask *service* to end, and return the names of its log events."""
    service.process.terminate()
    code, _, err = service.end()
    assert 0 == code, err
    return [json.loads(line)["event"] for line in err.splitlines() if line.startswith("{")]


def test_another_takes_over_from_one_that_is_killed(cluster: Cluster) -> None:
    """After `kill -9` its session ends, and another projector continues where it stopped."""
    with cluster.projectors(2) as (one, other):
        cluster.publish(*everyone(dismissed, "2022-03-27"))
        one.process.send_signal(signal.SIGKILL)
        cluster.publish(*everyone(suspended, "2022-03-01"))
        still_there = other.process.poll()
        events = end_and_read_events(other)

    assert still_there is None
    assert {"read": 6, "applied": 6} == total(cluster.progress())
    assert cluster.sound()
    assert "stopped" == events[-1]


def test_one_that_was_frozen_cannot_write(cluster: Cluster) -> None:
    """After its session another has its partitions. When it wakes, it notices, and joins again."""
    with cluster.projectors(1) as (frozen,):
        cluster.publish(*everyone(dismissed, "2022-03-27"))
        frozen.process.send_signal(signal.SIGSTOP)
        before = cluster.epochs()
        with cluster.projectors(1) as (awake,):
            wait_until(lambda: all(now > then for now, then in zip(cluster.epochs(), before, strict=True)))
            cluster.publish(*everyone(suspended, "2022-03-01"))
            frozen.process.send_signal(signal.SIGCONT)
            for n in range(20):
                cluster.publish(*everyone(partial(stated, "Accused", case=f"c{n}", id=f"{n}"), "2022-04-01"))
            assert [None, None] == [each.process.poll() for each in (frozen, awake)]
            ended = [end_and_read_events(each)[-1] for each in (awake, frozen)]

    assert ["stopped", "stopped"] == ended
    assert {"read": 66, "applied": 66} == total(cluster.progress())
    assert cluster.sound()


def test_a_broker_that_is_killed_and_comes_back_is_waited_for(cluster: Cluster) -> None:
    """No projector ends because of it, and no record is lost or read twice."""
    with cluster.projectors(2) as projectors:
        cluster.publish(*everyone(dismissed, "2022-03-27"))
        cluster.broker.restart()
        cluster.publish(*everyone(suspended, "2022-03-01"))
        assert [None, None] == [each.process.poll() for each in projectors]
        ended = [end_and_read_events(each)[-1] for each in projectors]

    assert ["stopped", "stopped"] == ended
    assert {"read": 6, "applied": 6} == total(cluster.progress())
    assert cluster.sound()


def test_one_that_starts_before_the_broker_waits_for_it(broker: Broker, engine: Engine, tmp_path: Path) -> None:
    """It logs the wait, starts once the broker answers, and ends on a signal."""
    cluster = Cluster(broker, engine, tmp_path)
    broker.stop()
    with start("run projector", tmp_path, cluster.env) as service:
        waiting = [service.stderr.readline() for _ in range(2)]
        broker.start()
        cluster.publish(*everyone(dismissed, "2022-03-27"))
        events = end_and_read_events(service)

    assert ["started", "log_unreachable"] == [json.loads(line)["event"] for line in waiting]
    assert "stopped" == events[-1]
    assert {"read": 3, "applied": 3} == total(cluster.progress())
