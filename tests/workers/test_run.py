"""The service and the one-off projection: what they do, how they end, and who they get along with."""

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
    """How many facts were applied in the database at *url*."""
    engine = open_database(url)
    with engine.connect() as conn:
        count = conn.scalar(select(partitions.c.applied))
    engine.dispose()
    return count or 0


def minds_terms(service: Running) -> bool:
    """Whether *service* would do something of its own at a SIGTERM (proc(5), SigCgt), and not just be ended by it."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def events(service: Running) -> list[str]:
    """End *service* and return the names of what it logged, in order."""
    service.process.terminate()
    code, out, err = service.end()
    assert (0, "") == (code, out), err
    return [entry["event"] for entry in ndjson(err)]


@contextmanager
def unreachable(server: str, name: str) -> Iterator[None]:
    """Keep everybody out of the database *name* on *server* while the block runs."""
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
    """A folder with an empty database."""
    return ready(tmp_path)


@pytest.fixture
def url(folder: Path) -> str:
    """The address of that database."""
    return f"sqlite:///{folder / 'casetrail.db'}"


class TestProject:
    """`casetrail project`."""

    def test_an_empty_log_is_soon_read(self, folder: Path) -> None:
        """And there is a watermark all the same: silence is reported on an idle log too."""
        totals = json.loads(run("project --json", folder).stdout)

        assert TOTALS.items() <= totals.items()
        assert {*TOTALS, "watermark"} == set(totals)
        assert totals["watermark"].endswith("Z")

    def test_it_counts_the_whole_partition(self, folder: Path) -> None:
        """Twice the same line is once applied and once a duplicate; projecting again changes no count."""
        facts_file(folder, fact_line(), fact_line(), fact_line("Died"))
        run("publish facts.ndjson", folder)
        first = json.loads(run("project --json", folder).stdout)
        again = run("project", folder)

        assert {**TOTALS, "read": 3, "applied": 2, "duplicate": 1, "position": 3}.items() <= first.items()
        assert (0, "") == (again.returncode, again.stdout)
        assert again.stderr.startswith("3 read: 2 applied, 1 duplicate, 0 conflict, 0 parked")

    def test_it_needs_a_database(self, tmp_path: Path) -> None:
        """Whose absence is the machine's fault and not the data's."""
        done = run("project", tmp_path / "..", env={"CASETRAIL_DATABASE_URL": f"sqlite:///{tmp_path}/none.db"})

        assert 3 == done.returncode
        assert "there is no database" in done.stderr

    def test_a_file_that_is_no_database_is_told_from_one_that_is_not_migrated(self, tmp_path: Path) -> None:
        """`init` would not help, and says so itself."""
        (tmp_path / "casetrail.db").write_bytes(b"A letter, for example, and no database. " * 100)
        done = run("init", tmp_path)

        assert 3 == done.returncode
        assert "file is not a database (want another file: CASETRAIL_DATABASE_URL)" in done.stderr


class TestRun:
    """`casetrail run`."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_cleanly(self, folder: Path, url: str, number: signal.Signals) -> None:
        """With success, after what it had under way."""
        run("publish -", folder, many(3))
        with start("run", folder) as service:
            wait_until(lambda: applied(url) == 3)
            service.process.send_signal(number)
            code, out, err = service.end()

        assert (0, "") == (code, out)
        assert ["started", "stopped"] == [entry["event"] for entry in ndjson(err)]
        assert {"parts": ["projector"], "level": "info"}.items() <= ndjson(err)[0].items()

    def test_a_signal_that_another_thread_is_given_ends_it_too(self, folder: Path, url: str) -> None:
        """As after it was frozen: the system gives a signal to whichever thread wakes first."""
        run("publish -", folder, many(3))
        with start("run", folder) as service:
            wait_until(lambda: applied(url) == 3)
            pid = service.process.pid
            others = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid]
            # In the C library since 2.30, and not in `signal`, which knows only threads of its own process.
            ctypes.CDLL(None).tgkill(pid, others[0], signal.SIGTERM)
            code, _, err = service.end()

        assert 0 == code
        assert ["started", "stopped"] == [entry["event"] for entry in ndjson(err)]

    def test_a_signal_cuts_the_wait_for_records_short(self, url: str) -> None:
        """Nothing comes from the log for an hour, and nobody waits that long."""
        stop = threading.Event()
        stop.set()

        assert {} == LocalReader(open_database(url), stop).poll(3600, 1)

    def test_a_second_signal_ends_it_at_once(self, tmp_path: Path, postgres_url: str) -> None:
        """Where the database keeps the projector waiting, nobody has to wait with it."""
        engine, env = open_database(postgres_url), {"CASETRAIL_DATABASE_URL": postgres_url}
        migrate(engine)
        here = "SELECT oid FROM pg_database WHERE datname = current_database()"
        waiting = text(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND database = ({here})")  # noqa: S608 - our own
        with engine.connect() as conn, start("run", tmp_path, env=env) as service:
            conn.execute(text("LOCK TABLE partitions"))
            wait_until(lambda: bool(conn.scalar(waiting)))
            service.process.terminate()
            wait_until(lambda: not minds_terms(service))
            still_waiting = service.process.poll()
            service.process.terminate()
            code = service.process.wait(SECONDS)
        engine.dispose()

        assert (None, -signal.SIGTERM) == (still_waiting, code)

    def test_what_is_published_is_projected_at_once(self, folder: Path, url: str) -> None:
        """Whoever publishes sees it in a moment, again and again."""
        with start("run projector", folder) as service:
            for n in (1, 2):
                run("publish -", folder, fact_line(subject=f"kz-{n}"))
                wait_until(lambda n=n: applied(url) == n)  # type: ignore[misc]
            assert ["started", "stopped"] == events(service)

    def test_a_partition_taken_by_another_is_taken_back(self, folder: Path, url: str) -> None:
        """`project` beside a running service: neither breaks, and the service goes on."""
        with start("run", folder) as service:
            run("publish -", folder, many(1, "a"))
            wait_until(lambda: applied(url) == 1)
            assert 0 == run("project", folder).returncode
            run("publish -", folder, many(2, "b"))
            wait_until(lambda: applied(url) == 3)
            happened = events(service)

        assert ("started", {"projector_lost"}, "stopped") == (happened[0], set(happened[1:-1]), happened[-1])

    def test_a_database_that_goes_away_is_waited_for(
        self, tmp_path: Path, postgres_server: str, postgres_url: str
    ) -> None:
        """Its connections cut and no new ones let in for a while, it comes back, and so does the service."""
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
        """As after a power cut, when both come up at once: it says why it waits, and begins."""
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

    def test_it_says_what_is_wrong_at_the_start(self, tmp_path: Path) -> None:
        """A missing database is no reason to wait, and an unknown part none to run the others."""
        missing, unknown = run("run", tmp_path), run("run projector mailer", tmp_path)

        assert [3, 2] == [missing.returncode, unknown.returncode]
        assert "there is no database" in missing.stderr
        assert '"mailer" is not a part of the service (want projector or notifier)' in unknown.stderr

    def test_logs_say_as_much_as_is_wanted_and_no_names(self, folder: Path, url: str) -> None:
        """At its most talkative it counts records, and never says whose they are."""
        run("publish -", folder, fact_line("SubjectDescribed", subject="kz-secret", name="Secret Name"))
        with start("run", folder, env={"CASETRAIL_LOG_LEVEL": "debug"}) as service:
            wait_until(lambda: applied(url) == 1)
            service.process.terminate()
            _, _, said = service.end()

        batches = [entry for entry in ndjson(said) if entry["event"] == "batch_projected"]
        assert [{"0": 1}] == [batch["records"] for batch in batches]
        assert "ecret" not in said

    def test_logs_for_people_are_no_json(self, folder: Path, url: str) -> None:
        """One setting makes them readable where they are read by eye; off a terminal without colours."""
        run("publish -", folder, many(1))
        with start("run", folder, env={"CASETRAIL_LOG_FORMAT": "console"}) as service:
            wait_until(lambda: applied(url) == 1)
            service.process.terminate()
            _, _, said = service.end()

        assert "started" in said.splitlines()[0]
        assert not {"{", "\x1b"} & set(said)


@pytest.mark.slow
def test_two_publishers_and_a_service_share_one_file(folder: Path, url: str) -> None:
    """No "database is locked", none lost, none twice, though all three write all the time."""
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


PARTS_THAT_LOOK = """
import sys
from services.workers import supervisor
from services.settings import Settings
from services.runtime.shutdown import ShutdownSignal
supervisor.PARTS = {"a": lambda *_: print("kafka" in sys.modules)}
print("kafka" in sys.modules)
supervisor.serve(["a"], Settings(log="kafka"), None, ShutdownSignal())
"""


def test_the_client_is_loaded_before_the_parts_begin(tmp_path: Path) -> None:
    """Two that load it at the same moment find half of it."""
    done = subprocess.run(
        [sys.executable, "-c", PARTS_THAT_LOOK], cwd=ROOT, env=environment(tmp_path), capture_output=True,
        timeout=SECONDS, check=True,
    )  # fmt: skip

    assert "False\nTrue\n" == done.stdout.decode()
