"""Watchlists: text files with a subject id a line, blank lines, and comments that begin with #."""

from pathlib import Path
from typing import Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from events.fields import Id
from events.text import quote
from projections.rules.files.yaml_source import Problem

from .values import SUBJECT_WANTED, is_subject_id

LARGEST_BYTES: Final = 100_000_000
_MOST_PROBLEMS: Final = 20
_IDS: Final = TypeAdapter(frozenset[Id])


class Watchlist(NamedTuple):
    """The subject ids of a file, and the problems of its lines."""

    subjects: frozenset[str]
    problems: tuple[Problem, ...]


def read_watchlist(file: Path) -> Watchlist:
    """
    Read *file*. A list with problems has no subjects.

    Raises:
        OSError: if it cannot be read.
    """
    with file.open("rb") as opened:
        content = opened.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        return _refused(Problem(str(file), 1, 1, "the watchlist is over 100 MB", "several smaller watchlists"))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode("utf-8-sig")) + 1
        return _refused(Problem(str(file), *place, "the file is not UTF-8", "a file saved as UTF-8"))
    # Not splitlines(): an id with another separator of Unicode in it would become two.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    ids = {line for line in lines if not line.lstrip().startswith("#") and line.strip()}
    # All at once, which takes a fifth of the time. One line at a time has the places of problems.
    if not any(" #" in line or "\t#" in line for line in ids) and _are_subjects(ids):
        return Watchlist(frozenset(ids), ())
    problems = [problem for n, line in enumerate(lines, 1) if line in ids for problem in _problems(str(file), n, line)]
    rest = len(problems) - _MOST_PROBLEMS
    if rest > 0:
        line = problems[_MOST_PROBLEMS].line
        problems[_MOST_PROBLEMS:] = [Problem(str(file), line, 1, f"{rest} more lines are wrong", SUBJECT_WANTED)]
    return _refused(*problems)


def _refused(*problems: Problem) -> Watchlist:
    return Watchlist(frozenset(), problems)


def _are_subjects(ids: set[str]) -> bool:
    try:
        _IDS.validate_python(ids)
    except ValidationError:
        return False
    return True


def _problems(file: str, number: int, line: str) -> list[Problem]:
    """Return the problem of a line with an id, or none."""
    comment = line.replace("\t", " ").find(" #")
    if comment >= 0:
        # An id can have blanks and # in it, so the rest of the line would become a part of the id.
        wanted = "the comment on a line of its own"
        return [Problem(file, number, comment + 2, "a comment is behind an id", wanted)]
    if line != line.lstrip():
        return [Problem(file, number, 1, "blanks are before the id", "the id at the start of its line")]
    if line != line.rstrip():
        return [Problem(file, number, len(line.rstrip()) + 1, "blanks are behind the id", "the line without them")]
    if is_subject_id(line):
        return []
    return [Problem(file, number, 1, f"{quote(line)} is not a subject id", SUBJECT_WANTED)]
