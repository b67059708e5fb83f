"""A broker and a database server of the benchmark's own, as installed: by the scripts that developers use."""

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
    Both, ready.

    Attributes:
        bootstrap: HOST:PORT of the broker.
        database_url: SQLAlchemy's address of an empty database.
        broker_pid, database_pid: their processes.
    """

    bootstrap: str
    database_url: str
    broker_pid: int
    database_pid: int

    def new_database(self, name: str) -> str:
        """Make an empty database of that *name* on the server, in the place of one there is; return its address."""
        url = make_url(self.database_url)
        with psycopg.connect(conninfo(self.database_url), autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            conn.execute("CHECKPOINT")
        return url.set(database=name).render_as_string(hide_password=False)


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Run both on data in *folder* while the block runs."""
    with ExitStack() as stack:
        found, pids = {}, []
        for script, env in (
            ("kafka", {"KAFKA_DATA": str(folder / "kafka"), "KAFKA_PORT": str(free_port())}),
            ("postgres", {"PG_HOME": str(folder / "postgres"), "PG_PORT": str(free_port())}),
        ):
            pid, (name, address) = stack.enter_context(_running(script, env, folder))
            found[name] = address
            pids.append(pid)
        yield Servers(found["CASETRAIL_KAFKA_BOOTSTRAP_SERVERS"], found["CASETRAIL_DATABASE_URL"], *pids)


def conninfo(database_url: str) -> str:
    """Return the address of a database as the driver itself takes it."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def ready(log: Path, process: "subprocess.Popen[bytes]") -> tuple[str, str]:
    """Wait until a script says in *log* that what it runs is ready; return the name and the value of its setting."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        for line in log.read_text(errors="replace").splitlines():
            _, said, setting = line.partition(" is ready: ")
            if said:
                name, _, value = setting.partition("=")
                return name, value
        time.sleep(0.1)
    sys.exit(f"not started:\n{log.read_text(errors='replace')[-2000:]}")


def end(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    """Send *process* a signal that ends it, and wait for that; kill it if it takes too long."""
    process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def workplace() -> Iterator[Path]:
    """Give a folder in which `servers` can run; it is removed after the block."""
    with tempfile.TemporaryDirectory(prefix="casetrail-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # The user that PostgreSQL runs as has to get at it.
        folder.chmod(0o755)
        yield folder


def free_port() -> int:
    """Return a port where nobody listens, on it or on the next."""
    while True:
        port = secrets.choice(PORTS)
        if all(_is_free(each) for each in (port, port + 1)):
            return port


@contextmanager
def _running(script: str, env: Mapping[str, str], folder: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    """Run scripts/*script*; give its process and the setting that it prints once it is ready."""
    log = folder / f"{script}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own script
            [ROOT / "scripts" / script], env=os.environ | env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process.pid, ready(log, process)
    finally:
        end(process, signal.SIGINT if script == "postgres" else signal.SIGTERM)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
