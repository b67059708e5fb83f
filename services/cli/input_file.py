"""The input of a command: a file of NDJSON, or standard input."""

import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from events.errors import BadInput

from .bar import Advance

InputFile = Annotated[str, typer.Argument(metavar="FILE", help="A file of NDJSON, or - for standard input.")]


@contextmanager
def input_file(name: str) -> Iterator[Iterator[bytes]]:
    """Open the file *name*, or standard input for ``-``, as lines. A byte order mark at the start is skipped."""
    if name == "-":
        yield _without_mark(sys.stdin.buffer)
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - an error in the block is not caught here
    except OSError as problem:
        raise BadInput(problem.strerror or str(problem), "a file of NDJSON, or -", name) from None
    with file:
        yield _without_mark(file)


def counted(lines: Iterator[bytes], advance: Advance) -> Iterator[bytes]:
    """Yield *lines*, and advance a progress bar by one after each."""
    for line in lines:
        yield line
        advance(1)


def _without_mark(file: BinaryIO) -> Iterator[bytes]:
    yield file.readline().removeprefix(codecs.BOM_UTF8)
    yield from file
