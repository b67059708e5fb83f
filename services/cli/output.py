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
    """Say *message* on stderr and end with *code*."""
    sys.exit(failed(message, code))


def failed(message: str, code: int) -> int:
    """Say *message* on stderr and return *code*."""
    print(f"casetrail: {message}", file=sys.stderr)
    return code


def say(message: str) -> None:
    """Say something to the person at the terminal, beside the output."""
    print(message, file=sys.stderr)


def while_read() -> AbstractContextManager[None]:
    """Print in this block what a verdict rests on: where its reader has seen enough, go on to the exit code."""
    return suppress(BrokenPipeError)


def emit(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one JSON value on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def emit_array(values: Iterable[Any]) -> None:
    """Print one JSON array on stdout, each of its values as it comes."""
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
    """Return the console of stdout; off a terminal it is as wide as its content, so that no name is cut."""
    out = sys.stdout
    return _Console(file=out, highlight=False, width=None if out.isatty() else 100_000)


def progress_console() -> Console:
    """Return the console of stderr, for progress."""
    return Console(stderr=True)


@contextmanager
def file_or_stdout(path: Path | None) -> Iterator[BinaryIO]:
    """Open the file at *path* for writing; stdout where none is named."""
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


def lines(values: Iterable[str]) -> None:
    """Print *values*, a line each."""
    for value in values:
        print(value)


class _Console(Console):
    """One that leaves to the command what a reader who has seen enough means."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError(EPIPE, os.strerror(EPIPE))


def flush() -> None:
    """Write out what is left for stdout; where nobody reads it, Python must not complain of it at its end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
