"""
One fact at a time through Kafka and PostgreSQL: how long from publishing it until its status and alerts are visible.

A projector starts on a topic with one fact, which gives the time of a cold start, and then takes facts at an even pace.
Each is published by itself; a reader asks the database over and over for the positions, which commit with statuses and
alerts. What it measures thus contains the reader's own turn of about two milliseconds. The facts of the first seconds
are told apart: the broker has just been started as well, and Java compiles itself while it works.
"""

import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from statistics import quantiles
from typing import Any

import psycopg
from kafka import KafkaProducer
from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, tell
from benchmarks.machine import machine
from benchmarks.process import COMMAND, FACTS_PER_SUBJECT, UNTIL, cpu_seconds, environment, run
from benchmarks.servers import conninfo, servers, workplace
from events.binding import to_binary
from events.decode import complete
from services.generate import generate

TOPIC = "casetrail.events.v1"
RULES = Path(__file__).parent / "ten-rules.yaml"
PACE_PER_SECOND = 200
WARM_UP_SECONDS = 15
TURN_SECONDS = 0.001
POSITIONS = "SELECT partition, position FROM partitions"

Place = tuple[int, int]
"""Partition and offset of a record."""


def measure(folder: Path, subjects: int, seed: int) -> dict[str, Any]:
    """Publish facts about so many *subjects* one by one; return the figures by name."""
    facts = list(_records(subjects, seed))
    with ExitStack() as stack:
        ready = stack.enter_context(servers(folder))
        url = ready.new_database("latency")
        env = {
            "CASETRAIL_LOG": "kafka",
            "CASETRAIL_KAFKA_BOOTSTRAP_SERVERS": ready.bootstrap,
            "CASETRAIL_RULES": str(RULES),
            "CASETRAIL_DATABASE_URL": url,
        }
        run([*COMMAND, "topics", "create"], folder, env=env)
        run([*COMMAND, "init"], folder, env=env)
        producer = stack.enter_context(closing(KafkaProducer(bootstrap_servers=ready.bootstrap, linger_ms=0)))
        producer.send(TOPIC, **facts[0]).get(60)
        seen = stack.enter_context(_reader(conninfo(url)))
        started = time.perf_counter()
        projector = stack.enter_context(_projector(folder, env))
        first = seen.wait_for(1)
        sent, cpu = _publish(producer, facts[1:], projector.pid)
        seen.wait_for(len(facts))
        memory = _memory_mib(projector.pid)
    waited = [(seen.at[place] - moment) * 1000 for place, moment in sorted(sent.items(), key=itemgetter(1))]
    # A small run has half of it for that, so that there is something to tell of each.
    warm = min(WARM_UP_SECONDS * PACE_PER_SECOND, len(waited) // 2)
    return {
        "per_second": PACE_PER_SECOND,
        **_shares(waited[warm:]),
        "warm_up": _shares(waited[:warm]),
        "cold_start_seconds": round(first - started, 2),
        "memory_mib": memory,
        "cpu_share": round(cpu, 2),
        "machine": machine(folder),
        "command": f"python -m benchmarks.latency --subjects {subjects} --seed {seed}",
    }


def _shares(waited: Sequence[float]) -> dict[str, float]:
    """Return how many milliseconds half, nine of ten and 99 of a hundred facts waited at the most, and all of them."""
    cuts = quantiles(waited, n=100, method="inclusive")
    told = {"p50_ms": cuts[49], "p90_ms": cuts[89], "p99_ms": cuts[98], "most_ms": max(waited)}
    return {"facts": len(waited), **{name: round(value, 1) for name, value in told.items()}}


def _records(subjects: int, seed: int) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for line in generate(subjects, seed, facts_per_subject=FACTS_PER_SUBJECT, until=UNTIL, tidy=True):
        fact, value = complete(line, now)
        headers, data = to_binary(value)
        yield {"key": fact.subject.encode(), "headers": headers, "value": data}


def _publish(producer: KafkaProducer, facts: Sequence[dict[str, Any]], pid: int) -> tuple[dict[Place, float], float]:
    """Publish at an even pace; return when each was handed over, and the share of a core that the projector took."""
    sent = {}
    begun, used = time.perf_counter(), cpu_seconds(pid)
    for number, fact in enumerate(facts):
        time.sleep(max(0.0, begun + number / PACE_PER_SECOND - time.perf_counter()))
        moment = time.perf_counter()
        sent[number] = (moment, producer.send(TOPIC, **fact))
    share = (cpu_seconds(pid) - used) / (time.perf_counter() - begun)
    return {
        (done.partition, done.offset): moment for moment, future in sent.values() if (done := future.get(60))
    }, share


class _Seen:
    """When each record was first seen to have been projected."""

    def __init__(self) -> None:
        self.at: dict[Place, float] = {}
        self._positions: dict[int, int] = {}
        self._more = threading.Condition()

    def note(self, positions: dict[int, int], now: float) -> None:
        """Take in how far each partition is at the moment *now*."""
        with self._more:
            for partition, position in positions.items():
                for offset in range(self._positions.get(partition, 0), position):
                    self.at[partition, offset] = now
            self._positions = positions
            self._more.notify_all()

    def wait_for(self, count: int) -> float:
        """Wait until so many records have been seen; return the moment of the last."""
        with self._more:
            while len(self.at) < count:
                self._more.wait()
            return max(self.at.values())


@contextmanager
def _reader(address: str) -> Iterator[_Seen]:
    """Ask for the positions, over and over, while the block runs."""
    seen, stop = _Seen(), threading.Event()

    def read() -> None:
        with psycopg.connect(address, autocommit=True, prepare_threshold=0) as conn:
            while not stop.wait(TURN_SECONDS):
                positions: dict[int, int] = dict(conn.execute(POSITIONS).fetchall())
                seen.note(positions, time.perf_counter())

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


@contextmanager
def _projector(folder: Path, env: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / "projector.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own
            [*COMMAND, "run", "projector"], cwd=folder, env=environment(env), stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def _memory_mib(pid: int) -> int:
    """Return the most memory that a process has held (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024)


def _show(console: Console, told: dict[str, Any]) -> None:
    table = Table("", "the first", "then")
    for name, label in (
        ("facts", "facts"),
        ("p50_ms", "half of them within, ms"),
        ("p90_ms", "nine of ten, ms"),
        ("p99_ms", "99 of a hundred, ms"),
        ("most_ms", "all, ms"),
    ):
        table.add_row(label, f"{told['warm_up'][name]:,}", f"{told[name]:,}")
    console.print(told["command"])
    console.print(f"{told['per_second']} facts a second, until their status was visible:")
    console.print(table)
    console.print(f"from starting a projector to its first row: {told['cold_start_seconds']} s")
    console.print(f"most memory of the projector: {told['memory_mib']} MiB")
    console.print(f"share of one core that it took: {told['cpu_share']}")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    chosen = options("latency", __doc__, subjects=900).parse_args()
    with workplace() as folder:
        told = measure(folder, chosen.subjects, chosen.seed)
    tell(told, _show, as_json=chosen.json)


if __name__ == "__main__":
    main()
