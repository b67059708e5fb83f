"""Commands measured while they run: their progress and their use of time and memory, from start to end."""

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
    "peak_mib": "peak memory, MiB",
    "wall_last_to_first": "last tenth to first, wall",
    "cpu_last_to_first": "last tenth to first, processor",
}


class Sample(NamedTuple):
    """The progress of a command, with the seconds since its start and its processor time at that moment."""

    done: int
    wall: float
    cpu: float


class RunSamples(NamedTuple):
    """The peak memory of one command, and the samples of its progress to its end."""

    peak_mib: float
    samples: list[Sample]


def write_facts(path: Path, subjects: int, seed: int, cohorts: int = 1) -> int:
    """
    Write facts about *subjects* people to *path*, and return the number of lines.

    Args:
        path: the file.
        subjects: the number of people in all cohorts together.
        seed: the seed of the first cohort; each cohort has its own.
        cohorts: the number of archives, one after the other; each has people of its own from their beginning to their
            end.
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
) -> RunSamples:
    """Run a command in *folder*, ask for its progress meanwhile, and end the benchmark if it fails."""
    started = time.perf_counter()
    samples = [Sample(0, 0.0, 0.0)]
    process = subprocess.Popen(command, cwd=folder, env=environment(env), stdout=subprocess.DEVNULL)  # noqa: S603 - casetrail
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        cpu = usage.ru_utime + usage.ru_stime if pid else cpu_seconds(process.pid)
        samples.append(Sample(ask(), time.perf_counter() - started, cpu))
        if pid:
            break
        time.sleep(POLL_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has collected the exit code, so Popen cannot
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: the figures are not valid")
    return RunSamples(usage.ru_maxrss / 1024, samples)


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of a process: none of CASETRAIL_* except those in *env*."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CASETRAIL_")}
    return inherited | {"PYTHONPATH": str(ROOT)} | dict(env or {})


def cpu_seconds(pid: int, *, ended_children: bool = False) -> float:
    """Return the processor time of a process, its own and the kernel's for it (proc(5), fields 14 to 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if ended_children else 13])) / os.sysconf("SC_CLK_TCK")


def idle_seconds() -> float:
    """Return the seconds that the machine's cores have been idle, all together, since its start (proc_stat(5))."""
    _, *counts = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0].split()
    return int(counts[3]) / os.sysconf("SC_CLK_TCK")


def figures(ran: RunSamples, lines: int) -> dict[str, Any]:
    """Return the figures of one command for *lines* records, by the names of `LABELS` and by tenth."""
    wall = tenths([(sample.done, sample.wall) for sample in ran.samples], lines)
    cpu = tenths([(sample.done, sample.cpu) for sample in ran.samples], lines)
    end = ran.samples[-1]
    return {
        "per_second": round(lines / end.wall),
        "per_cpu_second": round(lines / end.cpu),
        "seconds": round(end.wall, 1),
        "cpu_seconds": round(end.cpu, 1),
        "peak_mib": round(ran.peak_mib),
        "wall_us_by_tenth": [round(cost, 1) for cost in wall],
        "cpu_us_by_tenth": [round(cost, 1) for cost in cpu],
        "wall_last_to_first": last_to_first(wall),
        "cpu_last_to_first": last_to_first(cpu),
    }


def tenths(samples: Sequence[tuple[int, float]], total: int) -> list[float]:
    """
    Return the microseconds a record took in each tenth of *total* records.

    Starting up and closing down are left out. The time runs from the last sample with 0 records to the first with all.

    Args:
        samples: (records done, seconds) in order; between two samples, progress is taken as even.
        total: the number of records.
    """
    times = [_reached(samples, total * tenth / TENTHS) for tenth in range(TENTHS + 1)]
    return [(end - start) * 1e6 * TENTHS / total for start, end in pairwise(times)]


def last_to_first(costs: Sequence[float]) -> float:
    """Return the last of *costs* divided by the first; 0 if the first was too small to measure."""
    return round(costs[-1] / costs[0], 2) if costs[0] else 0.0


def _reached(samples: Sequence[tuple[int, float]], wanted: float) -> float:
    """Return the seconds at which *wanted* records were done."""
    before = max(sample for sample in samples if sample[0] < wanted or sample[0] == 0)
    if wanted == 0:
        return before[1]
    after = next(sample for sample in samples if sample[0] >= wanted)
    return before[1] + (wanted - before[0]) / (after[0] - before[0]) * (after[1] - before[1])
