"""`casetrail run` and `casetrail project`: their work, their end, and their use beside other processes."""

import ctypes
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, text

from projections.tables.database import open_database
from projections.tables.schema import partitions
from services.database import migrate
from services.log.local import LocalReader
from tests.support.commands import (
    SECONDS,
    Running,
    environment,
    fact_line,
    facts_file,
    many,
    ndjson,
    ready,
    run,
    start,
)
from tests.support.places import ROOT
from tests.support.waiting import wait_until

TOTALS = {"read": 0, "applied": 0, "duplicate": 0, "conflict": 0, "parked": 0, "forwarded": 0, "position": 0}


def applied(url: str) -> int:
    """Return the number of facts that were applied in the database at *url*."""
    engine = open_database(url)
    with engine.connect() as conn:
        count = conn.scalar(select(partitions.c.applied).where(partitions.c.partition == 0))
    engine.dispose()
    return count or 0


def catches_sigterm(service: Running) -> bool:
    """Return whether *service* has a handler of its own for SIGTERM (proc(5), SigCgt), and is not just killed."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def events(service: Running) -> list[str]:
    """End *service* and return the names of the events that it logged, in order."""
    service.process.terminate()
    code, out, err = service.end()
    assert (0, "") == (code, out), err
    return [entry["event"] for entry in ndjson(err)]


@contextmanager
def unreachable(server: str, name: str) -> Iterator[None]:
    """Refuse all connections to the database *name* on *server* while the block runs."""
    engine = open_database(server)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        conn.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        try:
            yield
        finally:
            conn.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    engine.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an empty database."""
    return ready(tmp_path)


@pytest.fixture
def url(folder: Path) -> str:
    """Return the address of that database."""
    return f"sqlite:///{folder / 'casetrail.db'}"


class TestProject:
    """Tests of `casetrail project`."""

    def test_an_empty_log_is_read_at_once(self, folder: Path) -> None:
        """It has a watermark all the same: silence is reported on an idle log too."""
        totals = json.loads(run("project --json", folder).stdout)

        assert TOTALS.items() <= totals.items()
        assert {*TOTALS, "watermark"} == set(totals)
        assert totals["watermark"].endswith("Z")

    def test_it_counts_the_whole_partition(self, folder: Path) -> None:
        """Of two equal lines one is applied and one is a duplicate; a second projection changes no count."""
        facts_file(folder, fact_line(), fact_line(), fact_line("Died"))
        run("publish facts.ndjson", folder)
        first = json.loads(run("project --json", folder).stdout)
        again = run("project", folder)

        assert {**TOTALS, "read": 3, "applied": 2, "duplicate": 1, "position": 3}.items() <= first.items()
        assert (0, "") == (again.returncode, again.stdout)
        assert again.stderr.startswith("3 read: 2 applied, 1 duplicate, 0 conflict, 0 parked")

    def test_it_needs_a_database(self, tmp_path: Path) -> None:
        """A missing database is an error of the infrastructure, not of the data."""
        done = run("project", tmp_path / "..", env={"CASETRAIL_DATABASE_URL": f"sqlite:///{tmp_path}/none.db"})

        assert 3 == done.returncode
        assert "there is no database" in done.stderr

    def test_a_file_that_is_not_a_database_differs_from_one_without_a_schema(self, tmp_path: Path) -> None:
        """`init` cannot repair it, and reports that."""
        (tmp_path / "casetrail.db").write_bytes(b"A letter, for example, and no database. " * 100)
        done = run("init", tmp_path)

        assert 3 == done.returncode
        assert "file is not a database (set CASETRAIL_DATABASE_URL to another file)" in done.stderr


