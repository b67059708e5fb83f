"""
Facts from files and pipes into the log: read as lines, completed, and appended a batch at a time.

A file is never held whole, and neither is a line beyond the size of the largest fact. What trickles in through a
pipe is appended as it comes.
"""

import codecs
import os
import select
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from events.decode import MAX_BYTES, complete
from events.errors import BadInput, Infrastructure, Unreadable
from events.facts import Fact

STDIN = "-"
BATCH_LINES = 2000
"""The most lines in one batch: in the local log one transaction, and one stamp."""
BATCH_BYTES = 2_000_000
PIECE_BYTES = 256 * 1024
PAUSE_SECONDS = 0.05
"""How long a pipe may be silent before what came out of it so far is appended."""

MOST_RANGES = 20
"""Up to so many ranges of lines are named one by one."""

AGAIN = "publish again once that is mended; what went in is not added twice"

Append = Callable[[Sequence[tuple[str, bytes]]], object]


class NotAcknowledged(Infrastructure):
    """
    Of facts that were given to a log some are not known to be in it.

    Args:
        missing: which, by their place among those given, from 0.
        reason: why, in words.
    """

    def __init__(self, missing: Sequence[int], reason: str) -> None:
        super().__init__(reason)
        self.missing = missing


class NotAccepted(Infrastructure):
    """
    Lines are not known to be in the log, and no more of them are read.

    Args:
        results: what was read of them.
        last: the last line read.
        reason: why, in words.
    """

    def __init__(self, results: Sequence["Result"], last: "Line", reason: str) -> None:
        places = _places([result.line for result in results])
        super().__init__(f"{places}: not accepted, nor what follows {last.place}: {reason} ({AGAIN})")
        self.results = results
        self.reason = reason


class Line(NamedTuple):
    """
    One line of a file.

    Attributes:
        file: as the user named it.
        number: from 1.
        value: its bytes without the line's end; of a line that is too long, none.
        size: how many bytes it has.
    """

    file: str
    number: int
    value: bytes
    size: int

    @property
    def place(self) -> str:
        """The place as messages name it."""
        return f"{self.file}:{self.number}"


class Result(NamedTuple):
    """What became of a line: the fact in it, or the problem with it; the other is None."""

    line: Line
    fact: Fact | None
    value: bytes
    problem: Unreadable | None


Batch = list[Result]


def check_files(files: Iterable[str]) -> None:
    """
    See that each of *files* can be read, before anything is written.

    Raises:
        BadInput: naming the first that cannot.
    """
    for file in files:
        if file == STDIN:
            continue
        if not Path(file).exists():
            raise BadInput("there is no such file", "a file of facts, one a line, or - for standard input", file)
        if Path(file).is_dir():
            raise BadInput("is a folder", "a file of facts, one a line, or - for standard input", file)
        if not os.access(file, os.R_OK):
            raise BadInput("may not be read", "a file that you may read", file)


def publish(lines: Iterable[Line | None], append: Append) -> Iterator[Batch]:
    """
    Append the facts in *lines*, and yield what became of each line once the log has it for good.

    Args:
        lines: as `read_lines` gives them; None where nothing more has come yet.
        append: takes (subject, bytes) of each fact; all of them are in the log when it returns.

    Raises:
        NotAccepted: if that fails, naming the lines that are not known to be in the log, once the others of that
            batch have been yielded.
    """
    for batch in _batches(lines):
        given = [result for result in batch if result.fact]
        failure = _appended(given, append)
        if failure is None:
            yield batch
            continue
        lost = [given[n] for n in failure.missing]
        places = {result.line.place for result in lost}
        if remaining := [result for result in batch if result.line.place not in places]:
            yield remaining
        raise NotAccepted(lost, batch[-1].line, str(failure)) from failure


def read_lines(file: str, stop: Event, tell: Callable[[int], None]) -> Iterator[Line | None]:
    """
    Yield the lines of *file* (``-``: standard input) that are not blank, and None whenever it pauses.

    Ends at the end of the file or when *stop* is set. A byte order mark at its start and carriage returns before the
    line feeds are taken off.

    Args:
        file: its path.
        stop: asks to read no further.
        tell: called with the number of bytes of each piece read.

    Raises:
        Infrastructure: if it cannot be read any more.
    """
    try:
        yield from _numbered(file, _pieces(file, stop, tell), stop)
    except OSError as problem:
        raise Infrastructure(f"{file}: cannot be read: {problem.strerror}") from problem


def judge(line: Line) -> Result:
    """Return *line* completed as a fact, or what is wrong with it."""
    try:
        if line.size > len(line.value):
            raise Unreadable(f"{line.size} bytes", f"at most {MAX_BYTES}", code="too_large")  # noqa: TRY301
        return Result(line, *complete(line.value, datetime.now(UTC)), None)
    except Unreadable as problem:
        return Result(line, None, b"", problem)


def _appended(given: Sequence[Result], append: Append) -> NotAcknowledged | None:
    """Append the facts of *given* and return None, or what was said of those that could not be."""
    try:
        if given:
            append([(result.fact.subject, result.value) for result in given if result.fact])
    except NotAcknowledged as problem:
        return problem
    except DBAPIError as problem:
        return NotAcknowledged(range(len(given)), str(problem.orig))
    return None


def _places(lines: Sequence[Line]) -> str:
    """Name *lines* by file and number, those in a row as a range; where that is too long, by the first and the last."""
    ranges = []
    for file, of_file in groupby(lines, lambda line: line.file):
        numbers = [line.number for line in of_file]
        runs = [list(run) for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
        ranges += [f"{file}:{_range(run[0][1], run[-1][1])}" for run in runs]
    if len(ranges) <= MOST_RANGES:
        return ", ".join(ranges)
    return f"{len(lines)} lines from {lines[0].place} to {lines[-1].place}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _batches(lines: Iterable[Line | None]) -> Iterator[Batch]:
    batch: Batch = []
    size = 0
    for line in lines:
        if line is not None:
            result = judge(line)
            batch.append(result)
            size += len(line.value)
        if batch and (line is None or len(batch) == BATCH_LINES or size >= BATCH_BYTES):
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _pieces(file: str, stop: Event, tell: Callable[[int], None]) -> Iterator[bytes]:
    """Yield what *file* holds in pieces as they come; empty ones while nothing does."""
    source = os.dup(0) if file == STDIN else os.open(file, os.O_RDONLY)
    try:
        while not stop.is_set():
            # A file is always ready, a pipe when something is in it or its other end is closed.
            if not select.select([source], [], [], PAUSE_SECONDS)[0]:
                yield b""
            elif piece := os.read(source, PIECE_BYTES):
                tell(len(piece))
                yield piece
            else:
                return
    finally:
        os.close(source)


def _numbered(file: str, pieces: Iterable[bytes], stop: Event) -> Iterator[Line | None]:
    """Cut *pieces* into lines; of one that grows too long only its size is kept."""
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
    # The last line needs no line feed, but where we were stopped what we hold is half a line.
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
