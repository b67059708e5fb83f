"""
The embedded mode under load: a million facts about 100,000 people through `publish` and `project`, on SQLite.

The commands run as processes of their own, as users run them. A reader asks the database for their progress every
quarter of a second. So the cost of a fact can be compared from the first tenth of the run to the last. It is measured
in wall time, which includes everything that runs on the machine, and in the command's own processor time.

Before and after, plain rows are written to a table by SQLAlchemy's executemany. They show the speed of the machine on
that day.
"""

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, print_figures, with_cohorts
from benchmarks.machine import machine, rows_per_second
from benchmarks.process import COMMAND, LABELS, TENTHS, figures, run, write_facts

OURS = {"CASETRAIL_DATABASE_URL": "sqlite:///casetrail.db"}
PUBLISHED = "SELECT coalesce(max(log_offset) + 1, 0) FROM log"
PROJECTED = "SELECT coalesce(max(position), 0) FROM partitions"


def measure(folder: Path, subjects: int, seed: int, cohorts: int) -> dict[str, Any]:
    """Publish and project facts about *subjects* people in *folder*, and return the figures by name."""
    facts = folder / "facts.ndjson"
    lines = write_facts(facts, subjects, seed, cohorts)
    run([*COMMAND, "init"], folder, env=OURS)
    plain = [rows_per_second(folder)]
    with closing(sqlite3.connect(folder / "casetrail.db")) as database:
        published = run([*COMMAND, "publish", str(facts)], folder, lambda: _ask(database, PUBLISHED), OURS)
        projected = run([*COMMAND, "project"], folder, lambda: _ask(database, PROJECTED), OURS)
        done = _ask(database, PROJECTED)
        counts = {name: _ask(database, f"SELECT {name} FROM partitions") for name in ("applied", "duplicate", "parked")}  # noqa: S608
        alerts = _ask(database, "SELECT count(*) FROM alerts")
    if done != lines:
        sys.exit(f"projected {done} of {lines} lines: the figures are not valid")
    plain.append(rows_per_second(folder))
    projection = figures(projected, lines)
    return {
        "subjects": subjects,
        "seed": seed,
        "cohorts": cohorts,
        "lines": lines,
        "facts_mb": _mb(facts),
        "database_mb": sum(_mb(path) for path in folder.glob("casetrail.db*")),
        **counts,
        "alerts": alerts,
        "publish": figures(published, lines),
        "project": projection,
        "plain_per_second": round(mean(plain)),
        "project_to_plain": round(projection["per_second"] / mean(plain), 3),
        "machine": machine(folder),
        "command": f"python -m benchmarks.embedded --subjects {subjects} --seed {seed} --cohorts {cohorts}",
    }


def _ask(database: sqlite3.Connection, query: str) -> int:
    return int(database.execute(query).fetchone()[0])


def _mb(path: Path) -> float:
    return round(path.stat().st_size / 1e6, 1)


def _show(console: Console, figures: dict[str, Any]) -> None:
    table = Table("", "publish", "project")
    both = (figures["publish"], figures["project"])
    for name, label in LABELS.items():
        table.add_row(label, *(f"{column[name]:,}" for column in both))
    for tenth in range(TENTHS):
        costs = (f"{column['wall_us_by_tenth'][tenth]:.0f} / {column['cpu_us_by_tenth'][tenth]:.0f}" for column in both)
        table.add_row(f"µs a record, wall / processor, tenth {tenth + 1}", *costs)
    console.print(figures["command"])
    console.print(table)
    console.print(f"plain rows a second, before and after: {figures['plain_per_second']:,}")
    console.print(f"ratio of project to plain rows: {figures['project_to_plain']}")
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
    parser = with_cohorts(options("embedded", __doc__, subjects=100_000))
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this folder and keep it")
    arguments = parser.parse_args()
    with _folder(arguments.keep) as folder:
        figures = measure(folder, arguments.subjects, arguments.seed, arguments.cohorts)
    print_figures(figures, _show, as_json=arguments.json)


if __name__ == "__main__":
    main()
