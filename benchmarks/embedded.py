"""
The embedded mode under load: a million facts about 100,000 people through `publish` and `project`, on SQLite.

The commands run as processes of their own, as users run them. Beside them the database is asked every quarter of a
second how far they are, so that the cost per fact can be compared from the first tenth of the run to the last.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from services.generate import generate

ROOT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-m", "services.cli")
FACTS_PER_SUBJECT = 10
UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
POLL_SECONDS = 0.25
TENTHS = 10

PUBLISHED = "SELECT coalesce(max(log_offset) + 1, 0) FROM log"
PROJECTED = "SELECT coalesce(max(position), 0) FROM partitions"

Sample = tuple[float, int]
"""Seconds since the start, and the number of records done by then."""


class Ran(NamedTuple):
    """What one command took: wall and processor seconds, the most memory, and how far it was when."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    samples: list[Sample]


def measure(folder: Path, subjects: int, seed: int) -> dict[str, Any]:
    """Publish and project facts about so many *subjects* in *folder*, and return the figures by name."""
    facts = folder / "facts.ndjson"
    lines = _write(facts, subjects, seed)
    _run(folder, ["init"], lambda: 0)
    with closing(sqlite3.connect(folder / "casetrail.db")) as database:
        published = _run(folder, ["publish", str(facts)], lambda: _ask(database, PUBLISHED))
        projected = _run(folder, ["project"], lambda: _ask(database, PROJECTED))
        done = _ask(database, PROJECTED)
        counts = {name: _ask(database, f"SELECT {name} FROM partitions") for name in ("applied", "duplicate", "parked")}  # noqa: S608
        alerts = _ask(database, "SELECT count(*) FROM alerts")
    if done != lines:
        sys.exit(f"projected {done} of {lines} lines: these figures mean nothing")
    return {
        "subjects": subjects,
        "seed": seed,
        "lines": lines,
        "facts_mb": _mb(facts),
        "database_mb": sum(_mb(path) for path in folder.glob("casetrail.db*")),
        **counts,
        "alerts": alerts,
        "publish": _figures(published, lines),
        "project": _figures(projected, lines),
        "machine": machine(folder),
        "command": f"python -m benchmarks.embedded --subjects {subjects} --seed {seed}",
    }


def tenths(samples: Sequence[Sample], total: int) -> list[float]:
    """
    Return the microseconds a record took in each tenth of *total* records.

    Args:
        samples: how far the run was when; what lies between two of them is taken to have gone evenly. Starting up and
            closing down are left out: from the last sample with nothing done to the first with everything done.
        total: the number of records.
    """
    times = [_reached(samples, total * tenth / TENTHS) for tenth in range(TENTHS + 1)]
    return [(end - start) * 1e6 * TENTHS / total for start, end in pairwise(times)]


def _reached(samples: Sequence[Sample], wanted: float) -> float:
    """Return when *wanted* records were done, in seconds since the start."""
    before = max((sample for sample in samples if sample[1] < wanted or sample[1] == 0), key=itemgetter(1, 0))
    if wanted == 0:
        return before[0]
    after = next(sample for sample in samples if sample[1] >= wanted)
    return before[0] + (wanted - before[1]) / (after[1] - before[1]) * (after[0] - before[0])


def _write(path: Path, subjects: int, seed: int) -> int:
    count = 0
    with path.open("wb", buffering=1 << 20) as file:
        for line in generate(subjects, seed, facts_per_subject=FACTS_PER_SUBJECT, until=UNTIL, tidy=True):
            file.write(line + b"\n")
            count += 1
    return count


def _run(folder: Path, words: list[str], ask: Callable[[], int]) -> Ran:
    """Run a command in *folder*, ask how far it is while it runs, and end the benchmark if it fails."""
    ours = {"PYTHONPATH": str(ROOT), "CASETRAIL_DATABASE_URL": "sqlite:///casetrail.db"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
    started = time.perf_counter()
    samples: list[Sample] = [(0.0, 0)]
    process = subprocess.Popen([*COMMAND, *words], cwd=folder, env=inherited | ours, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        samples.append((time.perf_counter() - started, ask()))
        if pid:
            break
        time.sleep(POLL_SECONDS)
    if status:
        sys.exit(f"casetrail {words[0]} ended with {os.waitstatus_to_exitcode(status)}: these figures mean nothing")
    process.returncode = 0  # wait4 has seen the end, of which Popen does not know
    return Ran(samples[-1][0], used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, samples)


def _ask(database: sqlite3.Connection, query: str) -> int:
    return int(database.execute(query).fetchone()[0])


def _mb(path: Path) -> float:
    return round(path.stat().st_size / 1e6, 1)


def _figures(ran: Ran, lines: int) -> dict[str, Any]:
    cost = tenths(ran.samples, lines)
    return {
        "per_second": round(lines / ran.seconds),
        "seconds": round(ran.seconds, 1),
        "cpu_seconds": round(ran.cpu_seconds, 1),
        "peak_mb": round(ran.peak_mb),
        "us_per_record_by_tenth": [round(each, 1) for each in cost],
        "last_to_first": round(cost[-1] / cost[0], 2),
    }


def _show(figures: dict[str, Any]) -> None:
    console = Console(highlight=False, width=120)
    table = Table("", "publish", "project")
    published, projected = figures["publish"], figures["project"]
    labels = {
        "per_second": "records a second",
        "seconds": "seconds",
        "cpu_seconds": "seconds of one core",
        "peak_mb": "most memory, MiB",
    }
    for name, label in labels.items():
        table.add_row(label, f"{published[name]:,}", f"{projected[name]:,}")
    for tenth in range(TENTHS):
        costs = (f"{each['us_per_record_by_tenth'][tenth]:.1f}" for each in (published, projected))
        table.add_row(f"µs a record, tenth {tenth + 1}", *costs)
    table.add_row("last tenth to first", f"{published['last_to_first']:.2f}", f"{projected['last_to_first']:.2f}")
    console.print(figures["command"])
    console.print(table)
    for name in ("lines", "applied", "duplicate", "parked", "alerts", "facts_mb", "database_mb"):
        console.print(f"{name}: {figures[name]:,}")
    for name, value in figures["machine"].items():
        console.print(f"{name}: {value}")


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="casetrail-") as name:
            yield Path(name)
    else:
        keep.mkdir(parents=True, exist_ok=True)
        for old in keep.glob("casetrail.db*"):
            old.unlink()
        yield keep.absolute()


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedded", description=__doc__.strip().splitlines()[0])
    parser.add_argument("--subjects", type=int, default=100_000, help="how many people, with ten facts about each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this folder and leave it")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args()
    with _folder(chosen.keep) as folder:
        figures = measure(folder, chosen.subjects, chosen.seed)
    if chosen.json:
        sys.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    else:
        _show(figures)


if __name__ == "__main__":
    main()
