"""One fact's way between bytes and memory: how many a second, beside what pydantic alone makes of the same bytes."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import options, tell
from benchmarks.machine import machine
from events.canonical import content
from events.decode import complete, decode, restore
from events.vocabulary import EVENT
from services.generate import generate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 5


def measure(subjects: int, seed: int) -> dict[str, Any]:
    """Return the facts a second of each step, the best of a few rounds, and what they cost against validation alone."""
    lines = list(generate(subjects, seed, until=NOW, tidy=True))
    values = [complete(line, NOW)[1] for line in lines]
    steps: dict[str, float] = {
        "validate_json": _rate(EVENT.validate_json, values),
        "decode": _rate(decode, values),
        "restore": _rate(lambda value: restore(value, NOW), values),
        "content": _rate(content, values),
        "complete": _rate(lambda line: complete(line, NOW), lines),
    }
    return {
        "facts": len(lines),
        "bytes_per_fact": round(sum(map(len, values)) / len(values)),
        "per_second": {name: round(rate) for name, rate in steps.items()},
        "decode_to_validate_json": round(steps["validate_json"] / steps["decode"], 2),
        "machine": machine(Path.cwd()),
    }


def _rate(step: Callable[[bytes], object], values: Sequence[bytes]) -> float:
    """Return how many of *values* a second go through *step*, in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for value in values:
            step(value)
        best = min(best, time.perf_counter() - started)
    return len(values) / best


def _show(console: Console, figures: dict[str, Any]) -> None:
    table = Table("step", "facts a second", "µs a fact")
    for name, rate in figures["per_second"].items():
        table.add_row(name, f"{rate:,}", f"{1e6 / rate:.1f}")
    console.print(table)
    console.print(f"decode takes {figures['decode_to_validate_json']} times as long as validate_json alone")
    console.print(f"{figures['facts']:,} facts of {figures['bytes_per_fact']} bytes")


def main() -> None:
    """Measure, and print a table, or JSON with ``--json``."""
    chosen = options("decode", __doc__, subjects=2000).parse_args()
    tell(measure(chosen.subjects, chosen.seed), _show, as_json=chosen.json)


if __name__ == "__main__":
    main()
