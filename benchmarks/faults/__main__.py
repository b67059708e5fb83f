"""The command: some runs, each with a seed of its own; exit code 1 if a run has findings."""

import argparse
import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from .run import RunResult, run


def main() -> None:
    """Read the options, do the runs, and print their results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults", description=sys.modules[__package__ or ""].__doc__
    )
    parser.add_argument("--runs", type=int, default=1, help="the number of runs (1)")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first run, then the next ones (1)")
    parser.add_argument("--facts", type=int, default=20_000, help="the approximate number of facts in a run (20,000)")
    parser.add_argument("--seconds", type=float, default=60, help="the duration of the faults (60)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    results = []
    for number in range(arguments.runs):
        results.append(run(arguments.seed + number, arguments.facts, arguments.seconds, _print_line))
        _print_findings(
            results[-1], f"--seed {arguments.seed + number} --facts {arguments.facts} --seconds {arguments.seconds:g}"
        )
    if arguments.json:
        sys.stdout.write(json.dumps([result._asdict() for result in results]) + "\n")
    else:
        _print(results)
    sys.exit(1 if any(result.findings for result in results) else 0)


def _print_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _print_findings(done: RunResult, options: str) -> None:
    if not done.findings:
        return
    _print_line(f"\nFINDINGS (python -m benchmarks.faults {options}):")
    for line in [*done.schedule, "", *done.findings]:
        _print_line(f"  {line}")


def _print(done: list[RunResult]) -> None:
    table = Table()
    for title in ("seed", *_rows(done[0].figures)[0], "findings"):
        table.add_column(title, justify="right")
    for result in done:
        table.add_row(str(result.seed), *_rows(result.figures)[1], str(len(result.findings)))
    Console(width=200).print(table)


def _rows(figures: dict[str, Any]) -> tuple[list[str], list[str]]:
    shown = {name.replace("_", " "): value for name, value in figures.items() if isinstance(value, int | float)}
    return list(shown), [f"{value:,}" for value in shown.values()]


if __name__ == "__main__":
    main()
