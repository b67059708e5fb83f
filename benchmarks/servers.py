"""A broker and a database server for one benchmark, as installed, started by the scripts that developers use."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy import make_url

ROOT = Path(__file__).parent.parent
START_SECONDS = 120
STOP_SECONDS = 30
# Below the range from which Linux takes the ports of outgoing connections.
PORTS = range(20_000, 32_000)


class Servers(NamedTuple):
    """
    The two servers, ready.

    Attributes:
        bootstrap: HOST:PORT of the broker.
        database_url: SQLAlchemy's address of an empty database.
        broker_pid, database_pid: their process ids.
    """

    bootstrap: str
    database_url: str
    broker_pid: int
    database_pid: int

    def new_database(self, name: str) -> str:
        """Create an empty database *name* on the server, in place of an existing one, and return its address."""
        url = make_url(self.database_url)
        with psycopg.connect(conninfo(self.database_url), autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            conn.execute("CHECKPOINT")
        return url.set(database=name).render_as_string(hide_password=False)


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Run both servers on data in *folder* during the block."""
    with ExitStack() as stack:
        addresses, pids = {}, []
        for script, env in (
            ("kafka", {"KAFKA_DATA": str(folder / "kafka"), "KAFKA_PORT": str(free_port())}),
            ("postgres", {"PG_HOME": str(folder / "postgres"), "PG_PORT": str(free_port())}),
        ):
            pid, (name, address) = stack.enter_context(_running(script, env, folder))
            addresses[name] = address
            pids.append(pid)
        yield Servers(addresses["CASETRAIL_KAFKA_BOOTSTRAP_SERVERS"], addresses["CASETRAIL_DATABASE_URL"], *pids)


def conninfo(database_url: str) -> str:
    """Return the address of a database in the driver's own form."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def ready(log: Path, process: "subprocess.Popen[bytes]") -> tuple[str, str]:
    """Wait until a script reports in *log* that its server is ready, and return its setting as name and value."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        for line in log.read_text(errors="replace").splitlines():
            _, separator, setting = line.partition(" is ready: ")
            if separator:
                name, _, value = setting.partition("=")
                return name, value
        time.sleep(0.1)
    sys.exit(f"not started:\n{log.read_text(errors='replace')[-2000:]}")


def end(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Send *process* a signal that ends it, and wait for its end; kill it if it takes too long."""
    process.send_signal(number)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def workplace() -> Iterator[Path]:
    """Yield a folder in which `servers` can run, and remove it after the block."""
    with tempfile.TemporaryDirectory(prefix="casetrail-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # PostgreSQL runs as another user, who needs access.
        folder.chmod(0o755)
        yield folder


def free_port() -> int:
    """Return a port on which no process listens, and neither on the next one."""
    while True:
        port = secrets.choice(PORTS)
        if all(_is_free(candidate) for candidate in (port, port + 1)):
            return port


@contextmanager
def _running(script: str, env: Mapping[str, str], folder: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    """Run scripts/*script* during the block, and yield its process id and the setting that it prints."""
    log = folder / f"{script}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - a script of this project
            [ROOT / "scripts" / script], env=os.environ | env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process.pid, ready(log, process)
    finally:
        end(process, signal.SIGINT if script == "postgres" else signal.SIGTERM)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
