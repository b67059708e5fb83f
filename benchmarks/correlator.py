"""
The speed of the correlator: five rules across people, beside the projector on the same facts, in turns in one run.

Both run in this process, on a new SQLite database for each turn, and their processor time is measured. Each fact has an
instant of its own. An agency or a region has the same number of people in any number of people, as in a larger country.
"""

import gc
import re
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, func, select

from benchmarks.figures import options, print_figures
from benchmarks.machine import machine
from benchmarks.process import UNTIL
from benchmarks.projecting import new_database, project, records_of
from events.decode import complete
from projections.correlator.correlator import Correlator
from projections.ledger.chain import LogRecord
from projections.rules.files.loading import load
from projections.rules.rulebook import Rulebook
from projections.subjects.relations import RELATING
from projections.tables.schema import APPLIED, LIVE, ledger
from services.publish.samples import generate
from services.workers.projector_loop import tune_collector

RULES: Final = Path(__file__).parent / "across-rules.yaml"
COHORT: Final = 200
"""The number of people who share twelve agencies and five regions."""

_NAMED: Final = re.compile(rb'("(?:to_)?(?:agency|region)":"[^"]+)"')


class Turn(NamedTuple):
    """The processor seconds of the projector and of the correlator, the facts that concern it, and its alerts."""

    projector: float
    correlator: float
    relevant: int
    alerts: int


def measure(subjects: int, seed: int, turns: int) -> dict[str, Any]:
    """
    Return the facts a second of the projector and of the correlator in each turn, and the ratio of their medians.

    The correlator reads every fact. The relevant ones are those from which a rule starts, that follow in one, and that
    relate people; its rate is told by these too.
    """
    tune_collector()
    rules, records = load(RULES), _records(subjects, seed)
    taken = [_turn(records, rules) for _ in range(turns)]
    projected = [len(records) / turn.projector for turn in taken]
    judged = [turn.relevant / turn.correlator for turn in taken]
    read = [len(records) / turn.correlator for turn in taken]
    return {
        "records": len(records),
        "relevant": taken[0].relevant,
        "alerts": taken[0].alerts,
        "projector_per_second": [round(rate) for rate in projected],
        "correlator_per_second": [round(rate) for rate in read],
        "relevant_per_second": [round(rate) for rate in judged],
        "correlator_to_projector": round(median(read) / median(projected), 2),
        "machine": machine(Path.cwd()),
        "command": f"python -m benchmarks.correlator --subjects {subjects} --seed {seed} --turns {turns}",
    }


def _records(subjects: int, seed: int) -> list[LogRecord]:
    lines = (complete(_in_cohort(line), UNTIL) for line in generate(subjects, seed, until=UNTIL, tidy=True))
    # Each has an instant of its own: most steps of a real ledger are one fact.
    return records_of(
        (fact, value, (fact.published.latest or UNTIL) - timedelta(milliseconds=number))
        for number, (fact, value) in enumerate(lines, 1)
    )


def _in_cohort(line: bytes) -> bytes:
    """Return *line* with an agency and a region of the person's cohort."""
    number = re.search(rb'"subject":"[^"]*?0*(\d+)"', line)
    assert number is not None, "a generated person has a number"
    return _NAMED.sub(rb'\1 %d"' % (int(number[1]) // COHORT), line)


def _turn(records: Sequence[LogRecord], rules: Rulebook) -> Turn:
    with new_database() as engine:
        projector, projecting = project(engine, Rulebook(()), records)
        projector.advance_watermark(UNTIL, UNTIL)
        correlator = Correlator(engine, rules)
        correlator.assign(UNTIL)
        gc.collect()
        started = time.process_time()
        correlator.catch_up(UNTIL)
        return Turn(projecting, time.process_time() - started, *_counts(engine, rules))


def _counts(engine: Engine, rules: Rulebook) -> tuple[int, int]:
    """Return the number of applied facts of a type that rules across people start from or follow, and of alerts."""
    wake = RELATING.union(*(rule.on | rule.follow for rule in rules.across))
    relevant = select(func.count()).select_from(ledger).where(APPLIED, ledger.c.fact_type.in_(sorted(wake)))
    with engine.connect() as conn:
        alerts = conn.scalar(select(func.count()).select_from(LIVE.alerts)) or 0
        return conn.scalar(relevant) or 0, alerts


def _show(console: Console, figures: dict[str, Any]) -> None:
    console.print(figures["command"])
    table = Table("", "facts a second of processor time, each turn")
    for name, rates in (("projector", "projector"), ("correlator", "correlator"), ("relevant facts", "relevant")):
        table.add_row(name, "  ".join(f"{rate:,}" for rate in figures[f"{rates}_per_second"]))
    console.print(table)
    console.print(f"records: {figures['records']:,}, of which {figures['relevant']:,} concern the correlator")
    console.print(f"alerts across people: {figures['alerts']:,}")
    console.print(f"correlator to projector: {figures['correlator_to_projector']}")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    parser = options("correlator", __doc__, subjects=2000)
    parser.add_argument("--turns", type=int, default=3, help="the number of times that each is measured")
    arguments = parser.parse_args()
    print_figures(measure(arguments.subjects, arguments.seed, arguments.turns), _show, as_json=arguments.json)


if __name__ == "__main__":
    main()
