"""A broker and a database server that can be killed, frozen and started again."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.servers import ROOT, end, free_port, ready

# The other settings make a killed broker start sooner: fewer files to read, and less waiting for its old session.
PROPERTIES = """
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""
# Java's quick compiler and its smallest collector: this broker runs for minutes, not for days.
JAVA = "-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


class Server:
    """
    A server of one of the scripts, on data and a port of its own.

    Attributes:
        port: its port on 127.0.0.1.
        address: the setting that the script printed when it was ready.
    """

    def __init__(self, script: str, port: int, env: Mapping[str, str], log: Path) -> None:
        """Prepare scripts/*script* with the variables *env*; nothing runs before `start`."""
        self.port = port
        self.address = ""
        self._command = ["setpriv", "--pdeathsig", "KILL", str(ROOT / "scripts" / script)]
        self._env = os.environ | dict(env)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server on its data, and wait until it answers; it ends with the thread that started it."""
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a script of this project
                self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        _, self.address = ready(self._log, self._process)

    def end(self, number: signal.Signals) -> None:
        """Send it a signal that ends it, and wait for its end."""
        if self._process is None:
            return
        end(self._process, number)
        self._process = None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal that does not end it, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)


def broker(folder: Path) -> Server:
    """Return a broker with its data in *folder*."""
    properties = folder / "kafka.properties"
    properties.write_text(PROPERTIES, encoding="utf-8")
    port = free_port()
    env = {"KAFKA_DATA": str(folder / "kafka"), "KAFKA_PORT": str(port), "KAFKA_JAVA_OPTIONS": JAVA}
    return Server("kafka", port, env | {"KAFKA_PROPERTIES": str(properties)}, folder / "kafka.log")


def postgres(folder: Path) -> Server:
    """Return a database server with its data in *folder*."""
    # PostgreSQL runs as another user, who needs access.
    folder.chmod(0o711)
    port = free_port()
    return Server(
        "postgres", port, {"PG_HOME": str(folder / "postgres"), "PG_PORT": str(port)}, folder / "postgres.log"
    )