class TestRun:
    """Tests of `casetrail run`."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_cleanly(self, folder: Path, url: str, number: signal.Signals) -> None:
        """It ends with success, after the running batch."""
        run("publish -", folder, many(3))
        with start("run", folder) as service:
            wait_until(lambda: applied(url) == 3)
            service.process.send_signal(number)
            code, out, err = service.end()

        assert (0, "") == (code, out)
        assert ["started", "stopped"] == [entry["event"] for entry in ndjson(err)]
        assert (["projector", "correlator"], "info") == (ndjson(err)[0]["parts"], ndjson(err)[0]["level"])

    def test_a_signal_to_another_thread_ends_it_too(self, folder: Path, url: str) -> None:
        """After a freeze, the system delivers a signal to the thread that wakes first."""
        run("publish -", folder, many(3))
        with start("run", folder) as service:
            wait_until(lambda: applied(url) == 3)
            pid = service.process.pid
            others = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid]
            # In the C library since 2.30. The module `signal` can reach only threads of its own process.
            ctypes.CDLL(None).tgkill(pid, others[0], signal.SIGTERM)
            code, _, err = service.end()

        assert 0 == code
        assert ["started", "stopped"] == [entry["event"] for entry in ndjson(err)]

    def test_a_signal_cuts_the_wait_for_records_short(self, url: str) -> None:
        """The wait would last an hour without a record."""
        stop = threading.Event()
        stop.set()

        assert {} == LocalReader(open_database(url), stop).poll(3600, 1)

    def test_a_second_signal_ends_it_at_once(self, tmp_path: Path, postgres_url: str) -> None:
        """The database keeps the projector waiting, and the second signal does not wait with it."""
        engine, env = open_database(postgres_url), {"CASETRAIL_DATABASE_URL": postgres_url}
        migrate(engine)
        here = "SELECT oid FROM pg_database WHERE datname = current_database()"
        waiting = text(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND database = ({here})")  # noqa: S608 - our own
        with engine.connect() as conn, start("run", tmp_path, env=env) as service:
            conn.execute(text("LOCK TABLE partitions"))
            wait_until(lambda: bool(conn.scalar(waiting)))
            service.process.terminate()
            wait_until(lambda: not catches_sigterm(service))
            still_waiting = service.process.poll()
            service.process.terminate()
            code = service.process.wait(SECONDS)
        engine.dispose()

        assert (None, -signal.SIGTERM) == (still_waiting, code)

    def test_a_published_fact_is_projected_at_once(self, folder: Path, url: str) -> None:
        """Each of two facts is projected within moments."""
        with start("run projector", folder) as service:
            for n in (1, 2):
                run("publish -", folder, fact_line(subject=f"kz-{n}"))
                wait_until(lambda n=n: applied(url) == n)  # type: ignore[misc]
            assert ["started", "stopped"] == events(service)

    def test_a_partition_taken_by_another_is_taken_back(self, folder: Path, url: str) -> None:
        """`project` runs beside a service: both work, and the service still runs."""
        with start("run", folder) as service:
            run("publish -", folder, many(1, "a"))
            wait_until(lambda: applied(url) == 1)
            assert 0 == run("project", folder).returncode
            run("publish -", folder, many(2, "b"))
            wait_until(lambda: applied(url) == 3)
            happened = events(service)

        lost = set(happened[1:-1])
        assert ("started", "stopped") == (happened[0], happened[-1])
        assert {"projector_lost"} <= lost <= {"projector_lost", "correlator_lost"}

    def test_a_database_that_goes_away_is_waited_for(
        self, tmp_path: Path, postgres_server: str, postgres_url: str
    ) -> None:
        """The server cuts its connections and refuses new ones for a while; afterwards the service works again."""
        engine, env = open_database(postgres_url), {"CASETRAIL_DATABASE_URL": postgres_url}
        migrate(engine)
        engine.dispose()
        with start("run", tmp_path, env=env) as service:
            run("publish -", tmp_path, many(1, "a"), env=env)
            wait_until(lambda: applied(postgres_url) == 1)
            with unreachable(postgres_server, str(engine.url.database)):
                down = run("project", tmp_path, env=env)
                noticed = [json.loads(service.stderr.readline())["event"] for _ in range(2)]
            run("publish -", tmp_path, many(2, "b"), env=env)
            wait_until(lambda: applied(postgres_url) == 3)
            happened = events(service)

        assert 3 == down.returncode
        assert down.stderr.startswith("casetrail: database: ")
        assert ["started", "database_failed"] == noticed
        assert ({"database_failed"}, "stopped") == ({"database_failed", *happened[:-1]}, happened[-1])

    def test_a_database_that_is_away_at_the_start_is_waited_for(
        self, tmp_path: Path, postgres_server: str, postgres_url: str
    ) -> None:
        """After a power cut both start at once: the service logs the reason of its wait, and then begins."""
        engine, env = open_database(postgres_url), {"CASETRAIL_DATABASE_URL": postgres_url}
        migrate(engine)
        engine.dispose()
        with ExitStack() as stack:
            with unreachable(postgres_server, str(engine.url.database)):
                service = stack.enter_context(start("run", tmp_path, env=env))
                noticed = json.loads(service.stderr.readline())
            run("publish -", tmp_path, many(1), env=env)
            wait_until(lambda: applied(postgres_url) == 1)
            happened = events(service)

        assert "database_failed" == noticed["event"]
        assert "is not currently accepting connections" in noticed["error"]
        assert "stopped" == happened[-1]

    def test_a_problem_at_the_start_ends_it(self, tmp_path: Path) -> None:
        """It does not wait for a missing database, and does not run the other parts beside an unknown one."""
        missing, unknown = run("run", tmp_path), run("run projector mailer", tmp_path)

        assert [3, 2] == [missing.returncode, unknown.returncode]
        assert "there is no database" in missing.stderr
        assert '"mailer" is not a part of the service (want projector or correlator or notifier)' in unknown.stderr

    def test_logs_have_the_wanted_level_and_no_names(self, folder: Path, url: str) -> None:
        """At `debug` it logs counts of records, and never names of persons."""
        run("publish -", folder, fact_line("SubjectDescribed", subject="kz-secret", name="Secret Name"))
        with start("run", folder, env={"CASETRAIL_LOG_LEVEL": "debug"}) as service:
            wait_until(lambda: applied(url) == 1)
            service.process.terminate()
            _, _, said = service.end()

        batches = [entry for entry in ndjson(said) if entry["event"] == "batch_projected"]
        assert [{"0": 1}] == [batch["records"] for batch in batches]
        assert "ecret" not in said

    def test_logs_for_people_are_not_json(self, folder: Path, url: str) -> None:
        """One setting makes them readable for people; without a terminal they have no colours."""
        run("publish -", folder, many(1))
        with start("run", folder, env={"CASETRAIL_LOG_FORMAT": "console"}) as service:
            wait_until(lambda: applied(url) == 1)
            service.process.terminate()
            _, _, said = service.end()

        assert "started" in said.splitlines()[0]
        assert not {"{", "\x1b"} & set(said)


@pytest.mark.slow
def test_two_publishers_and_a_service_share_one_file(folder: Path, url: str) -> None:
    """No "database is locked", no fact lost and none twice, though all three write all the time."""
    for name in ("a", "b"):
        (folder / f"{name}.ndjson").write_text(many(2000, name))
    with start("run", folder) as service, start("publish a.ndjson", folder) as one:
        # In small portions, so that its transactions fall between those of the others.
        with start("publish -", folder) as other:
            for line in (folder / "b.ndjson").read_text().splitlines(keepends=True):
                other.tell(line)
            ended = [one.end(), other.end()]
        wait_until(lambda: applied(url) == 4000)
        happened = events(service)
    totals = json.loads(run("project --json", folder).stdout)

    assert [(0, "", "2000 accepted, 0 bad\n")] * 2 == ended
    assert ["started", "stopped"] == happened
    assert {**TOTALS, "read": 4000, "applied": 4000, "position": 4000}.items() <= totals.items()


PART_THAT_CHECKS = """
import sys
from services.workers import supervisor
from services.settings import Settings
from services.runtime.shutdown import ShutdownSignal
supervisor.PARTS = {"a": lambda *_: print("kafka" in sys.modules)}
print("kafka" in sys.modules)
supervisor.run_parts(["a"], Settings(log="kafka"), None, ShutdownSignal())
"""


def test_the_kafka_client_is_loaded_before_the_parts_begin(tmp_path: Path) -> None:
    """Two threads that load it at the same moment find it half loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PART_THAT_CHECKS], cwd=ROOT, env=environment(tmp_path), capture_output=True,
        timeout=SECONDS, check=True,
    )  # fmt: skip

    assert "False\nTrue\n" == done.stdout.decode()
