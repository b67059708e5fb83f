"""alerts --follow: the notices of alerts as they are written, each with a cursor."""

from collections.abc import Mapping

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from events.errors import BadInput
from projections.alerts.shapes import NoticeJson
from projections.queries.alerts import AlertFilter, notices_after, notices_end
from projections.queries.subjects import Filter, employed
from projections.tables.schema import CORRELATOR
from services.runtime.shutdown import stopping
from services.words.terms import safe

from .output import emit_line, say

POLL_SECONDS = 0.2
LONGEST_SECONDS = 10.0
"""The longest pause between two attempts while the database is away. Each attempt prints a message."""


class FollowedNoticeJson(NoticeJson):
    """A notice, and the cursor from which a later run continues after it."""

    cursor: str


def parse_cursor(text: str | None) -> dict[int, int] | None:
    """
    Return the number of the last notice seen, by partition; None: begin now.

    Raises:
        BadInput: if *text* is not a cursor.
    """
    if text is None or text == "0":
        return None if text is None else {}
    try:
        pairs = [part.split(":") for part in text.split(",")]
        cursor = {int(partition): int(n) for partition, n in pairs}
    except ValueError:
        cursor = {}
    if not cursor or min(cursor) < CORRELATOR or min(cursor.values()) < 0:
        raise BadInput(f'"{safe(text)}" is not a cursor', "PARTITION:N, separated by commas, or 0", "--cursor")
    return cursor


def follow(engine: Engine, wanted: AlertFilter, cursor: Mapping[int, int] | None) -> None:
    """
    Print the notices after *cursor* that match *wanted*, as NDJSON, until a signal stops the command.

    Args:
        engine: the database.
        wanted: the filter; its states and instants are not used.
        cursor: as `parse_cursor` returned it.

    Raises:
        BadInput: if the cursor is beyond the notices that exist.
    """
    if cursor:
        _check_cursor(engine, cursor)
    pause = POLL_SECONDS
    with stopping() as stop:
        while not stop.is_set():
            more = False
            try:
                if cursor is None:
                    cursor = _present_cursor(engine)
                cursor, more = _print_new(engine, wanted, cursor)
                pause = POLL_SECONDS
            except OperationalError as problem:
                pause = min(2 * pause, LONGEST_SECONDS)
                say(f"casetrail: database: {problem.orig}; trying again in {pause:.1f} s")
            if not more:
                stop.wait(pause)


def _check_cursor(engine: Engine, cursor: Mapping[int, int]) -> None:
    """Check that *cursor* is not beyond the last notice: nothing would ever follow. A new database is not checked."""
    with engine.connect() as conn:
        ends = notices_end(conn)
    for partition, n in cursor.items() if ends else ():
        if partition not in ends:
            raise BadInput(f"there is no partition {partition}", f"one of {', '.join(map(str, ends))}", "--cursor")
        if n > ends[partition]:
            what = f"the last notice of partition {partition} is {ends[partition]}, not {n}"
            raise BadInput(what, "the cursor of a notice", "--cursor")


def _present_cursor(engine: Engine) -> Mapping[int, int]:
    """Return the cursor after the last notice, and print it, so that a later run can begin there."""
    with engine.connect() as conn:
        cursor = notices_end(conn)
    say(f"following from cursor {_cursor_text(cursor)}")
    return cursor


def _print_new(engine: Engine, wanted: AlertFilter, cursor: Mapping[int, int]) -> tuple[Mapping[int, int], bool]:
    """Print the notices after *cursor*. Return the cursor after them, and whether there were any."""
    with engine.connect() as conn:
        notices = notices_after(conn, cursor)
        people = sorted({subject_id for _, _, notice in notices for subject_id in _people(notice)})
        matching = set(employed(conn, people, Filter(agency=wanted.agency)))
    cursor = dict(cursor)
    for partition, n, notice in notices:
        cursor[partition] = n
        if not matching.isdisjoint(_people(notice)) and _matches(wanted, notice):
            line: FollowedNoticeJson = {"cursor": _cursor_text(cursor), **notice}
            emit_line(line)
    return cursor, bool(notices)


def _matches(wanted: AlertFilter, notice: NoticeJson) -> bool:
    person = wanted.subject_id
    if person is not None and person not in _people(notice):
        return False
    return wanted.rule in {None, notice["rule"]} and wanted.severity in {None, notice["severity"]}


def _people(notice: NoticeJson) -> list[str]:
    """Return the people that a notice is about; one of an earlier release names no `subjects`."""
    return notice.get("subjects") or [notice["subject_id"] or ""]


def _cursor_text(cursor: Mapping[int, int]) -> str:
    return ",".join(f"{partition}:{n}" for partition, n in sorted(cursor.items())) or "0"
