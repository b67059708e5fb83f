"""Output of figures: JSON for programs, or a table with the machine on which they were measured."""

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
    """Return the options of the benchmark *name* that all benchmarks have; *subjects* is a default."""
    parser = ArgumentParser(prog=f"python -m benchmarks.{name}", description=says.strip().splitlines()[0])
    parser.add_argument("--subjects", type=_count, default=subjects, help="the number of people, with ten facts each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def with_cohorts(parser: ArgumentParser) -> ArgumentParser:
    """Add the option that repeats the same mix of facts, so that only the database grows."""
    text = "publish the people in N archives, one after the other, so that each part has the same mix of facts"
    parser.add_argument("--cohorts", type=_count, default=1, metavar="N", help=text)
    return parser


def rate(step: Callable[[T], object], values: Sequence[T]) -> float:
    """Return the number of *values* a second that go through *step*, in the best of a few rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for value in values:
            step(value)
        best = min(best, time.perf_counter() - started)
    return len(values) / best


def print_figures(figures: dict[str, Any], show: Callable[[Console, dict[str, Any]], None], *, as_json: bool) -> None:
    """Print *figures* as JSON, or by *show* with their ``machine`` below."""
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False, width=120)
    show(console, figures)
    for name, value in figures["machine"].items():
        console.print(f"{name}: {value}")


def _count(text: str) -> int:
    """Return the number in an option."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        msg = f'"{text}" is not a number of people or archives (want 1 or more)'
        raise ArgumentTypeError(msg)
    return int(text)
