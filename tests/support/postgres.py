"""A private PostgreSQL cluster for the tests, from the binaries installed on this machine."""

import os
import pwd
import shutil
import signal
import socket
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

START_SECONDS = 90
STOP_SECONDS = 10
# Durability is off, because the data is thrown away after a crash anyway. All other settings are the defaults, so that
# tests run against them.
SETTINGS = ("fsync=off", "full_page_writes=off", "unix_socket_directories=", "listen_addresses=127.0.0.1")


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL server installed here, or None."""
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(installed, key=lambda initdb: int(initdb.parts[-3]), default=None)
    program = newest or shutil.which("initdb")
    return Path(program).resolve().parent if program else None


@contextmanager
def cluster(programs: Path) -> Iterator[str]:
    """
    Run a new cluster during the block, and yield the address of its database ``postgres``.

    It is stopped by its own process id, and its files are removed afterwards.

    Raises:
        RuntimeError: if it cannot be created, or does not answer within 90 seconds; with the end of the server's log.
    """
    owner = _owner()
    home = Path(tempfile.mkdtemp(prefix="casetrail-postgres-"))
    try:
        if owner is not None:
            shutil.chown(home, owner.pw_uid, owner.pw_gid)
        _initialise(programs, home, owner)
        with _serving(programs, home, owner) as url:
            yield url
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def fresh_database(server: str, template: str = "template0") -> Iterator[str]:
    """
    Create a database on *server* from *template*, yield its address, and drop it afterwards.

    Args:
        server: the address of any database there, with a role that may create databases.
        template: the name of a database without connections.
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
            # FORCE: a failed test may have left a connection, and the drop must not hide the reason of that failure.
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _owner() -> pwd.struct_passwd | None:
    """Return the user that runs the server if this process is root, which PostgreSQL refuses; else None."""
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


@contextmanager
def _serving(programs: Path, home: Path, owner: pwd.struct_passwd | None) -> Iterator[str]:
    port = _free_port()
    settings = [word for setting in (*SETTINGS, f"port={port}") for word in ("-c", setting)]
    server = _start([programs / "postgres", "-D", home / "data", *settings], home, owner)
    url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    try:
        _wait_until_it_answers(server, url, home)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _log(home: Path) -> str:
    return (home / "log").read_text(errors="replace")[-2000:]
