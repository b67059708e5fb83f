"""Commands measured as they run: how far they are and what they have taken, from their start to their end."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from services.publish.samples import generate

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


class Sample(NamedTuple):
    """How far a command was, and what it had taken by then: seconds since its start, and of processor time."""

    done: int
    wall: float
    cpu: float


class Ran(NamedTuple):
    """What one command took: the most memory, and how far it was when, to its end."""

    peak_mib: float
    samples: list[Sample]


def write_facts(path: Path, subjects: int, seed: int, cohorts: int = 1) -> int:
    """
    Write facts about so many *subjects* to *path*, and return how many lines there are.

    Args:
        path: the file.
        subjects: how many people, all cohorts together.
        seed: of the first cohort; each has its own.
        cohorts: how many archives, one after the other, each with people of its own from their beginning to their end.
    """
    count, first = 0, 1
    with path.open("wb", buffering=1 << 20) as file:
        for cohort in range(cohorts):
            people = len(range(cohort, subjects, cohorts))
            for line in generate(
                people,
                seed + cohort,
                first=first,
                facts_per_subject=FACTS_PER_SUBJECT,
                until=UNTIL,
                tidy=True,
            ):
                file.write(line + b"\n")
                count += 1
            first += people
    return count


def run(
    command: Sequence[str], folder: Path, ask: Callable[[], int] = lambda: 0, env: Mapping[str, str] | None = None
) -> Ran:
    """Run a command in *folder*, ask how far it is while it runs, and end the benchmark if it fails."""
    started = time.perf_counter()
    samples = [Sample(0, 0.0, 0.0)]
    process = subprocess.Popen(command, cwd=folder, env=environment(env), stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        cpu = used.ru_utime + used.ru_stime if pid else cpu_seconds(process.pid)
        samples.append(Sample(ask(), time.perf_counter() - started, cpu))
        if pid:
            break
        time.sleep(POLL_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has seen the end, of which Popen does not know
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: these figures mean nothing")
    return Ran(used.ru_maxrss / 1024, samples)


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of a process of ours: none of CASETRAIL_* but those of *env*."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
    return inherited | {"PYTHONPATH": str(ROOT)} | dict(env or {})


def cpu_seconds(pid: int, *, ended_children: bool = False) -> float:
    """Return the processor time of a process that runs, its own and the kernel's for it (proc(5), fields 14 to 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if ended_children else 13])) / os.sysconf("SC_CLK_TCK")


def idle_seconds() -> float:
    """Return for how long the machine's cores have been idle, all together, since it was started (proc_stat(5))."""
    _, *counts = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0].split()
    return int(counts[3]) / os.sysconf("SC_CLK_TCK")


def figures(ran: Ran, lines: int) -> dict[str, Any]:
    """Return what one command took for so many *lines*, by the names of `LABELS` and by tenth."""
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
