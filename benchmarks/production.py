"""
The production mode under load: facts through Kafka into PostgreSQL, against the same without any conclusions.

Starts a broker and a database server, publishes facts with `casetrail publish`, and then has the same records read
to the end three times, each by a process of its own: by `benchmarks.raw`, which consumes, validates and stores them and
concludes nothing; by `casetrail project` with ten rules; and by two `casetrail run projector` that share the
partitions. The first figures are ratios between those of one run.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, tell
from benchmarks.machine import machine
from benchmarks.process import COMMAND, LABELS, TENTHS, Ran, cpu_seconds, environment, figures, run, write_facts
from benchmarks.servers import Servers, conninfo, servers, workplace

RULES = Path(__file__).parent / "ten-rules.yaml"
STORED = "SELECT coalesce(sum(position), 0)::bigint FROM raw_positions"
PROJECTED = "SELECT coalesce(sum(position), 0)::bigint FROM partitions"
COUNTS = "SELECT sum(read)::bigint, sum(applied)::bigint, sum(parked)::bigint, sum(forwarded)::bigint FROM partitions"
POLL_SECONDS = 0.02


def measure(folder: Path, subjects: int, seed: int) -> dict[str, Any]:
    """Publish and project facts about so many *subjects* with servers in *folder*; return the figures by name."""
    facts = folder / "facts.ndjson"
    lines = write_facts(facts, subjects, seed)
    with servers(folder) as ready:
        settings = {
            "CASETRAIL_LOG": "kafka",
            "CASETRAIL_KAFKA_BOOTSTRAP_SERVERS": ready.bootstrap,
            "CASETRAIL_RULES": str(RULES),
            "CASETRAIL_DATABASE_URL": ready.new_database("ours"),
        }
        run([*COMMAND, "topics", "create"], folder, env=settings)
        published = run([*COMMAND, "publish", str(facts)], folder, env=settings)
        raw, raw_servers = _raw(folder, ready)
        ours, our_servers, counts = _ours(folder, ready, settings)
        two = _two(folder, ready, settings, lines)
        one = lines / (ours.samples[-1].wall - _start(ours))
        server = _version(ready)
    if counts["read"] != lines:
        sys.exit(f"read {counts['read']} of {lines} records: these figures mean nothing")
    raw_figures, our_figures = figures(raw, lines), figures(ours, lines)
    return {
        "subjects": subjects,
        "seed": seed,
        "lines": lines,
        "ours_to_raw": round(our_figures["per_second"] / raw_figures["per_second"], 2),
        "two_to_one": round(two / one, 2),
        "two_per_second": round(two),
        "publish": {"per_second": round(lines / published.samples[-1].wall)},
        "raw": raw_figures | {"servers_cpu_seconds": raw_servers},
        "project": our_figures | {"servers_cpu_seconds": our_servers},
        **counts,
        "machine": machine(folder) | {"servers": server},
        "command": f"python -m benchmarks.production --subjects {subjects} --seed {seed}",
    }


def _raw(folder: Path, ready: Servers) -> tuple[Ran, dict[str, float]]:
    address = conninfo(ready.new_database("raw"))
    words = [sys.executable, "-m", "benchmarks.raw", ready.bootstrap, "casetrail.events.v1", address]
    with _Cpu(ready) as cpu, psycopg.connect(address, autocommit=True) as conn:
        ran = run(words, folder, lambda: _stored(conn))
    return ran, cpu.used


def _stored(conn: psycopg.Connection) -> int:
    there = conn.execute("SELECT to_regclass('raw_positions')").fetchone()
    return _ask(conn, STORED) if there and there[0] else 0


def _ours(folder: Path, ready: Servers, settings: Mapping[str, str]) -> tuple[Ran, dict[str, float], dict[str, int]]:
    run([*COMMAND, "init"], folder, env=settings)
    with psycopg.connect(conninfo(settings["CASETRAIL_DATABASE_URL"]), autocommit=True) as conn:
        with _Cpu(ready) as cpu:
            ran = run([*COMMAND, "project"], folder, lambda: _ask(conn, PROJECTED), settings)
        names = ("read", "applied", "parked", "forwarded")
        counts = dict(zip(names, conn.execute(COUNTS).fetchone() or (), strict=True))
        counts["alerts"] = _ask(conn, "SELECT count(*) FROM alerts")
    return ran, cpu.used, counts


def _two(folder: Path, ready: Servers, settings: Mapping[str, str], lines: int) -> float:
    """Return the records a second of two projectors, from when both are at work."""
    url = ready.new_database("two")
    env = {**settings, "CASETRAIL_DATABASE_URL": url, "CASETRAIL_KAFKA_GROUP": "two"}
    run([*COMMAND, "init"], folder, env=env)
    with ExitStack() as stack, psycopg.connect(conninfo(url), autocommit=True) as conn:
        for number in range(2):
            log = stack.enter_context((folder / f"two-{number}.log").open("wb"))
            process = subprocess.Popen(  # noqa: S603 - our own
                [*COMMAND, "run", "projector"], cwd=folder, env=environment(env), stdout=log, stderr=log
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        begun = _wait(lambda: _ask(conn, PROJECTED), lines // 10)
        started = time.perf_counter()
        _wait(lambda: _ask(conn, PROJECTED), lines)
        return (lines - begun) / (time.perf_counter() - started)


def _wait(ask: Callable[[], int], wanted: int) -> int:
    while (done := ask()) < wanted:
        time.sleep(POLL_SECONDS)
    return done


def _start(ran: Ran) -> float:
    """Return the seconds after which a process had done nothing yet: Python's imports, and joining the group."""
    return max(sample.wall for sample in ran.samples if not sample.done)


