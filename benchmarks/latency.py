"""
One fact at a time through Kafka and PostgreSQL: how long from publishing it until its status and alerts are visible.

A projector starts on a topic with one fact, which gives the time of a cold start, and then takes facts at an even pace.
It is not the broker's first consumer group, which would wait for what a broker has to do once.
Each is published by itself; a reader asks the database over and over for the positions, which commit with statuses and
alerts. What it measures thus contains the reader's own turn of about two milliseconds. The facts of the first seconds
are told apart: the broker has just been started as well, and Java compiles itself while it works.

Afterwards the same facts go to a topic from which they are only read: what it takes from handing a fact to the client
until another client has it is the floor, on this machine and this day, to which the rest is a ratio. A machine whose
cores are all at work makes everybody wait, so how much of them was idle is told too.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

import psycopg
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, tell
from benchmarks.machine import machine
from benchmarks.process import COMMAND, FACTS_PER_SUBJECT, UNTIL, cpu_seconds, environment, idle_seconds, run
from benchmarks.servers import conninfo, servers, workplace
from events.cloudevents import to_binary
from events.decode import complete
from services.publish.samples import generate

TOPIC = "casetrail.events.v1"
FLOOR = "casetrail.floor.v1"
RULES = Path(__file__).parent / "ten-rules.yaml"
PACE_PER_SECOND = 200
WARM_UP_SECONDS = 15
PATIENCE_SECONDS = 60
TURN_SECONDS = 0.001
POLL_MS = 100
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
        for topic in (FLOOR, TOPIC):
            run([*COMMAND, "topics", "create"], folder, env=env | {"CASETRAIL_KAFKA_TOPIC": topic})
        run([*COMMAND, "init"], folder, env=env)
        _found_group(ready.bootstrap)
        producer = stack.enter_context(closing(KafkaProducer(bootstrap_servers=ready.bootstrap, linger_ms=0)))
        done = producer.send(TOPIC, **facts[0]).get(60)
        with _seeing(partial(_ask, conninfo(url))) as seen:
            started = time.perf_counter()
            with _projector(folder, env) as projector:
                seen.wait_for([(done.partition, done.offset)])
                first = time.perf_counter()
                used, rested = cpu_seconds(projector.pid), idle_seconds()
                waited = _waited(seen, _publish(producer, TOPIC, facts[1:]))
                took = time.perf_counter() - first
                share, idle = (cpu_seconds(projector.pid) - used) / took, (idle_seconds() - rested) / took
                memory = _memory_mib(projector.pid)
        with _seeing(partial(_consume, ready.bootstrap, producer.partitions_for(FLOOR))) as seen:
            floor = _waited(seen, _publish(producer, FLOOR, facts))
    told, floor = _told(waited), _told(floor)
    return {
        "per_second": PACE_PER_SECOND,
        **told,
        "floor": floor,
        **{f"{name}_to_floor": round(told[f"{name}_ms"] / floor[f"{name}_ms"], 1) for name in ("p50", "p99")},
        "cold_start_seconds": round(first - started, 2),
        "memory_mib": memory,
        "cpu_share": round(share, 2),
        "cores_idle": round(idle, 2),
        "machine": machine(folder),
        "command": f"python -m benchmarks.latency --subjects {subjects} --seed {seed}",
    }


def _found_group(bootstrap: str) -> None:
    """Be the first consumer group of a new broker, which makes the topic of all groups' offsets for it first."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with closing(KafkaConsumer(TOPIC, bootstrap_servers=bootstrap, group_id="first")) as consumer:
        while not consumer.assignment():
            if time.monotonic() > deadline:
                msg = f"the broker gave no partition for {PATIENCE_SECONDS} s"
                raise TimeoutError(msg)
            consumer.poll(timeout_ms=POLL_MS)


