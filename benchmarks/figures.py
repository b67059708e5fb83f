"""How figures are told: as JSON for programs, or as a table with what they were measured on."""

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rich.console import Console

ROUNDS = 5

T = TypeVar("T")


def options(name: str, says: str, subjects: int) -> ArgumentParser:
    """Return the options of the benchmark *name*: those that all of them have, *subjects* being the default."""
    parser = ArgumentParser(prog=f"python -m benchmarks.{name}", description=says.strip().splitlines()[0])
    parser.add_argument("--subjects", type=_count, default=subjects, help="how many people, with ten facts about each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def with_cohorts(parser: ArgumentParser) -> ArgumentParser:
    """Add the option by which the mix of facts is the same all along, and only the database grows."""
    says = "publish the people in so many archives, one after the other: each tenth of ten is then like the others"
    parser.add_argument("--cohorts", type=_count, default=1, metavar="N", help=says)
    return parser


def rate(step: Callable[[T], object], values: Sequence[T]) -> float:
    """Return how many of *values* a second go through *step*, in the best of a few rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for value in values:
            step(value)
        best = min(best, time.perf_counter() - started)
    return len(values) / best


def tell(figures: dict[str, Any], show: Callable[[Console, dict[str, Any]], None], *, as_json: bool) -> None:
    """Print *figures* as JSON, or as *show* does, with their ``machine`` below."""
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False, width=120)
    show(console, figures)
    for name, value in figures["machine"].items():
        console.print(f"{name}: {value}")


def _count(text: str) -> int:
    """Return the number that an option was given."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        msg = f'"{text}" is no number of people or archives (want 1 or more)'
        raise ArgumentTypeError(msg)
    return int(text)
