"""
One fact at a time through Kafka and PostgreSQL: the time from publishing until status and alerts are visible.

A projector starts on a topic with one fact, which measures a cold start, and then takes facts at an even pace. It does
not belong to the broker's first consumer group. The first group would have to wait for work that a new broker does
once. Each fact is published by itself. A reader asks the database repeatedly for the positions, which commit with
statuses and alerts. So each time includes the reader's own turn of about two milliseconds. The facts of the first
seconds are reported separately, because the broker has just started too, and Java still compiles itself.

Afterwards the same facts go to a topic from which they are only read. The time from handing a fact to the client until
another client has it is the floor, on this machine and on this day. The figures are ratios to the floor. If
all cores of a machine are busy, everything waits, so the share of idle cores is reported too.
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

from benchmarks.figures import options, print_figures
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
    """Publish facts about *subjects* people one by one, and return the figures by name."""
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
        _create_first_group(ready.bootstrap)
        producer = stack.enter_context(closing(KafkaProducer(bootstrap_servers=ready.bootstrap, linger_ms=0)))
        done = producer.send(TOPIC, **facts[0]).get(60)
        with _observing(partial(_ask, conninfo(url))) as reader:
            started = time.perf_counter()
            with _projector(folder, env) as projector:
                reader.wait_for([(done.partition, done.offset)])
                first = time.perf_counter()
                cpu_before, idle_before = cpu_seconds(projector.pid), idle_seconds()
                waited = _waiting_ms(reader, _publish(producer, TOPIC, facts[1:]))
                took = time.perf_counter() - first
                share, idle = (cpu_seconds(projector.pid) - cpu_before) / took, (idle_seconds() - idle_before) / took
                memory = _memory_mib(projector.pid)
        with _observing(partial(_consume, ready.bootstrap, producer.partitions_for(FLOOR))) as reader:
            floor = _waiting_ms(reader, _publish(producer, FLOOR, facts))
    shares, floor = _with_warm_up(waited), _with_warm_up(floor)
    return {
        "per_second": PACE_PER_SECOND,
        **shares,
        "floor": floor,
        **{f"{name}_to_floor": round(shares[f"{name}_ms"] / floor[f"{name}_ms"], 1) for name in ("p50", "p99")},
        "cold_start_seconds": round(first - started, 2),
        "memory_mib": memory,
        "cpu_share": round(share, 2),
        "cores_idle": round(idle, 2),
        "machine": machine(folder),
        "command": f"python -m benchmarks.latency --subjects {subjects} --seed {seed}",
    }


def _create_first_group(bootstrap: str) -> None:
    """Join as the first consumer group of a new broker, which first creates the topic of all groups' offsets."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with closing(KafkaConsumer(TOPIC, bootstrap_servers=bootstrap, group_id="first")) as consumer:
        while not consumer.assignment():
            if time.monotonic() > deadline:
                msg = f"the broker assigned no partition for {PATIENCE_SECONDS} s"
                raise TimeoutError(msg)
            consumer.poll(timeout_ms=POLL_MS)


