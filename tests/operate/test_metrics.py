"""/metrics, /livez and /readyz, asked over HTTP of a process at work."""

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
from services.operate.metrics import KEEP_SECONDS, Watch, serving
from services.runtime.heartbeat import Heartbeat
from services.runtime.probe import Probe, ProbeTimeout
from services.settings import Settings
from tests.support.builders import dismissed
from tests.support.commands import Running, fact_line, many, ready, run, start
from tests.support.kafka import Broker, make_topic
from tests.support.places import ROOT
from tests.support.postgres import fresh_database
from tests.support.topic import chosen, migrated, send, subject_at, variables
from tests.support.waiting import wait_until
from tests.workers.test_run import applied

Values = dict[tuple[str, ...], float]


def get(address: str) -> tuple[int, str]:
    """The status and the text of a page."""
    try:
        with urlopen(address, timeout=30) as answer:  # noqa: S310 - our own address
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def served(service: Running) -> str:
    """The address at which *service* is watched, as it logs it."""
    while True:
        entry = json.loads(service.stderr.readline())
        if entry["event"] == "metrics_served":
            return f"http://{entry['address']}:{entry['port']}"


def metrics(address: str) -> Values:
    """The values by name and labels, in the order of the labels' names."""
    status, text = get(f"{address}/metrics")
    assert 200 == status
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("casetrail_")
    }


@contextmanager
def watch(folder: Path, life_seconds: float = 60) -> Iterator[tuple[str, Heartbeat]]:
    """The pages over the database in *folder*, and the heart that they watch."""
    settings, heart = Settings(), Heartbeat()
    engine = open_database(f"sqlite:///{folder / 'casetrail.db'}")
    watched = Watch(settings, engine, LocalOffsets(engine), {"projector": heart}, life_seconds)
    with serving(watched, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}", heart
    engine.dispose()


def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path) -> None:
    """Two processes of one machine with the same variables are the usual way to it."""
    ready(tmp_path)
    with watch(tmp_path) as (address, _):
        port = address.rpartition(":")[2]
        done = run("run", tmp_path, env={"CASETRAIL_METRICS_PORT": port})

    assert 3 == done.returncode
    assert f"casetrail: the metrics cannot be served on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "CASETRAIL_METRICS_PORT" in done.stderr


def test_a_service_tells_how_it_is(tmp_path: Path) -> None:
    """Alive, ready, and where it stands; nothing of whom it is about."""
    ready(tmp_path)
    run("publish -", tmp_path, many(2, "secret") + fact_line(subject="secret-0") + "\n")
    with start("run", tmp_path, {"CASETRAIL_METRICS_PORT": "0"}) as service:
        address = served(service)
        wait_until(lambda: applied(f"sqlite:///{tmp_path / 'casetrail.db'}") == 2)
        wait_until(lambda: metrics(address)["casetrail_position", "0"] == 3)
        found = metrics(address)
        pages = [get(f"{address}{page}") for page in ("/livez", "/readyz", "/other")]
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
    }.items() <= found.items()
    assert found["casetrail_heartbeat_age_seconds", "projector"] < 60
    assert found["casetrail_seconds_since_progress", "0"] >= 0
    assert ("casetrail_outbox_pending", "0") not in found
    assert [200, 200, 404] == [status for status, _ in pages]
    assert "secret" not in text


def test_every_metric_is_in_the_docs(tmp_path: Path) -> None:
    """By the name that is typed."""
    docs = (ROOT / "docs" / "production.md").read_text()
    ready(tmp_path)
    with watch(tmp_path) as (address, _):
        names = {name for name, *_ in metrics(address)}

    assert names
    assert set() == {name for name in names if f"`{name}`" not in docs}


def test_a_part_without_a_sign_of_life_is_told(tmp_path: Path) -> None:
    """Which, and for how long; with the next sign it is alive again."""
    ready(tmp_path)
    with watch(tmp_path, life_seconds=1) as (address, heart):
        wait_until(lambda: heart.age_seconds > 1)
        lifeless = get(f"{address}/livez")
        heart.beat()
        alive = get(f"{address}/livez")

    assert (503, "projector: no sign of life for 1 s\n") == lifeless
    assert (200, "ok\n") == alive


