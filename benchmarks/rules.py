"""
The cost of rules: the same facts projected with no rules, with ten and with fifty, in turns in one run.

The projector runs in this process, on a new SQLite database for each turn, and its processor time is measured. The
fifty rules are the ten of `ten-rules.yaml` five times, each time with other lengths, so that no two rules are equal.
"""

import gc
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, print_figures
from benchmarks.machine import machine
from benchmarks.process import UNTIL
from events.decode import complete
from projections.ledger.chain import LogRecord
from projections.projector.projector import Projector
from projections.rules.files.loading import load
from projections.rules.patterns.pattern import Rule
from projections.rules.rulebook import Rulebook
from projections.tables.columns import METADATA
from projections.tables.database import open_database
from projections.tables.schema import TOPIC
from services.publish.samples import generate

RULES: Final = Path(__file__).parent / "ten-rules.yaml"
BATCH: Final = 1000
COPIES: Final = 5


def measure(subjects: int, seed: int, turns: int) -> dict[str, Any]:
    """Return the seconds of each turn by the number of rules, and the ratios of their medians."""
    ten = load(RULES)
    copies = [_copy(rule, number) for number in range(COPIES) for rule in ten.rules]
    books = {"none": Rulebook(()), "ten": ten, "fifty": Rulebook(tuple(copies))}
    records = _records(subjects, seed)
    seconds: dict[str, list[float]] = {name: [] for name in books}
    for _ in range(turns):
        for name, book in books.items():
            seconds[name].append(_seconds(records, book))
    none, of_ten, of_fifty = (median(seconds[name]) for name in books)
    return {
        "records": len(records),
        "seconds": {name: [round(turn, 3) for turn in taken] for name, taken in seconds.items()},
        "fifty_to_ten": round(of_fifty / of_ten, 2),
        "evaluation_of_ten": round((of_ten - none) / of_ten, 2),
        "evaluation_of_fifty": round((of_fifty - none) / of_fifty, 2),
        "machine": machine(Path.cwd()),
        "command": f"python -m benchmarks.rules --subjects {subjects} --seed {seed} --turns {turns}",
    }


def _copy(rule: Rule, number: int) -> Rule:
    """Return *rule* under another id, with lengths that are *number* days longer."""
    held = rule.model_dump(by_alias=True, exclude_defaults=True) | {"id": f"{rule.id}-{number}"}
    longer = {name: held[name] + timedelta(days=number) for name in ("for", "within") if name in held}
    return type(rule).model_validate(held | longer)


def _records(subjects: int, seed: int) -> list[LogRecord]:
    lines = (complete(line, UNTIL) for line in generate(subjects, seed, until=UNTIL, tidy=True))
    stamped = ((fact, value, fact.published.latest or UNTIL) for fact, value in lines)
    in_time = sorted(stamped, key=lambda record: record[2])
    return [
        LogRecord(TOPIC, 0, offset, at, fact.subject.encode(), None, value)
        for offset, (fact, value, at) in enumerate(in_time)
    ]


def _seconds(records: Sequence[LogRecord], book: Rulebook) -> float:
    with tempfile.TemporaryDirectory(prefix="casetrail-") as folder:
        engine = open_database(f"sqlite:///{folder}/casetrail.db")
        METADATA.create_all(engine)
        projector = Projector(engine, book)
        projector.assign(UNTIL)
        gc.collect()
        started = time.process_time()
        for start in range(0, len(records), BATCH):
            projector.project(records[start : start + BATCH], UNTIL)
        taken = time.process_time() - started
        engine.dispose()
    return taken


def _show(console: Console, figures: dict[str, Any]) -> None:
    console.print(figures["command"])
    table = Table("rules", "processor seconds of each turn")
    for name, taken in figures["seconds"].items():
        table.add_row(name, "  ".join(map(str, taken)))
    console.print(table)
    console.print(f"records: {figures['records']:,}")
    console.print(f"fifty rules to ten: {figures['fifty_to_ten']}")
    console.print(f"share of evaluation with ten rules: {figures['evaluation_of_ten']}")
    console.print(f"share of evaluation with fifty rules: {figures['evaluation_of_fifty']}")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    parser = options("rules", __doc__, subjects=2000)
    parser.add_argument("--turns", type=int, default=5, help="the number of times that each is measured")
    arguments = parser.parse_args()
    print_figures(measure(arguments.subjects, arguments.seed, arguments.turns), _show, as_json=arguments.json)


if __name__ == "__main__":
    main()
