"""
The embedded mode under load: a million facts about 100,000 people through `publish` and `project`, on SQLite.

The commands run as processes of their own, as users run them. Beside them the database is asked every quarter of a
second how far they are, so that the cost per fact can be compared from the first tenth of the run to the last: in
seconds on the wall, which are those of everything that runs on the machine, and in processor time, which is theirs.
"""

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
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, tell
from benchmarks.machine import machine
from services.generate import generate

ROOT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-m", "services.cli")
FACTS_PER_SUBJECT = 10
UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
POLL_SECONDS = 0.25
TENTHS = 10

LABELS = {
    "per_second": "records a second",
    "per_cpu_second": "records a second of processor time",
    "seconds": "seconds",
    "cpu_seconds": "seconds of processor time",
    "peak_mib": "most memory, MiB",
    "wall_last_to_first": "last tenth to first, wall",
    "cpu_last_to_first": "last tenth to first, processor",
}

PUBLISHED = "SELECT coalesce(max(log_offset) + 1, 0) FROM log"
PROJECTED = "SELECT coalesce(max(position), 0) FROM partitions"


class Sample(NamedTuple):
    """How far a command was, and what it had taken by then: seconds since its start, and of processor time."""

    done: int
    wall: float
    cpu: float


class Ran(NamedTuple):
    """What one command took: the most memory, and how far it was when, to its end."""

    peak_mib: float
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


def tenths(samples: Sequence[tuple[int, float]], total: int) -> list[float]:
    """
    Return the microseconds a record took in each tenth of *total* records.

    Args:
        samples: (records done, seconds) as they went on; what lies between two is taken to have gone evenly. Starting
            up and closing down are left out: from the last with nothing done to the first with everything done.
        total: the number of records.
    """
    times = [_reached(samples, total * tenth / TENTHS) for tenth in range(TENTHS + 1)]
    return [(end - start) * 1e6 * TENTHS / total for start, end in pairwise(times)]


def last_to_first(costs: Sequence[float]) -> float:
    """Return how many times the first of *costs* the last one is; 0 where the first was too small to be seen."""
    return round(costs[-1] / costs[0], 2) if costs[0] else 0.0


def _reached(samples: Sequence[tuple[int, float]], wanted: float) -> float:
    """Return the seconds at which *wanted* records were done."""
    before = max(sample for sample in samples if sample[0] < wanted or sample[0] == 0)
    if wanted == 0:
        return before[1]
    after = next(sample for sample in samples if sample[0] >= wanted)
    return before[1] + (wanted - before[0]) / (after[0] - before[0]) * (after[1] - before[1])


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
    samples = [Sample(0, 0.0, 0.0)]
    process = subprocess.Popen([*COMMAND, *words], cwd=folder, env=inherited | ours, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        cpu = used.ru_utime + used.ru_stime if pid else _cpu_seconds(process.pid)
        samples.append(Sample(ask(), time.perf_counter() - started, cpu))
        if pid:
            break
        time.sleep(POLL_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has seen the end, of which Popen does not know
    if process.returncode:
        sys.exit(f"casetrail {words[0]} ended with {process.returncode}: these figures mean nothing")
    return Ran(used.ru_maxrss / 1024, samples)


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of a process that runs, its own and the kernel's for it (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ask(database: sqlite3.Connection, query: str) -> int:
    return int(database.execute(query).fetchone()[0])


def _mb(path: Path) -> float:
    return round(path.stat().st_size / 1e6, 1)


def _figures(ran: Ran, lines: int) -> dict[str, Any]:
    wall = tenths([(sample.done, sample.wall) for sample in ran.samples], lines)
    cpu = tenths([(sample.done, sample.cpu) for sample in ran.samples], lines)
    end = ran.samples[-1]
    return {
        "per_second": round(lines / end.wall),
        "per_cpu_second": round(lines / end.cpu),
        "seconds": round(end.wall, 1),
        "cpu_seconds": round(end.cpu, 1),
        "peak_mib": round(ran.peak_mib),
        "wall_us_by_tenth": [round(each, 1) for each in wall],
        "cpu_us_by_tenth": [round(each, 1) for each in cpu],
        "wall_last_to_first": last_to_first(wall),
        "cpu_last_to_first": last_to_first(cpu),
    }


def _show(console: Console, figures: dict[str, Any]) -> None:
    table = Table("", "publish", "project")
    both = (figures["publish"], figures["project"])
    for name, label in LABELS.items():
        table.add_row(label, *(f"{each[name]:,}" for each in both))
    for tenth in range(TENTHS):
        costs = (f"{each['wall_us_by_tenth'][tenth]:.0f} / {each['cpu_us_by_tenth'][tenth]:.0f}" for each in both)
        table.add_row(f"µs a record, wall / processor, tenth {tenth + 1}", *costs)
    console.print(figures["command"])
    console.print(table)
    for name in ("lines", "applied", "duplicate", "parked", "alerts", "facts_mb", "database_mb"):
        console.print(f"{name}: {figures[name]:,}")


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
    parser = options("embedded", __doc__, subjects=100_000)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this folder and leave it")
    chosen = parser.parse_args()
    with _folder(chosen.keep) as folder:
        figures = measure(folder, chosen.subjects, chosen.seed)
    tell(figures, _show, as_json=chosen.json)


if __name__ == "__main__":
    main()
