"""
Completing lines as facts, and appending them to the log a batch at a time.

A file is never in memory as a whole. Neither is a line that is larger than the largest fact. Facts that arrive slowly
through a pipe are appended as they arrive.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError
from typing_extensions import TypedDict

from events.decode import MAX_BYTES, complete
from events.errors import Infrastructure, Unreadable
from events.facts import Fact
from services.log.base import Append, NotAcknowledged

from .lines import Line

BATCH_LINES = 2000
"""The most lines in one batch: in the local log one transaction, and one stamp."""
BATCH_BYTES = 2_000_000

MOST_RANGES = 20
"""The most ranges of lines that are named one by one."""

AGAIN = "publish again once this is fixed: no fact is added twice"


class ErrorJson(TypedDict):
    """The problem of one fact: its code, and the fields of the error."""

    code: str
    where: str
    what: str
    wanted: str


class ResultJson(TypedDict):
    """The result of one fact; a line that is not a fact has no id and no subject."""

    id: str | None
    subject: str | None
    result: str
    error: ErrorJson | None


class LineResultJson(ResultJson):
    """The result of one line of a file."""

    file: str
    line: int


class NotAccepted(Infrastructure):
    """
    Lines are not known to be in the log, and no further line is read.

    Args:
        results: the results of these lines.
        last: the last line that was read.
        reason: the reason, in words.
    """

    def __init__(self, results: Sequence["Result"], last: "Line", reason: str) -> None:
        places = _places([result.line for result in results])
        super().__init__(f"not accepted, nor any line after {last.place}: {reason}", AGAIN, places)
        self.results = results
        self.reason = reason


class Result(NamedTuple):
    """A line and the fact in it, or the problem with it; the other is None."""

    line: Line
    fact: Fact | None
    value: bytes
    problem: Unreadable | None


Batch = list[Result]


def publish(lines: Iterable[Line | None], append: Append) -> Iterator[Batch]:
    """
    Append the facts in *lines*, and yield the results of each batch once the log has it for good.

    Args:
        lines: as `read_lines` yields them; None while no further line has arrived.
        append: takes (subject, bytes) of each fact; all of them are in the log when it returns.

    Raises:
        NotAccepted: if that fails, naming the lines that are not known to be in the log. The other lines of that
            batch are yielded before.
    """
    for batch in _batches(lines):
        completed = [result for result in batch if result.fact]
        failure = _append(completed, append)
        if failure is None:
            yield batch
            continue
        lost = [completed[n] for n in failure.missing]
        places = {result.line.place for result in lost}
        if remaining := [result for result in batch if result.line.place not in places]:
            yield remaining
        raise NotAccepted(lost, batch[-1].line, str(failure)) from failure


def complete_line(line: Line) -> Result:
    """Return the result of *line*: the fact, completed, or the problem with the line."""
    try:
        if line.size > len(line.value):
            raise Unreadable(f"{line.size} bytes", f"at most {MAX_BYTES}", code="too_large")  # noqa: TRY301
        return Result(line, *complete(line.value, datetime.now(UTC)), None)
    except Unreadable as problem:
        return Result(line, None, b"", problem)


def accepted_json(fact: Fact) -> ResultJson:
    """Return the result of a fact that is in the log and did not come from a file."""
    return {"id": fact.id, "subject": fact.subject, "result": "accepted", "error": None}


def result_json(result: Result, word: str) -> LineResultJson:
    """Return *result* as JSON; *word* is the result of a line that is a fact, the others are ``bad``."""
    problem, fact = result.problem, result.fact
    return {
        "file": result.line.file,
        "line": result.line.number,
        "id": fact.id if fact else None,
        "subject": fact.subject if fact else None,
        "result": word if fact else "bad",
        "error": {"code": problem.code, "where": problem.where, "what": problem.what, "wanted": problem.wanted}
        if problem
        else None,
    }


def not_accepted_json(failure: NotAccepted) -> Iterator[LineResultJson]:
    """Yield the result of each line that is not known to be in the log."""
    error: ErrorJson = {"code": "not_acknowledged", "where": "", "what": failure.reason, "wanted": ""}
    for result in failure.results:
        yield {**result_json(result, "not_accepted"), "error": error}


def _append(results: Sequence[Result], append: Append) -> NotAcknowledged | None:
    """Append the facts of *results*. Return None, or the error that names the facts that are not in the log."""
    try:
        if results:
            append([(result.fact.subject, result.value) for result in results if result.fact])
    except NotAcknowledged as problem:
        return problem
    except DBAPIError as problem:
        return NotAcknowledged(range(len(results)), str(problem.orig))
    return None


def _places(lines: Sequence[Line]) -> str:
    """
    Return the names of *lines* by file and number; lines in a row are one range.

    If there are too many ranges, return the number of lines, the first and the last.
    """
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
            batch.append(complete_line(line))
            size += len(line.value)
        if batch and (line is None or len(batch) == BATCH_LINES or size >= BATCH_BYTES):
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
