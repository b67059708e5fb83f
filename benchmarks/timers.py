"""
The search for due timers in a table of ten thousand people and in one of a million, in turns in one run.

In both tables every second person has a timer, and the same small number of them is due. The search must touch these
alone, so its time must not grow with the table.
"""

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from sqlalchemy import Connection, Engine, insert

from benchmarks.figures import ROUNDS, options, print_figures
from benchmarks.machine import machine
from projections.tables.columns import METADATA
from projections.tables.database import open_database, write_transaction
from projections.tables.schema import LIVE
from projections.tables.timers import Timers

SMALL: Final = 10_000
DUE: Final = 10
ROWS: Final = 10_000
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


def measure(subjects: int) -> dict[str, Any]:
    """Return the microseconds of one search in a small table and in one of *subjects* people, and their ratio."""
    with tempfile.TemporaryDirectory(prefix="casetrail-") as folder:
        sizes = {"small": min(SMALL, subjects), "large": subjects}
        engines = {name: _filled(Path(folder) / f"{name}.db", size) for name, size in sizes.items()}
        taken: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(ROUNDS):
            for name, engine in engines.items():
                with engine.connect() as conn:
                    taken[name].append(_microseconds(conn))
        for engine in engines.values():
            engine.dispose()
    return {
        "people": sizes,
        "due": DUE,
        "search_us": {name: round(median(times)) for name, times in taken.items()},
        "large_to_small": round(median(taken["large"]) / median(taken["small"]), 2),
        "machine": machine(Path.cwd()),
        "command": f"python -m benchmarks.timers --subjects {subjects}",
    }


def _filled(path: Path, size: int) -> Engine:
    engine = open_database(f"sqlite:///{path}")
    METADATA.create_all(engine)
    table = LIVE.subjects
    texts = {column.name: "" for column in table.columns if not column.nullable and column.type.python_type is str}
    numbers = {column.name: 0 for column in table.columns if not column.nullable and column.type.python_type is int}
    with write_transaction(engine) as conn:
        for start in range(0, size, ROWS):
            people = range(start, min(start + ROWS, size))
            empty = texts | numbers | {"anomalies": []}
            conn.execute(insert(table), [empty | {"subject_id": f"s{n}", "due": _due(n)} for n in people])
    return engine


def _due(number: int) -> datetime | None:
    """Return the timer of a person: the first ones are due, of the others every second has one in the future."""
    if number < DUE:
        return NOW - timedelta(days=number + 1)
    return None if number % 2 else NOW + timedelta(seconds=number)


def _microseconds(conn: Connection) -> float:
    timers = Timers(0, LIVE.subjects)
    started = time.perf_counter()
    found = timers.overdue(conn, NOW)
    taken = (time.perf_counter() - started) * 1e6
    assert len(found) == DUE, "the timers that are due, and no others"
    return taken


def _show(console: Console, figures: dict[str, Any]) -> None:
    console.print(figures["command"])
    for name, size in figures["people"].items():
        console.print(f"{size:,} people, {figures['due']} due: {figures['search_us'][name]:,} µs a search")
    console.print(f"large to small: {figures['large_to_small']}")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    arguments = options("timers", __doc__, subjects=1_000_000).parse_args()
    print_figures(measure(arguments.subjects), _show, as_json=arguments.json)


if __name__ == "__main__":
    main()
