"""The command: so many runs, each with a seed of its own; exit 1 if anything was not as it must be."""

import argparse
import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from .run import Done, run


def main() -> None:
    """Read the options, have the runs, and print what came of them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults", description=sys.modules[__package__ or ""].__doc__
    )
    parser.add_argument("--runs", type=int, default=1, help="how many runs (1)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each further has the next (1)")
    parser.add_argument("--facts", type=int, default=20_000, help="about how many facts in a run (20,000)")
    parser.add_argument("--seconds", type=float, default=60, help="for how long things go wrong (60)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    done = []
    for number in range(asked.runs):
        done.append(run(asked.seed + number, asked.facts, asked.seconds, _tell))
        _tell_findings(done[-1], f"--seed {asked.seed + number} --facts {asked.facts} --seconds {asked.seconds:g}")
    if asked.json:
        sys.stdout.write(json.dumps([each._asdict() for each in done]) + "\n")
    else:
        _print(done)
    sys.exit(1 if any(each.findings for each in done) else 0)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _tell_findings(done: Done, options: str) -> None:
    if not done.findings:
        return
    _tell(f"\nNOT AS IT MUST BE (python -m benchmarks.faults {options}):")
    for line in [*done.schedule, "", *done.findings]:
        _tell(f"  {line}")


def _print(done: list[Done]) -> None:
    table = Table()
    for title in ("seed", *_rows(done[0].figures)[0], "findings"):
        table.add_column(title, justify="right")
    for each in done:
        table.add_row(str(each.seed), *_rows(each.figures)[1], str(len(each.findings)))
    Console(width=200).print(table)


def _rows(figures: dict[str, Any]) -> tuple[list[str], list[str]]:
    shown = {name.replace("_", " "): value for name, value in figures.items() if isinstance(value, int | float)}
    return list(shown), [f"{value:,}" for value in shown.values()]


if __name__ == "__main__":
    main()
