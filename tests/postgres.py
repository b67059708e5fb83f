"""A private PostgreSQL cluster for the tests, from the binaries installed on this machine."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.kafka import free_port

START_SECONDS = 90
STOP_SECONDS = 10
# What a crash would lose is thrown away anyway; the rest is as installed, so that tests meet the real defaults.
SETTINGS = ("fsync=off", "full_page_writes=off", "unix_socket_directories=", "listen_addresses=127.0.0.1")


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL server installed here, or None."""
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(installed, key=lambda initdb: int(initdb.parts[-3]), default=None)
    found = newest or shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Cluster:
    """
    A private cluster in a folder, on a port of its own, that its owner starts, crashes and starts again.

    Attributes:
        url: the address of its database ``postgres``.
    """

    def __init__(self, programs: Path, home: Path) -> None:
        """
        Make one of *programs* in the empty folder *home*, which the caller keeps. Nothing runs before `start`.

        Raises:
            RuntimeError: if it cannot be made; with the end of its log.
        """
        self._programs = programs
        self._home = home
        self._owner = _owner()
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/postgres"
        if self._owner is not None:
            shutil.chown(home, self._owner.pw_uid, self._owner.pw_gid)
        _initialise(programs, home, self._owner)

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return self._port

    def start(self) -> None:
        """
        Start it on the data that it had and wait until it answers.

        Raises:
            RuntimeError: if it does not within 30 seconds; with the end of its log.
        """
        settings = [word for setting in (*SETTINGS, f"port={self._port}") for word in ("-c", setting)]
        command: list[str | Path] = [self._programs / "postgres", "-D", self._home / "data", *settings]
        self._server = _start(command, self._home, self._owner)
        _wait_until_it_answers(self._server, self.url, self._home)

    def stop(self) -> None:
        """Have it end its connections and shut down (SIGINT)."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Have it drop everything, as `pg_ctl stop -m immediate` does (SIGQUIT): the next start has to recover."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self._server is None:
            return
        self._server.send_signal(how)
        try:
            self._server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._server = None


@contextmanager
def private_cluster(programs: Path) -> Iterator[Cluster]:
    """Run a cluster of one's own while the block runs; it is removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="casetrail-postgres-"))
    try:
        made = Cluster(programs, home)
        try:
            made.start()
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def cluster(programs: Path) -> Iterator[str]:
    """
    Run a new cluster while the block runs; give the address of its database ``postgres``.

    Stopped by its own process id and removed afterwards.

    Raises:
        RuntimeError: if it cannot be made, or does not answer within 30 seconds; with the end of the server's log.
    """
    with private_cluster(programs) as made:
        yield made.url


@contextmanager
def fresh_database(server: str, template: str = "template0") -> Iterator[str]:
    """
    Create a database of its own on *server* from *template*; give its address; drop it afterwards.

    Args:
        server: the address of any database there, of a role that may create databases.
        template: the name of a database nobody is connected to.
    """
    name = f"casetrail_{uuid4().hex}"
    url = make_url(server)
    with psycopg.connect(_conninfo(server), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)),
        )
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            # FORCE: a test that failed may have left a connection, which must not hide why it failed.
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _owner() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: the user to run it as instead, None for the present one."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def _start(command: list[str | Path], home: Path, owner: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=home,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
        )


def _initialise(programs: Path, home: Path, owner: pwd.struct_passwd | None) -> None:
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"]
    initdb = _start([programs / "initdb", *options, "--pgdata", home / "data"], home, owner)
    if initdb.wait(START_SECONDS) != 0:
        raise RuntimeError(f"initdb failed:\n{_log(home)}")


def _wait_until_it_answers(server: subprocess.Popen[bytes], url: str, home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(_conninfo(url)).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"PostgreSQL does not answer:\n{_log(home)}")


def _conninfo(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _log(home: Path) -> str:
    return (home / "log").read_text(errors="replace")[-2000:]
