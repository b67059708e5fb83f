"""The pages /metrics, /livez and /readyz of a running process, requested over HTTP."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from projections.tables.database import open_database
from services.log.local import LocalOffsets
from services.log.open import log_offsets
from services.operate.health import KEEP_SECONDS, Health
from services.operate.metrics import serve_pages
from services.runtime.heartbeat import Heartbeat
from services.runtime.probe import Probe, ProbeTimeout
from services.settings import Settings
from tests.support.builders import dismissed
from tests.support.commands import Running, fact_line, many, ready, run, start
from tests.support.kafka import Broker, make_topic
from tests.support.places import ROOT
from tests.support.postgres import fresh_database
from tests.support.topic import migrated, send, settings_for, subject_at, variables
from tests.support.waiting import wait_until
from tests.workers.test_run import applied

Values = dict[tuple[str, ...], float]


def get(address: str) -> tuple[int, str]:
    """Return the status and the text of a page."""
    try:
        with urlopen(address, timeout=30) as answer:  # noqa: S310 - our own address
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def served(service: Running) -> str:
    """Return the address of the pages of *service*, as it logs it."""
    while True:
        entry = json.loads(service.stderr.readline())
        if entry["event"] == "metrics_served":
            return f"http://{entry['address']}:{entry['port']}"


def metrics(address: str) -> Values:
    """Return the values by name and labels, in the order of the labels' names."""
    status, text = get(f"{address}/metrics")
    assert 200 == status
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("casetrail_")
    }


@contextmanager
def pages(folder: Path, life_seconds: float = 60) -> Iterator[tuple[str, Heartbeat]]:
    """Serve the pages for the database in *folder*; yield their address and the heartbeat."""
    settings, heart = Settings(), Heartbeat()
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    health = Health(settings, engine, LocalOffsets(engine), {"projector": heart}, life_seconds)
    with serve_pages(health, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}", heart
    engine.dispose()


def test_a_port_in_use_is_named_with_its_setting(tmp_path: Path) -> None:
    """The usual cause is two processes with the same variables on one machine."""
    ready(tmp_path)
    with pages(tmp_path) as (address, _):
        port = address.rpartition(":")[2]
        done = run("run", tmp_path, env={"CASETRAIL_METRICS_PORT": port})

    assert 3 == done.returncode
    assert f"casetrail: the metrics cannot be served on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "CASETRAIL_METRICS_PORT" in done.stderr


def test_a_service_publishes_its_state(tmp_path: Path) -> None:
    """It is alive and ready, and has values without names of persons."""
    ready(tmp_path)
    run("publish -", tmp_path, many(2, "secret") + fact_line(subject="secret-0") + "\n")
    with start("run", tmp_path, {"CASETRAIL_METRICS_PORT": "0"}) as service:
        address = served(service)
        wait_until(lambda: applied(f"sqlite:///{tmp_path / 'casetrail.db'}") == 2)
        wait_until(lambda: metrics(address)["casetrail_position", "0"] == 3)
        values = metrics(address)
        answers = [get(f"{address}{page}") for page in ("/livez", "/readyz", "/other")]
        text = get(f"{address}/metrics")[1]

    assert {
        ("casetrail_position", "0"): 3,
        ("casetrail_end", "0"): 3,
        ("casetrail_lag_records", "0"): 0,
        ("casetrail_lag_seconds", "0"): 0,
        ("casetrail_stopped", "0"): 0,
        ("casetrail_parked", "0"): 0,
        ("casetrail_read_total", "0"): 3,
        ("casetrail_records_total", "applied", "0"): 2,
        ("casetrail_records_total", "duplicate", "0"): 1,
        ("casetrail_database_up",): 1,
        ("casetrail_log_up",): 1,
    }.items() <= values.items()
    assert values["casetrail_heartbeat_age_seconds", "projector"] < 60
    assert values["casetrail_seconds_since_progress", "0"] >= 0
    assert ("casetrail_outbox_pending", "0") not in values
    assert [200, 200, 404] == [status for status, _ in answers]
    assert "secret" not in text


def test_every_metric_is_in_the_docs(tmp_path: Path) -> None:
    """The docs have its full name."""
    docs = (ROOT / "docs" / "production.md").read_text()
    ready(tmp_path)
    with pages(tmp_path) as (address, _):
        names = {name for name, *_ in metrics(address)}

    assert names
    assert set() == {name for name in names if f"`{name}`" not in docs}


def test_a_part_without_a_sign_of_life_is_reported(tmp_path: Path) -> None:
    """The page has its name and the seconds; with the next sign it is alive again."""
    ready(tmp_path)
    with pages(tmp_path, life_seconds=1) as (address, heart):
        wait_until(lambda: heart.age_seconds > 1)
        lifeless = get(f"{address}/livez")
        heart.beat()
        alive = get(f"{address}/livez")

    assert (503, "projector: no sign of life for 1 s\n") == lifeless
    assert (200, "ok\n") == alive


