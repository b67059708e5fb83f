"""The machine of a measurement, without which a figure has no meaning."""

import os
import platform
import sqlite3
import tempfile
import time
from functools import cache
from importlib.metadata import version
from itertools import cycle
from pathlib import Path

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, insert

from benchmarks.figures import rate
from benchmarks.process import UNTIL
from events.decode import complete
from events.vocabulary import EVENT
from projections.tables.database import open_database, write_transaction
from services.publish.samples import generate

LIBRARIES = ("pydantic", "sqlalchemy")
YARDSTICK_SUBJECTS = 200
ROWS, ROWS_A_TRANSACTION = 50_000, 1000


def machine(folder: Path) -> dict[str, str]:
    """Return the processor, the memory, the file system of *folder* and the versions, by a name for each."""
    return {
        "processor": f"{_line('/proc/cpuinfo', 'model name') or platform.processor()}, {os.cpu_count()} cores",
        "core": f"validates {_validated():,.0f} facts a second with pydantic alone",
        "sqlite": f"takes {rows_per_second(folder):,.0f} plain rows a second, {ROWS_A_TRANSACTION:,} a transaction",
        "memory": _line("/proc/meminfo", "MemTotal") or "not known",
        "load": f"{os.getloadavg()[0]:.1f} over the last minute, this benchmark's own included",
        "system": f"{platform.system()} {platform.release()}, {_file_system(folder)}",
        "versions": ", ".join(
            (
                f"Python {platform.python_version()}",
                f"SQLite {sqlite3.sqlite_version}",
                *(f"{name} {version(name)}" for name in LIBRARIES),
            )
        ),
    }


def rows_per_second(folder: Path) -> float:
    """Return a yardstick for a core and the disk that holds *folder*: facts by SQLAlchemy's executemany into SQLite."""
    values = cycle(_facts())
    rows = [{"n": n, "value": value} for n, value in zip(range(ROWS), values, strict=False)]
    table = Table("facts", MetaData(), Column("n", Integer, primary_key=True), Column("value", LargeBinary))
    with tempfile.TemporaryDirectory(dir=folder) as name:
        engine = open_database(f"sqlite:///{name}/yardstick.db")
        table.create(engine)
        started = time.perf_counter()
        for first in range(0, ROWS, ROWS_A_TRANSACTION):
            with write_transaction(engine) as conn:
                conn.execute(insert(table), rows[first : first + ROWS_A_TRANSACTION])
        took = time.perf_counter() - started
        engine.dispose()
    return ROWS / took


def _validated() -> float:
    """Return the facts a second that one core validates now; a shared machine can be half as fast on another day."""
    return rate(EVENT.validate_json, _facts())


@cache
def _facts() -> list[bytes]:
    lines = generate(YARDSTICK_SUBJECTS, 1, until=UNTIL, tidy=True)
    return [complete(line, UNTIL)[1] for line in lines]


def _line(path: str, label: str) -> str | None:
    """Return the text after *label* and a colon in a file of the system."""
    if not Path(path).exists():
        return None
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(label)), None)


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds *folder*; one in memory never flushes to a disk."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "file system not known"
    entries = [line.split()[1:3] for line in mounts.read_text(encoding="utf-8").splitlines()]
    holding = [entry for entry in entries if folder.resolve().is_relative_to(entry[0])]
    return max(holding, key=lambda entry: len(entry[0]))[1]