def _told(waited: Sequence[float]) -> dict[str, Any]:
    """Return the shares of how long facts *waited*, in their order, without and with the first seconds."""
    # A small run has half of it for that, so that there is something to tell of each.
    warm = min(WARM_UP_SECONDS * PACE_PER_SECOND, len(waited) // 2)
    return {**_shares(waited[warm:]), "warm_up": _shares(waited[:warm])}


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


def _publish(producer: KafkaProducer, topic: str, facts: Sequence[dict[str, Any]]) -> dict[Place, float]:
    """Publish at an even pace; return when each was handed over, in that order."""
    sent = []
    begun = time.perf_counter()
    for number, fact in enumerate(facts):
        time.sleep(max(0.0, begun + number / PACE_PER_SECOND - time.perf_counter()))
        moment = time.perf_counter()
        sent.append((moment, producer.send(topic, **fact)))
    return {(done.partition, done.offset): moment for moment, future in sent if (done := future.get(60))}


def _waited(seen: "_Seen", sent: Mapping[Place, float]) -> list[float]:
    """Return how many milliseconds each of what was *sent* took until it was *seen*."""
    seen.wait_for(sent)
    return [(seen.at[place] - moment) * 1000 for place, moment in sent.items()]


class _Seen:
    """When each record was first seen to have been read, or projected."""

    def __init__(self) -> None:
        self.at: dict[Place, float] = {}
        self._positions: dict[int, int] = {}
        self._problem: Exception | None = None
        self._more = threading.Condition()

    def note(self, positions: dict[int, int], now: float) -> None:
        """Take in how far each partition is at the moment *now*."""
        with self._more:
            for partition, position in positions.items():
                for offset in range(self._positions.get(partition, 0), position):
                    self.at[partition, offset] = now
            self._positions |= positions
            self._more.notify_all()

    def wait_for(self, places: Iterable[Place]) -> None:
        """Wait until all records at *places* have been seen, or raise what keeps them from being seen."""
        with self._more:
            missing = set(places)
            while missing := missing - self.at.keys():
                if self._problem:
                    raise self._problem
                if not self._more.wait(PATIENCE_SECONDS):
                    msg = f"{len(missing)} records were not seen, and nothing new for {PATIENCE_SECONDS} s"
                    raise TimeoutError(msg)

    def give_up(self, problem: Exception) -> None:
        """Let nobody wait any longer, because of a *problem*."""
        with self._more:
            self._problem = problem
            self._more.notify_all()


@contextmanager
def _seeing(look: Callable[[_Seen, threading.Event], None]) -> Iterator[_Seen]:
    """Have *look* note what it sees while the block runs, until the event that it is given is set."""
    seen, stop = _Seen(), threading.Event()

    def work() -> None:
        try:
            look(seen, stop)
        except Exception as problem:  # noqa: BLE001 - it is raised where it is waited for
            seen.give_up(problem)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _consume(bootstrap: str, partitions: Iterable[int], seen: _Seen, stop: threading.Event) -> None:
    """Read the *partitions* of the floor, and do nothing with them."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")) as consumer:
        consumer.assign([TopicPartition(FLOOR, number) for number in partitions])
        while not stop.is_set():
            came = consumer.poll(timeout_ms=POLL_MS)
            seen.note({at.partition: records[-1].offset + 1 for at, records in came.items()}, time.perf_counter())


def _ask(address: str, seen: _Seen, stop: threading.Event) -> None:
    """Ask for the positions, over and over."""
    with psycopg.connect(address, autocommit=True, prepare_threshold=0) as conn:
        while not stop.wait(TURN_SECONDS):
            positions: dict[int, int] = dict(conn.execute(POSITIONS).fetchall())
            seen.note(positions, time.perf_counter())


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
    table = Table("", "only read", "projected", "its first seconds")
    for name, label in (
        ("facts", "facts"),
        ("p50_ms", "half of them within, ms"),
        ("p90_ms", "nine of ten, ms"),
        ("p99_ms", "99 of a hundred, ms"),
        ("most_ms", "all, ms"),
    ):
        table.add_row(label, *(f"{each[name]:,}" for each in (told["floor"], told, told["warm_up"])))
    console.print(told["command"])
    console.print(
        f"{told['per_second']} facts a second, until another client had them, and until their status was visible:"
    )
    console.print(table)
    console.print(f"to what is only read: half {told['p50_to_floor']}, 99 of a hundred {told['p99_to_floor']}")
    console.print(f"from starting a projector to its first row: {told['cold_start_seconds']} s")
    console.print(f"most memory of the projector: {told['memory_mib']} MiB")
    console.print(f"share of one core that it took: {told['cpu_share']}")
    console.print(f"cores that were idle meanwhile, of {os.cpu_count()}: {told['cores_idle']}")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    chosen = options("latency", __doc__, subjects=900).parse_args()
    with workplace() as folder:
        told = measure(folder, chosen.subjects, chosen.seed)
    tell(told, _show, as_json=chosen.json)


if __name__ == "__main__":
    main()