def test_another_schema_is_not_ready(tmp_path: Path) -> None:
    """The database answers, but its schema is not that of this release."""
    ready(tmp_path)
    engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
    with engine.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    engine.dispose()
    with pages(tmp_path) as (address, _):
        status, text = get(f"{address}/readyz")

    assert 503 == status
    assert text.startswith("schema: at 0001, this release wants ")


def test_a_probe_does_not_wait_long_for_an_answer() -> None:
    """One call runs at a time, and its answer is returned once it has come."""
    calls, go = 0, threading.Event()

    def ask() -> str:
        nonlocal calls
        calls += 1
        go.wait(60)
        return "answer"

    probe = Probe(ask, wait_seconds=0.05, keep_seconds=60)
    for _ in range(2):
        with pytest.raises(ProbeTimeout):
            probe.answer()
    go.set()

    def has_answer() -> bool:
        try:
            return probe.answer() == "answer"
        except ProbeTimeout:
            return False

    wait_until(has_answer)
    assert 1 == calls


def test_a_probe_keeps_a_failure_only_for_a_moment() -> None:
    """A system that is away is not asked at every scrape, and is found again when it is back."""
    problems = [ConnectionError("away")]

    def ask() -> str:
        if problems:
            raise problems.pop()
        return "back"

    probe = Probe(ask, wait_seconds=30, keep_seconds=0.2)
    with pytest.raises(ConnectionError):
        probe.answer()
    time.sleep(0.3)

    assert "back" == probe.answer()


@pytest.mark.slow
def test_a_broker_that_is_away_is_reported_and_not_waited_for(
    kafka_broker: Broker, database_url: str, tmp_path: Path
) -> None:
    """The service lives and is not ready; a scrape leaves out unknown values until the broker is back."""
    topic, alerts = (make_topic(kafka_broker.address, settings={"retention.ms": "-1"}) for _ in range(2))
    migrated(database_url).dispose()
    env = variables(kafka_broker.address, topic, database_url, kafka_alerts_topic=alerts, metrics_port=0)
    send(kafka_broker.address, topic, [dismissed("2022-03-27", subject=subject_at(0))])

    def lag(address: str) -> float | None:
        return metrics(address).get(("casetrail_lag_records", "0"))

    with start("run", tmp_path, env) as service:
        address = served(service)
        wait_until(lambda: metrics(address).get(("casetrail_position", "0")) == 1)
        wait_until(lambda: metrics(address).get(("casetrail_outbox_pending", "0")) == 0)
        kafka_broker.kill()
        wait_until(lambda: lag(address) is None)
        away, answers = metrics(address), [get(f"{address}{page}") for page in ("/livez", "/readyz")]
        kafka_broker.start()
        wait_until(lambda: lag(address) == 0)
        back = get(f"{address}/readyz")

    assert (0, 1) == (away["casetrail_log_up",], away["casetrail_database_up",])
    assert 1 == away["casetrail_position", "0"]
    assert (200, "ok\n") == answers[0]
    assert 503 == answers[1][0]
    assert answers[1][1].startswith("log: ")
    assert (200, "ok\n") == back


@contextmanager
def pages_of(settings: Settings) -> Iterator[str]:
    """Serve the pages for the database and the log of *settings*; yield their address."""
    engine = open_database(settings.database_url)
    with log_offsets(settings, engine) as offsets:
        health = Health(settings, engine, offsets, {})
        with serve_pages(health, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}"
    engine.dispose()


@pytest.mark.slow
def test_a_database_that_goes_away_does_not_hide_the_log(
    kafka_server: str, kafka_topics: Callable[..., str], postgres_server: str
) -> None:
    """The person on call has to look at the system that is away."""
    topic = kafka_topics(settings={"retention.ms": "-1"})
    with ExitStack() as stack:
        with fresh_database(postgres_server) as url:
            migrated(url).dispose()
            address = stack.enter_context(pages_of(settings_for(kafka_server, topic, database_url=url)))
            there = metrics(address), get(f"{address}/readyz")
        wait_until(lambda: metrics(address)["casetrail_database_up",] == 0)
        time.sleep(1.5 * KEEP_SECONDS)  # the last answer of the log is not used any more
        away, ready_page = metrics(address), get(f"{address}/readyz")

    assert {("casetrail_database_up",): 1, ("casetrail_log_up",): 1, ("casetrail_end", "0"): 0}.items() <= there[
        0
    ].items()
    assert (200, "ok\n") == there[1]
    assert {("casetrail_database_up",): 0, ("casetrail_log_up",): 1} == away
    assert 503 == ready_page[0]
    assert ready_page[1].startswith("database: ")


@pytest.mark.slow
def test_a_database_that_does_not_answer_does_not_hide_the_log(
    kafka_server: str, kafka_topics: Callable[..., str]
) -> None:
    """A database that hangs holds up its own probe, and not the probe of the log."""
    topic = kafka_topics(settings={"retention.ms": "-1"})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://nobody@127.0.0.1:{silent.getsockname()[1]}/none?connect_timeout=30"
        with pages_of(settings_for(kafka_server, topic, database_url=url)) as address:
            values = metrics(address)

    assert {("casetrail_database_up",): 0, ("casetrail_log_up",): 1} == values
