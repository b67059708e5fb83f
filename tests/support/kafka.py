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
# Java's quick compiler and its smallest collector: a test's broker runs for seconds, not for days.
JAVA = "-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# Linux takes the ports of outgoing connections from 32768 on. If a broker of that range is down, a client that keeps
# trying its port can connect to itself. It then holds the port, and the broker cannot start again.
PORTS = range(20_000, 32_000)
# Every process that uses the shared broker holds a shared lock on the file `users`. The lock ends with the process, in
# any way. So the keeper gets the lock after the last user has gone. It then kills the broker, which cannot outlive the
# keeper.
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
        Prepare a broker with its files in *home*, which the caller removes; nothing runs before `start`.

        *java* holds the options of Java. A file ``server.properties`` in *home* overrides settings of scripts/kafka.
        """
        self.home = home
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._java = java
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """
        Start the broker on its data, and wait until it answers.

        The broker is killed when the thread that started it ends, so that a killed run leaves no process behind.

        Raises:
            RuntimeError: if the broker ends or is not ready within 90 seconds; with its output.
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
        """Shut it down in order (SIGTERM), and kill it if that takes more than 20 seconds."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it and start it again, on the same port and data."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop it from answering while its connections stay open (SIGSTOP), until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue after `freeze`."""
        self._signal(signal.SIGCONT)

    def _properties(self) -> dict[str, str]:
        more = self.home / "server.properties"
        return {"KAFKA_PROPERTIES": str(more)} if more.exists() else {}

    def _running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextmanager
def private_broker(java: str = JAVA) -> Iterator[Broker]:
    """Run a private broker during the block, and remove its data afterwards."""
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
    Yield the address of the one broker of all processes that name the same *folder*.

    The first process starts it. It ends after the last process has left the block or has ended, in any way.

    Raises:
        RuntimeError: if the broker is not ready within 90 seconds; with its output.
    """
    address = folder / "address"
    with (folder / "lock").open("w") as lock, (folder / "users").open("w") as users:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # With this lock, the keeper of an earlier broker either has removed its address already or never will.
        fcntl.flock(users, fcntl.LOCK_SH)
        if not address.exists():
            address.write_text(_launch(folder))
        fcntl.flock(lock, fcntl.LOCK_UN)
        yield address.read_text()


def missing() -> str | None:
    """
    Return the requirement of a broker that this machine lacks, or None.

    Kafka's jars are fetched first if they are missing.
    """
    if not Path("/proc/self").exists():
        return "Kafka (its tests need Linux)"
    fetched = subprocess.run([SCRIPT, "jars"], capture_output=True, text=True, check=False)
    return None if fetched.returncode == 0 else f"Kafka: {' '.join(fetched.stderr.split())}"


def make_topic(address: str, partitions: int = 3, settings: Settings | None = None) -> str:
    """
    Create a topic with a unique name on the broker at *address*, and return the name once all partitions have a leader.

    Its records are stamped by the broker (LogAppendTime), unless *settings*, such as ``{"retention.ms": "-1"}``,
    differ.
    """
    name = f"casetrail.test.{uuid4().hex}"
    configs = {"message.timestamp.type": "LogAppendTime", **(settings or {})}
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        admin.create_topics({name: {"num_partitions": partitions, "configs": configs}}, wait_for_metadata=True)
    return name


@contextmanager
def topics(address: str) -> Iterator[Callable[..., str]]:
    """Yield a function ``make(partitions=3, settings=None)`` that creates topics, and delete them after the block."""
    names: list[str] = []

    def make(partitions: int = 3, settings: Settings | None = None) -> str:
        names.append(make_topic(address, partitions, settings))
        return names[-1]

    yield make
    if names:
        with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
            admin.delete_topics(names)


def free_port() -> int:
    """Return a free port; the next three are free too, for the controller and for more listeners."""
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
