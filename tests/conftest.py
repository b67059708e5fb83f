"""Databases and brokers for the tests, Hypothesis profiles, and a closing report of the tests that could not run."""

import gc
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
from tests.support.skips import skip_or_fail

# On shared cores a slow example is not evidence about the program, so neither profile has a deadline.
settings.register_profile("dev", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")

_THRESHOLD = gc.get_threshold()


def pytest_runtest_teardown() -> None:
    """
    Have the garbage of each test collected.

    A command that runs in this process freezes all objects that there are. Left so, a worker kept every database of
    earlier tests: 5 GB of memory, and more than 1,024 open files.
    """
    gc.unfreeze()
    gc.set_threshold(*_THRESHOLD)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """
    The address of a database on a PostgreSQL server where tests may create databases.

    It is CASETRAIL_TEST_POSTGRES_URL if that is set. Otherwise it is a private cluster from the installed binaries, one
    for each worker of pytest-xdist. Tests use `postgres_url`, a database of their own.
    """
    address = os.environ.get("CASETRAIL_TEST_POSTGRES_URL")
    if address:
        yield address
        return
    programs = binaries()
    if programs is None:
        skip_or_fail("PostgreSQL (apt-get install postgresql, or set CASETRAIL_TEST_POSTGRES_URL)")
    with cluster(programs) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'casetrail.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database of each kind, so that a test holds on both."""
    url: str = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A migrated database of each kind."""
    database = open_database(database_url)
    migrate(database)
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def kafka_programs() -> None:
    """The programs of a broker: Java, and Kafka's jars, which are fetched through Maven if they are missing."""
    requirement = missing()
    if requirement:
        skip_or_fail(requirement)


@pytest.fixture(scope="session")
def kafka_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """
    The bootstrap address of a broker where tests may create topics.

    It is CASETRAIL_TEST_KAFKA if that is set. Otherwise it is one broker for all workers of pytest-xdist, started by
    the first test that needs it. This broker is never stopped by a test; `kafka_broker` may be.
    """
    address = os.environ.get("CASETRAIL_TEST_KAFKA")
    if address:
        yield address
        return
    request.getfixturevalue("kafka_programs")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kafka"
    folder.mkdir(exist_ok=True)
    with shared_broker(folder) as address:
        yield address


@pytest.fixture(scope="session")
def kafka_topics(kafka_server: str) -> Iterator[Callable[..., str]]:
    """
    A function that creates topics.

    ``kafka_topics(partitions=3, settings={"retention.ms": "1000"})`` returns the name of a new topic.
    """
    with topics(kafka_server) as make:
        yield make


@pytest.fixture
def kafka_topic(kafka_topics: Callable[..., str]) -> str:
    """A fresh topic of three partitions, timed by the broker (LogAppendTime)."""
    return kafka_topics()


@pytest.fixture
def kafka_broker(kafka_programs: None) -> Iterator[Broker]:  # noqa: ARG001 - requested for its skip
    """A private broker that the test may kill, restart and freeze."""
    with private_broker() as broker:
        yield broker


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the requirements that were missing, each with the number of tests that were skipped for it."""
    skipped = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped"))
    for requirement, tests in skipped.most_common():
        terminalreporter.write_line(f"NOT TESTED, {tests} tests: {requirement}", yellow=True, bold=True)
