"""A real Apache Kafka for the tests: one broker that the whole run shares, and private ones that a test may kill."""

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

from kafka import KafkaAdminClient

from tests.support.places import ROOT

SCRIPT = ROOT / "scripts" / "kafka"
START_SECONDS = 90
STOP_SECONDS = 20
READY = "Kafka is ready"
# Java's quick compiler and its smallest collector: a broker for tests is used for seconds, not for days.
JAVA = "-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# Linux takes the ports of outgoing connections from 32768 on. A client that keeps trying a port of that range while
# its broker is down can be connected to itself, and then holds the port against the broker.
PORTS = range(20_000, 32_000)
# Whoever uses the shared broker holds a lock on the file `users`; a process that ends, however it ends, lets go of it.
# So the keeper gets the lock when the last one has gone, and then ends the broker, which cannot outlive the keeper.
KEEPER = """
setpriv --pdeathsig KILL "$0" &
flock users rm address
kill -9 $!
wait
rm -rf "$KAFKA_DATA"
"""

Settings = Mapping[str, str]


class Broker:
    """A private broker in a folder, on a port of its own, that a test starts, kills and starts again."""

    def __init__(self, home: Path, java: str = JAVA) -> None:
        """
        *home* is kept by the caller; *java* are options of Java. Nothing runs before `start`.

        A file ``server.properties`` in *home* holds settings of the broker that win over those of scripts/kafka.
        """
        self.home = home
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._java = java
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """
        Start it on the data that it had and wait until it answers.

        It ends with the thread that started it, if that comes first: nothing is left behind by a run that is killed.

        Raises:
            RuntimeError: if it ends instead, or is not ready within 90 seconds; with what it printed.
        """
        log = self.home / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", SCRIPT],
                env=_environment(self.home / "data", self.port, self._java) | self._properties(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        _wait_until_ready(log, self._running)

    def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Have it shut down in good order (SIGTERM); kill it if that takes more than 20 seconds."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it and start it again, on the same port and data."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Let it hang: its connections stay open and nothing is answered (SIGSTOP), until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it hung."""
        self._signal(signal.SIGCONT)

    def _properties(self) -> dict[str, str]:
        more = self.home / "server.properties"
        return {"KAFKA_PROPERTIES": str(more)} if more.exists() else {}

    def _running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _signal(self, which: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(which)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextmanager
def private_broker(java: str = JAVA) -> Iterator[Broker]:
    """Run a broker of one's own while the block runs; its data is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="casetrail-kafka-") as home:
        broker = Broker(Path(home), java)
        try:
            broker.start()
            yield broker
        finally:
            broker.kill()


@contextmanager
def shared_broker(folder: Path) -> Iterator[str]:
    """
    Give the address of the one broker of all processes that name the same *folder*.

    The first starts it; it ends when the last of them has left the block or has ended, in whatever way.

    Raises:
        RuntimeError: if it is not ready within 90 seconds; with what it printed.
    """
    address = folder / "address"
    with (folder / "lock").open("w") as lock, (folder / "users").open("w") as users:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Once this is ours, the keeper of an earlier broker has taken its address away or will not.
        fcntl.flock(users, fcntl.LOCK_SH)
        if not address.exists():
            address.write_text(_launch(folder))
        fcntl.flock(lock, fcntl.LOCK_UN)
        yield address.read_text()


def missing() -> str | None:
    """Say what this machine lacks for a broker, after fetching Kafka's jars where they are not here yet; else None."""
    if not Path("/proc/self").exists():
        return "Kafka (its tests need Linux)"
    fetched = subprocess.run([SCRIPT, "jars"], capture_output=True, text=True, check=False)
    return None if fetched.returncode == 0 else f"Kafka: {' '.join(fetched.stderr.split())}"


def make_topic(address: str, partitions: int = 3, settings: Settings | None = None) -> str:
    """
    Make a topic with a name of its own on the broker at *address*; return its name once all partitions have a leader.

    Its time is the broker's (LogAppendTime), unless *settings*, such as ``{"retention.ms": "-1"}``, say otherwise.
    """
    name = f"casetrail.test.{uuid4().hex}"
    configs = {"message.timestamp.type": "LogAppendTime", **(settings or {})}
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        admin.create_topics({name: {"num_partitions": partitions, "configs": configs}}, wait_for_metadata=True)
    return name


@contextmanager
def topics(address: str) -> Iterator[Callable[..., str]]:
    """Give a function that makes topics there, ``make(partitions=3, settings=None)``; delete them after the block."""
    made: list[str] = []

    def make(partitions: int = 3, settings: Settings | None = None) -> str:
        made.append(make_topic(address, partitions, settings))
        return made[-1]

    yield make
    if made:
        with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
            admin.delete_topics(made)


def free_port() -> int:
    """Return a port where nobody listens; the next three are free too, for the controller and for more listeners."""
    while True:
        port = secrets.choice(PORTS)
        if all(_is_free(port + n) for n in range(4)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _environment(data: Path, port: int, java: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    return inherited | {"KAFKA_DATA": str(data), "KAFKA_PORT": str(port), "KAFKA_JAVA_OPTIONS": java}


def _launch(folder: Path) -> str:
    port = free_port()
    data = Path(tempfile.mkdtemp(prefix="data-", dir=folder))
    log = folder / f"log-{port}"
    with log.open("wb") as output:
        subprocess.run(
            ["setsid", "--fork", "sh", "-c", KEEPER, SCRIPT],
            cwd=folder,
            env=_environment(data, port, JAVA),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=True,
        )
    _wait_until_ready(log, lambda: True)
    return f"127.0.0.1:{port}"


def _wait_until_ready(log: Path, running: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while running() and time.monotonic() < deadline:
        if READY in log.read_text(errors="replace"):
            return
        time.sleep(0.05)
    raise RuntimeError(f"Kafka does not answer:\n{log.read_text(errors='replace')[-2000:]}")