def _with_warm_up(waited: Sequence[float]) -> dict[str, Any]:
    """Return the shares of the waiting times, in their order, without and with the first seconds."""
    # In a small run the first seconds take half of the facts, so that both parts have figures.
    warm = min(WARM_UP_SECONDS * PACE_PER_SECOND, len(waited) // 2)
    return {**_shares(waited[warm:]), "warm_up": _shares(waited[:warm])}


def _shares(waited: Sequence[float]) -> dict[str, float]:
    """Return the milliseconds within which 50, 90, 99 and 100 percent of the facts were visible."""
    cuts = quantiles(waited, n=100, method="inclusive")
    result = {"p50_ms": cuts[49], "p90_ms": cuts[89], "p99_ms": cuts[98], "most_ms": max(waited)}
    return {"facts": len(waited), **{name: round(value, 1) for name, value in result.items()}}


def _records(subjects: int, seed: int) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for line in generate(subjects, seed, facts_per_subject=FACTS_PER_SUBJECT, until=UNTIL, tidy=True):
        fact, value = complete(line, now)
        headers, data = to_binary(value)
        yield {"key": fact.subject.encode(), "headers": headers, "value": data}


def _publish(producer: KafkaProducer, topic: str, facts: Sequence[dict[str, Any]]) -> dict[Place, float]:
    """Publish at an even pace, and return the moment of each hand-over, in that order."""
    sent = []
    begun = time.perf_counter()
    for number, fact in enumerate(facts):
        time.sleep(max(0.0, begun + number / PACE_PER_SECOND - time.perf_counter()))
        moment = time.perf_counter()
        sent.append((moment, producer.send(topic, **fact)))
    return {(done.partition, done.offset): moment for moment, future in sent if (done := future.get(60))}


def _waiting_ms(observations: "_Observations", sent: Mapping[Place, float]) -> list[float]:
    """Return the milliseconds from sending to seeing, for each record in *sent*."""
    observations.wait_for(sent)
    return [(observations.at[place] - moment) * 1000 for place, moment in sent.items()]


class _Observations:
    """The moments at which each record was first seen as read or projected."""

    def __init__(self) -> None:
        self.at: dict[Place, float] = {}
        self._positions: dict[int, int] = {}
        self._problem: Exception | None = None
        self._more = threading.Condition()

    def note(self, positions: dict[int, int], now: float) -> None:
        """Add the positions of the partitions at the moment *now*."""
        with self._more:
            for partition, position in positions.items():
                for offset in range(self._positions.get(partition, 0), position):
                    self.at[partition, offset] = now
            self._positions |= positions
            self._more.notify_all()

    def wait_for(self, places: Iterable[Place]) -> None:
        """Wait until all records at *places* have been seen, or raise the problem of the reader."""
        with self._more:
            missing = set(places)
            while missing := missing - self.at.keys():
                if self._problem:
                    raise self._problem
                if not self._more.wait(PATIENCE_SECONDS):
                    msg = f"{len(missing)} records were not seen, and no other for {PATIENCE_SECONDS} s"
                    raise TimeoutError(msg)

    def fail(self, problem: Exception) -> None:
        """End all waiting because of a *problem*."""
        with self._more:
            self._problem = problem
            self._more.notify_all()


@contextmanager
def _observing(look: Callable[[_Observations, threading.Event], None]) -> Iterator[_Observations]:
    """Run *look* in a thread during the block; it notes what it reads, until its event is set."""
    observations, stop = _Observations(), threading.Event()

    def work() -> None:
        try:
            look(observations, stop)
        except Exception as problem:  # noqa: BLE001 - raised in the waiting thread
            observations.fail(problem)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield observations
    finally:
        stop.set()
        thread.join()


def _consume(bootstrap: str, partitions: Iterable[int], observations: _Observations, stop: threading.Event) -> None:
    """Read the *partitions* of the floor without further work."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")) as consumer:
        consumer.assign([TopicPartition(FLOOR, number) for number in partitions])
        while not stop.is_set():
            batches = consumer.poll(timeout_ms=POLL_MS)
            observations.note(
                {at.partition: records[-1].offset + 1 for at, records in batches.items()}, time.perf_counter()
            )


def _ask(address: str, observations: _Observations, stop: threading.Event) -> None:
    """Ask for the positions repeatedly."""
    with psycopg.connect(address, autocommit=True, prepare_threshold=0) as conn:
        while not stop.wait(TURN_SECONDS):
            positions: dict[int, int] = dict(conn.execute(POSITIONS).fetchall())
            observations.note(positions, time.perf_counter())


@contextmanager
def _projector(folder: Path, env: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / "projector.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - casetrail
            [*COMMAND, "run", "projector"], cwd=folder, env=environment(env), stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def _memory_mib(pid: int) -> int:
    """Return the peak memory of a process in MiB (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024)


def _show(console: Console, figures: dict[str, Any]) -> None:
    table = Table("", "only read", "projected", "its first seconds")
    for name, label in (
        ("facts", "facts"),
        ("p50_ms", "50 % within, ms"),
        ("p90_ms", "90 % within, ms"),
        ("p99_ms", "99 % within, ms"),
        ("most_ms", "all within, ms"),
    ):
        table.add_row(label, *(f"{part[name]:,}" for part in (figures["floor"], figures, figures["warm_up"])))
    console.print(figures["command"])
    console.print(
        f"{figures['per_second']} facts a second, until another client has read them, and until the status is visible:"
    )
    console.print(table)
    console.print(f"to the floor: 50 % {figures['p50_to_floor']}, 99 % {figures['p99_to_floor']}")
    console.print(f"from the start of a projector to its first row: {figures['cold_start_seconds']} s")
    console.print(f"peak memory of the projector: {figures['memory_mib']} MiB")
    console.print(f"share of one core in use by the projector: {figures['cpu_share']}")
    console.print(f"idle cores, of {os.cpu_count()}: {figures['cores_idle']}")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    arguments = options("latency", __doc__, subjects=900).parse_args()
    with workplace() as folder:
        figures = measure(folder, arguments.subjects, arguments.seed)
    print_figures(figures, _show, as_json=arguments.json)


if __name__ == "__main__":
    main()
