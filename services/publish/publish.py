"""
Facts from files and pipes into the log: read as lines, completed, and appended a batch at a time.

A file is never held whole, and neither is a line beyond the size of the largest fact. What trickles in through a
pipe is appended as it comes.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from events.decode import MAX_BYTES, complete
from events.errors import Infrastructure, Unreadable
from events.facts import Fact
from services.log.base import Append, NotAcknowledged

from .lines import Line

BATCH_LINES = 2000
"""The most lines in one batch: in the local log one transaction, and one stamp."""
BATCH_BYTES = 2_000_000

MOST_RANGES = 20
"""Up to so many ranges of lines are named one by one."""

AGAIN = "publish again once that is mended; what went in is not added twice"


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


class Result(NamedTuple):
    """What became of a line: the fact in it, or the problem with it; the other is None."""

    line: Line
    fact: Fact | None
    value: bytes
    problem: Unreadable | None


Batch = list[Result]


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
