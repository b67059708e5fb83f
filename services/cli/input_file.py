"""The file, or standard input, from which a command reads NDJSON."""

import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from events.errors import BadInput

from .bar import Advance

InFile = Annotated[str, typer.Argument(metavar="FILE", help="A file of NDJSON, or - for standard input.")]


def counted(lines: Iterator[bytes], advance: Advance) -> Iterator[bytes]:
    """Yield *lines*, and advance a progress bar by one for each."""
    for line in lines:
        yield line
        advance(1)


@contextmanager
def input_file(name: str) -> Iterator[Iterator[bytes]]:
    """Open a file of lines, or standard input; a byte order mark at its start is passed over."""
    if name == "-":
        yield _without_mark(sys.stdin.buffer)
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - what follows is not to be caught
    except OSError as problem:
        raise BadInput(problem.strerror or str(problem), "a file of NDJSON, or -", name) from None
    with file:
        yield _without_mark(file)


def _without_mark(file: BinaryIO) -> Iterator[bytes]:
    yield file.readline().removeprefix(codecs.BOM_UTF8)
    yield from file
