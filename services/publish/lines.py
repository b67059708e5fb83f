"""Lines of facts from files and pipes."""

import codecs
import os
import select
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Event
from typing import NamedTuple

from events.decode import MAX_BYTES
from events.errors import BadInput, Infrastructure

STDIN = "-"
PIECE_BYTES = 256 * 1024
PAUSE_SECONDS = 0.05
"""The time that a pipe may be silent before the lines read so far are appended."""


class Line(NamedTuple):
    """
    One line of a file.

    Attributes:
        file: the file as the user named it.
        number: counted from 1.
        value: its bytes without the line's end; empty if the line is too long.
        size: the number of its bytes.
    """

    file: str
    number: int
    value: bytes
    size: int

    @property
    def place(self) -> str:
        """The file and the number of the line, as messages name it."""
        return f"{self.file}:{self.number}"


def check_files(files: Iterable[str]) -> None:
    """
    Check that each of *files* can be read, before anything is written.

    Raises:
        BadInput: naming the first file that cannot be read.
    """
    for file in files:
        if file == STDIN:
            continue
        if not Path(file).exists():
            raise BadInput("there is no such file", "a file of facts, one a line, or - for standard input", file)
        if Path(file).is_dir():
            raise BadInput("this is a folder", "a file of facts, one a line, or - for standard input", file)
        if not os.access(file, os.R_OK):
            raise BadInput("you may not read this file", "a file that you may read", file)


def read_lines(file: str, stop: Event, advance: Callable[[int], None]) -> Iterator[Line | None]:
    """
    Yield the lines of *file* (``-``: standard input) that are not blank, and None whenever the input pauses.

    Ends at the end of the file or when *stop* is set. A byte order mark at the start and carriage returns before the
    line feeds are removed.

    Args:
        file: its path.
        stop: ends the reading when it is set.
        advance: called with the number of bytes of each piece read.

    Raises:
        Infrastructure: if the file cannot be read to its end.
    """
    try:
        yield from _numbered(file, _pieces(file, stop, advance), stop)
    except OSError as problem:
        raise Infrastructure(f"cannot be read: {problem.strerror}", where=file) from problem


def _pieces(file: str, stop: Event, advance: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the content of *file* in pieces as they arrive; an empty piece whenever the input pauses."""
    source = os.dup(0) if file == STDIN else os.open(file, os.O_RDONLY)
    # Not select.select, which refuses a descriptor over 1,023: a service that publishes can have more files open.
    poller = select.poll()
    poller.register(source, select.POLLIN)
    try:
        while not stop.is_set():
            # A file is always ready. A pipe is ready when it holds bytes or its other end is closed.
            if not poller.poll(PAUSE_SECONDS * 1000):
                yield b""
            elif piece := os.read(source, PIECE_BYTES):
                advance(len(piece))
                yield piece
            else:
                return
    finally:
        os.close(source)


def _numbered(file: str, pieces: Iterable[bytes], stop: Event) -> Iterator[Line | None]:
    """Split *pieces* into lines. Of a line that is too long, only the size is kept."""
    number, begun, dropped = 1, b"", 0
    for piece in pieces:
        if not piece:
            yield None
            continue
        *whole, rest = piece.split(b"\n")
        for value in whole:
            yield from _line(file, number, begun + value, dropped)
            number, begun, dropped = number + 1, b"", 0
        begun += rest
        if len(begun) > MAX_BYTES + len(codecs.BOM_UTF8) + len(b"\r"):
            begun, dropped = b"", dropped + len(begun)
    # The last line needs no line feed. After a stop, the rest is half a line.
    if not stop.is_set():
        yield from _line(file, number, begun, dropped)


def _line(file: str, number: int, value: bytes, dropped: int) -> Iterator[Line]:
    if number == 1:
        value = value.removeprefix(codecs.BOM_UTF8)
    value = value.removesuffix(b"\r")
    if dropped:
        yield Line(file, number, b"", dropped + len(value))
    elif value.strip():
        yield Line(file, number, value, len(value))