def test_another_schema_is_not_ready(tmp_path: Path) -> None:
    """The database answers, and is not what this release works on."""
    ready(tmp_path)
    engine = open_database(f"sqlite:///{tmp_path / 'casetrail.db'}")
    with engine.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    engine.dispose()
    with watch(tmp_path) as (address, _):
        status, said = get(f"{address}/readyz")

    assert 503 == status
    assert said.startswith("schema: at 0001, this release wants ")


def test_who_asks_does_not_wait_for_an_answer_that_does_not_come() -> None:
    """It is looked for by one at a time, and once it has come it is given."""
    asked, go = 0, threading.Event()

    def look() -> str:
        nonlocal asked
        asked += 1
        go.wait(60)
        return "found"

    question = Probe(look, wait_seconds=0.05, keep_seconds=60)
    for _ in range(2):
        with pytest.raises(ProbeTimeout):
            question.answer()
    go.set()

    def found() -> bool:
        try:
            return question.answer() == "found"
        except ProbeTimeout:
            return False

    wait_until(found)
    assert 1 == asked


def test_a_failure_is_an_answer_for_a_moment_only() -> None:
    """What is away is not asked for with every scrape, and comes back by itself."""
    problems = [ConnectionError("away")]

    def look() -> str:
        if problems:
            raise problems.pop()
        return "back"

    question = Probe(look, wait_seconds=30, keep_seconds=0.2)
    with pytest.raises(ConnectionError):
        question.answer()
    time.sleep(0.3)

    assert "back" == question.answer()


@pytest.mark.slow
def test_a_broker_that_is_away_is_told_and_not_waited_for(
    kafka_broker: Broker, database_url: str, tmp_path: Path
) -> None:
    """The service lives, is not ready, and a scrape leaves out what is not known; all comes back with the broker."""
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
        away, pages = metrics(address), [get(f"{address}{page}") for page in ("/livez", "/readyz")]
        kafka_broker.start()
        wait_until(lambda: lag(address) == 0)
        back = get(f"{address}/readyz")

    assert (0, 1) == (away["casetrail_log_up",], away["casetrail_database_up",])
    assert 1 == away["casetrail_position", "0"]
    assert (200, "ok\n") == pages[0]
    assert 503 == pages[1][0]
    assert pages[1][1].startswith("log: ")
    assert (200, "ok\n") == back


@contextmanager
def watch_of(settings: Settings) -> Iterator[str]:
    """The address of the pages over the database and the log of *settings*."""
    engine = open_database(settings.database_url)
    with log_offsets(settings, engine) as asking, serving(Watch(settings, engine, asking, {}), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"
    engine.dispose()


@pytest.mark.slow
def test_a_database_that_goes_away_says_nothing_of_the_log(
    kafka_server: str, kafka_topics: Callable[..., str], postgres_server: str
) -> None:
    """Whoever is called at night looks at the one that is away."""
    topic = kafka_topics(settings={"retention.ms": "-1"})
    with ExitStack() as stack:
        with fresh_database(postgres_server) as url:
            migrated(url).dispose()
            address = stack.enter_context(watch_of(chosen(kafka_server, topic, database_url=url)))
            there = metrics(address), get(f"{address}/readyz")
        wait_until(lambda: metrics(address)["casetrail_database_up",] == 0)
        time.sleep(1.5 * KEEP_SECONDS)  # what the log said before is good no more
        away, ready_page = metrics(address), get(f"{address}/readyz")

    assert {("casetrail_database_up",): 1, ("casetrail_log_up",): 1, ("casetrail_end", "0"): 0}.items() <= there[
        0
    ].items()
    assert (200, "ok\n") == there[1]
    assert {("casetrail_database_up",): 0, ("casetrail_log_up",): 1} == away
    assert 503 == ready_page[0]
    assert ready_page[1].startswith("database: ")


@pytest.mark.slow
def test_a_database_that_does_not_answer_says_nothing_of_the_log(
    kafka_server: str, kafka_topics: Callable[..., str]
) -> None:
    """One that hangs holds up whoever asks it, and not who asks the log."""
    topic = kafka_topics(settings={"retention.ms": "-1"})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://nobody@127.0.0.1:{silent.getsockname()[1]}/none?connect_timeout=30"
        with watch_of(chosen(kafka_server, topic, database_url=url)) as address:
            found = metrics(address)

    assert {("casetrail_database_up",): 0, ("casetrail_log_up",): 1} == found
