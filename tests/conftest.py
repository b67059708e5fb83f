"""Databases to test on, Hypothesis profiles, and a last word on what could not be tested."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from projections.tables.database import open_database
from services.database import migrate
from tests.support.kafka import Broker, missing, private_broker, shared_broker, topics
from tests.support.postgres import binaries, cluster, fresh_database
from tests.support.skips import untested

# On shared cores a slow example says nothing about the program, so neither profile has a deadline.
settings.register_profile("dev", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """
    The address of a database on a PostgreSQL server where tests may create databases.

    CASETRAIL_TEST_POSTGRES_URL where given, else a private cluster from the installed binaries (one for each
    worker of pytest-xdist). Tests want `postgres_url`, a database of their own.
    """
    given = os.environ.get("CASETRAIL_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    programs = binaries()
    if programs is None:
        untested("PostgreSQL (apt-get install postgresql, or set CASETRAIL_TEST_POSTGRES_URL)")
    with cluster(programs) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh, empty SQLite database in a file, not made yet."""
    return f"sqlite:///{tmp_path / 'casetrail.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, empty database, once of each kind: the same test holds on both."""
    url: str = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A migrated database, once of each kind."""
    made = open_database(database_url)
    migrate(made)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def kafka_programs() -> None:
    """What a broker needs is here: Java, and Kafka's jars, fetched through Maven where they are not here yet."""
    lacking = missing()
    if lacking:
        untested(lacking)


@pytest.fixture(scope="session")
def kafka_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """
    The bootstrap address of a broker where tests may make topics; it is never stopped (`kafka_broker` may be).

    CASETRAIL_TEST_KAFKA where given, else one broker for all workers of pytest-xdist, started by the first test that
    wants it.
    """
    given = os.environ.get("CASETRAIL_TEST_KAFKA")
    if given:
        yield given
        return
    request.getfixturevalue("kafka_programs")
    mine = tmp_path_factory.getbasetemp()
    folder = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "kafka"
    folder.mkdir(exist_ok=True)
    with shared_broker(folder) as address:
        yield address


@pytest.fixture(scope="session")
def kafka_topics(kafka_server: str) -> Iterator[Callable[..., str]]:
    """Make topics: ``kafka_topics(partitions=3, settings={"retention.ms": "1000"})`` gives the name of a new one."""
    with topics(kafka_server) as make:
        yield make


@pytest.fixture
def kafka_topic(kafka_topics: Callable[..., str]) -> str:
    """A fresh topic of three partitions, timed by the broker (LogAppendTime)."""
    return kafka_topics()


@pytest.fixture
def kafka_broker(kafka_programs: None) -> Iterator[Broker]:  # noqa: ARG001 - asked for, that it may skip
    """A broker of the test's own, which it may kill, restart and freeze."""
    with private_broker() as broker:
        yield broker


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end of the run what was not tested, and how many tests wanted it."""
    skipped = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped"))
    for what, tests in skipped.most_common():
        terminalreporter.write_line(f"NOT TESTED, {tests} tests: {what}", yellow=True, bold=True)
