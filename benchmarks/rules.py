"""
The cost of rules: the same facts projected with none, with ten, with fifty and with the shipped ones, in turns.

The projector runs in this process, on a new SQLite database for each turn, and its processor time is measured. The
fifty rules are the ten of `ten-rules.yaml` five times, each time with other lengths, so that no two rules are equal.
"""

from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, print_figures
from benchmarks.machine import machine
from benchmarks.process import UNTIL
from benchmarks.projecting import new_database, project, records_of
from events.decode import complete
from projections.ledger.chain import LogRecord
from projections.rules.files.loading import load, pack
from projections.rules.patterns.pattern import Rule
from projections.rules.rulebook import Rulebook
from services.publish.samples import generate
from services.workers.projector_loop import tune_collector

RULES: Final = Path(__file__).parent / "ten-rules.yaml"
COPIES: Final = 5


def measure(subjects: int, seed: int, turns: int) -> dict[str, Any]:
    """Return the seconds of each turn by the rules, and the ratios of their medians."""
    tune_collector()
    ten = load(RULES)
    copies = [_copy(rule, number) for number in range(COPIES) for rule in ten.rules]
    books = {"none": Rulebook(()), "ten": ten, "fifty": Rulebook(tuple(copies)), "shipped": pack()}
    records = _records(subjects, seed)
    seconds: dict[str, list[float]] = {name: [] for name in books}
    for _ in range(turns):
        for name, book in books.items():
            with new_database() as engine:
                seconds[name].append(project(engine, book, records)[1])
    medians = {name: median(taken) for name, taken in seconds.items()}
    none = medians.pop("none")
    return {
        "records": len(records),
        "seconds": {name: [round(turn, 3) for turn in taken] for name, taken in seconds.items()},
        "fifty_to_ten": round(medians["fifty"] / medians["ten"], 2),
        "shipped_to_ten": round(medians["shipped"] / medians["ten"], 2),
        "evaluation": {name: round((taken - none) / taken, 2) for name, taken in medians.items()},
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
    return records_of((fact, value, fact.published.latest or UNTIL) for fact, value in lines)


def _show(console: Console, figures: dict[str, Any]) -> None:
    console.print(figures["command"])
    table = Table("rules", "processor seconds of each turn")
    for name, taken in figures["seconds"].items():
        table.add_row(name, "  ".join(map(str, taken)))
    console.print(table)
    console.print(f"records: {figures['records']:,}")
    for name in ("fifty", "shipped"):
        console.print(f"{name} rules to ten: {figures[f'{name}_to_ten']}")
    for name, share in figures["evaluation"].items():
        console.print(f"share of evaluation, {name} rules: {share}")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    parser = options("rules", __doc__, subjects=2000)
    parser.add_argument("--turns", type=int, default=5, help="the number of times that each is measured")
    arguments = parser.parse_args()
    print_figures(measure(arguments.subjects, arguments.seed, arguments.turns), _show, as_json=arguments.json)


if __name__ == "__main__":
    main()