def _ask(conn: psycopg.Connection, query: str) -> int:
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0


def _version(ready: Servers) -> str:
    with psycopg.connect(conninfo(ready.database_url)) as conn:
        row = conn.execute("SHOW server_version").fetchone()
    return f"PostgreSQL {row[0] if row else '?'}, Kafka of scripts/kafka-pom.xml, both as installed"


class _Cpu:
    """The processor time that the servers take while a block runs."""

    def __init__(self, ready: Servers) -> None:
        self._ready = ready
        self.used: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._before = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        self.used = {name: round(now - self._before[name], 1) for name, now in self._now().items()}

    def _now(self) -> dict[str, float]:
        server = self._ready.database_pid
        mine = Path(f"/proc/{server}/task/{server}/children").read_text(encoding="utf-8").split()
        # Sessions that have ended are counted with the server that waited for them.
        database = cpu_seconds(server, ended_children=True) + sum(cpu_seconds(int(pid)) for pid in mine)
        return {"broker": cpu_seconds(self._ready.broker_pid), "database": database}


def _show(console: Console, told: dict[str, Any]) -> None:
    console.print(told["command"])
    console.print(f"ours to raw, records a second: {told['ours_to_raw']}")
    console.print(f"two projectors to one: {told['two_to_one']} ({told['two_per_second']:,} records a second)")
    both = (told["raw"], told["project"])
    table = Table("", "raw", "project")
    for name, label in LABELS.items():
        table.add_row(label, *(f"{each[name]:,}" for each in both))
    for server in ("broker", "database"):
        label = f"seconds of processor time of the {server}"
        table.add_row(label, *(f"{each['servers_cpu_seconds'][server]:,}" for each in both))
    for tenth in range(TENTHS):
        costs = (f"{each['wall_us_by_tenth'][tenth]:.0f} / {each['cpu_us_by_tenth'][tenth]:.0f}" for each in both)
        table.add_row(f"µs a record, wall / processor, tenth {tenth + 1}", *costs)
    console.print(table)
    console.print(f"published: {told['publish']['per_second']:,} a second")
    for name in ("lines", "applied", "parked", "forwarded", "alerts"):
        console.print(f"{name}: {told[name]:,}")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    chosen = options("production", __doc__, subjects=100_000).parse_args()
    with workplace() as folder:
        told = measure(folder, chosen.subjects, chosen.seed)
    tell(told, _show, as_json=chosen.json)


if __name__ == "__main__":
    main()
