"""
One more fact about a person with ten facts, and about a person with ten thousand, with the history in memory.

The facts of many invented people are written as if they were about one person, a day apart. Each new fact goes through
the whole projector in a transaction of its own, on a SQLite database in memory. One series comes at the end of the
history. Another is dated into its middle, so that everything after it is folded again.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json
from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, print_figures
from benchmarks.machine import machine
from events.canonical import derive_id
from events.decode import complete
from projections.ledger.chain import LogRecord
from projections.projector.projector import Projector
from projections.rules.files.loading import load
from projections.tables.columns import METADATA
from projections.tables.database import open_database
from projections.tables.schema import TOPIC
from services.publish.samples import generate

RULES = Path(__file__).parent / "ten-rules.yaml"
SIZES = (10, 100, 1000, 10_000)
MORE = 50
BATCH = 1000
FIRST_DAY = datetime(1990, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
# These types name facts that are missing here, change the name in every sentence, or end a life.
LEFT_OUT = {"Corrected", "Retracted", "ReplyRecorded", "SubjectDescribed", "Died"}
NAMES_OF_FACTS = {"after", "fact_id"}


def measure(subjects: int, seed: int, most: int) -> dict[str, Any]:
    """Return the processor milliseconds of one more fact, by the number of facts, at the end and in the middle."""
    costs = {size: _costs(size, subjects, seed) for size in SIZES if size <= most}
    least, most = min(costs), max(costs)
    at_end, late = ({size: pair[place] for size, pair in costs.items()} for place in range(2))
    return {
        "at_the_end_ms": {size: round(cost * 1000, 2) for size, cost in at_end.items()},
        "late_ms": {size: round(cost * 1000, 2) for size, cost in late.items()},
        "at_the_end_most_to_least": round(at_end[most] / at_end[least], 1),
        "late_most_to_least": round(late[most] / late[least], 1),
        "machine": machine(Path.cwd()),
        "command": f"python -m benchmarks.subject --subjects {subjects} --seed {seed}",
    }


def _costs(size: int, subjects: int, seed: int) -> tuple[float, float]:
    engine = open_database("sqlite://")
    METADATA.create_all(engine)
    projector = Projector(engine, load(RULES))
    projector.assign(FIRST_DAY)
    records = list(islice(_life(subjects, seed), size + MORE))
    for start in range(0, size, BATCH):
        projector.project(records[start : min(start + BATCH, size)], NOW)
    at_end = _cost(projector, records[size:])
    middle = FIRST_DAY + timedelta(days=size // 2)
    late_records = [
        _record(size + MORE + n, _fact("Accused", {"case_id": "late", "ref": str(n)}, middle)) for n in range(MORE)
    ]
    late = _cost(projector, late_records)
    engine.dispose()
    return at_end, late


def _cost(projector: Projector, records: Sequence[LogRecord]) -> float:
    started = time.process_time()
    for record in records:
        projector.project([record], NOW)
    return (time.process_time() - started) / len(records)


def _life(subjects: int, seed: int) -> Iterator[LogRecord]:
    """Yield the facts of many people as facts of one person, a day apart."""
    offset = 0
    for line in generate(subjects, seed, until=NOW, tidy=True):
        event = from_json(line)
        if event["type"] not in LEFT_OUT:
            day = FIRST_DAY + timedelta(days=offset)
            data = {name: value for name, value in event["data"].items() if name not in NAMES_OF_FACTS}
            yield _record(offset, _fact(event["type"], data | {"ref": str(offset)}, day))
            offset += 1


def _fact(type_: str, data: dict[str, Any], day: datetime) -> bytes:
    times = {"occurred": day.date().isoformat(), "published": day.date().isoformat(), "sources": [{"title": "Gazette"}]}
    event = {"type": type_, "source": "urn:example:gazette", "subject": "somebody", "data": data | times}
    return complete(to_json(event | {"id": derive_id(event)}), NOW)[1]


def _record(offset: int, value: bytes) -> LogRecord:
    stamped = FIRST_DAY + timedelta(days=offset + 1)
    return LogRecord(TOPIC, 0, offset, stamped, b"somebody", None, value)


def _show(console: Console, figures: dict[str, Any]) -> None:
    console.print(figures["command"])
    console.print(f"at the end, most facts to fewest: {figures['at_the_end_most_to_least']}")
    console.print(f"in the middle, most facts to fewest: {figures['late_most_to_least']}")
    table = Table("facts in the history", "one more at the end, ms", "one more in the middle, ms")
    for size, cost in figures["at_the_end_ms"].items():
        table.add_row(f"{size:,}", f"{cost:,}", f"{figures['late_ms'][size]:,}")
    console.print(table)


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    parser = options("subject", __doc__, subjects=1500)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the greatest number of facts")
    arguments = parser.parse_args()
    print_figures(measure(arguments.subjects, arguments.seed, arguments.most), _show, as_json=arguments.json)


if __name__ == "__main__":
    main()
