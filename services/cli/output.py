"""The output of a command: its result on stdout, messages and progress on stderr, and its exit code."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from errno import EPIPE
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from rich.console import Console

from events.errors import BadInput

FINDINGS, USAGE, INFRASTRUCTURE = 1, 2, 3


def fail(message: str, code: int) -> NoReturn:
    """Print *message* on stderr and end the command with *code*."""
    sys.exit(report(message, code))


def report(message: str, code: int) -> int:
    """Print *message* on stderr and return *code*."""
    say(f"casetrail: {message}")
    return code


def say(message: str) -> None:
    """Print a message for the person at the terminal on stderr."""
    # With `2>&1 | head -1` nobody may read it. The exit code must not change.
    with ignoring_closed_pipe():
        print(message, file=sys.stderr)


def ignoring_closed_pipe() -> AbstractContextManager[None]:
    """Suppress BrokenPipeError inside the block, so that ``| head`` does not change the exit code."""
    return suppress(BrokenPipeError)


def emit(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one JSON value on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def emit_array(values: Iterable[Any]) -> None:
    """Print one JSON array on stdout, value by value."""
    first = True
    for value in values:
        item = json.dumps(value, ensure_ascii=False, indent=2).replace("\n", "\n  ")
        print(f"{'[' if first else ','}\n  {item}", end="")
        first = False
    print("[]" if first else "\n]")


def emit_line(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one line of NDJSON on stdout, at once."""
    print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)


def console() -> Console:
    """Return the console of stdout. If stdout is not a terminal, lines have any width, so that no name is cut."""
    out = sys.stdout
    return _Console(file=out, highlight=False, width=None if out.isatty() else 100_000)


def progress_console() -> Console:
    """Return the console of stderr, for progress."""
    return Console(stderr=True)


@contextmanager
def file_or_stdout(path: Path | None) -> Iterator[BinaryIO]:
    """Open the file at *path* for writing, or stdout if *path* is None."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        file = path.open("wb")
    except OSError as problem:
        raise BadInput(problem.strerror or str(problem), "a file that can be written", str(path)) from None
    with file:
        yield file


def print_lines(values: Iterable[str]) -> None:
    """Print *values* on stdout, one a line."""
    for value in values:
        print(value)


def flush() -> None:
    """Flush stdout. If its pipe is closed, replace it, so that Python prints no error when it exits."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Console(Console):
    """A console that raises BrokenPipeError, where rich would end the process with exit code 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError(EPIPE, os.strerror(EPIPE))
