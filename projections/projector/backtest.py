"""A replay of a file in memory: the statuses and alerts that it would have produced, and when."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select
from typing_extensions import TypedDict

from events.decode import complete, recorded_of
from events.edtf import format_instant
from events.errors import Unreadable
from projections.alerts.shapes import AlertJson
from projections.correlator.replay import judge_from_the_beginning
from projections.ledger.chain import LogRecord
from projections.queries.subjects import Filter, statuses
from projections.rules.rulebook import Rulebook
from projections.subjects.shapes import StatusJson
from projections.tables.across import evidence_of_alerts
from projections.tables.columns import METADATA
from projections.tables.database import open_database
from projections.tables.rows import alert_with_evidence
from projections.tables.schema import LIVE, TOPIC

from .projector import Projector

BATCH = 4000


class Line(NamedTuple):
    """
    One line of the file.

    Attributes:
        number: from 1.
        recorded: the instant from which it counts as known, aware UTC.
        key: the person's id as the key of a record; None for a bad line.
        value: the fact's bytes; None for a bad line, which is parked.
        problem: the error of a bad line.
    """

    number: int
    recorded: datetime
    key: bytes | None
    value: bytes | None
    problem: Unreadable | None


class CountsJson(TypedDict):
    """The number of lines read, and the number with each outcome."""

    read: int
    applied: int
    duplicate: int
    conflict: int
    parked: int


class BacktestJson(TypedDict):
    """The statuses and alerts at the instant ``until``, with the full life of each alert."""

    until: str
    counts: CountsJson
    subjects: list[StatusJson]
    alerts: list[AlertJson]


class Backtest(NamedTuple):
    """
    The result of a backtest.

    Attributes:
        report: in the shape of docs/design.md, 8.
        bad: the bad lines, in the order of the file.
        later: the number of lines that were not read, because they were recorded later.
        earliest_later: the earliest instant of those; None if there are none.
    """

    report: BacktestJson
    bad: list[Line]
    later: int
    earliest_later: datetime | None


def backtest(
    lines: Iterable[bytes], rulebook: Rulebook, until: datetime, tell: Callable[[int], None] = lambda _: None
) -> Backtest:
    """
    Replay *lines* of facts in the order in which they were recorded, with a clock that stops at *until*.

    Args:
        lines: NDJSON. Where a line has no ``recorded``, the latest instant of ``published`` stands for it. An
            unreadable line takes the instant of the line before it. Ties stay in file order; blank lines are skipped.
        rulebook: the rules, in force all the time.
        until: lines recorded later are not read; the watermark at the end. Aware UTC.
        tell: called with the number of lines replayed since the last call.
    """
    kept, later, earliest_later = [], 0, None
    for line in _dated(lines, until):
        if line.recorded <= until:
            kept.append(line)
        else:
            later, earliest_later = later + 1, min(line.recorded, earliest_later or line.recorded)
    report = _replay(sorted(kept, key=attrgetter("recorded")), rulebook, until, tell)
    return Backtest(report, [line for line in kept if line.problem], later, earliest_later)


def replay_recorded(
    lines: Iterable[Line], rulebook: Rulebook, until: datetime, tell: Callable[[int], None] = lambda _: None
) -> BacktestJson:
    """Replay *lines*, in any order, of which each has the instant of a ledger; the others as for `backtest`."""
    known = (line for line in lines if line.recorded <= until)
    return _replay(sorted(known, key=attrgetter("recorded")), rulebook, until, tell)


def _replay(lines: list[Line], rulebook: Rulebook, until: datetime, tell: Callable[[int], None]) -> BacktestJson:
    engine = open_database("sqlite://")
    try:
        METADATA.create_all(engine)
        projector = Projector(engine, rulebook)
        projector.assign(lines[0].recorded if lines else until)
        for first in range(0, len(lines), BATCH):
            batch = lines[first : first + BATCH]
            records = [
                LogRecord(TOPIC, 0, offset, line.recorded, line.key, None, line.value)
                for offset, line in enumerate(batch, first)
            ]
            projector.project(records, until)
            tell(len(batch))
        projector.advance_watermark(until, until)
        judge_from_the_beginning(engine, rulebook, until)
        with engine.connect() as conn:
            return _report(conn, projector, until)
    finally:
        engine.dispose()


def _dated(lines: Iterable[bytes], until: datetime) -> Iterator[Line]:
    """Yield the lines with their instants, in file order except for bad lines at the beginning."""
    before = None
    waiting: list[tuple[int, Unreadable]] = []
    for number, raw in enumerate(lines, 1):
        value = raw.strip(b"\r\n")
        if not value.strip():
            continue
        try:
            before, key, whole = _known(value, until)
        except Unreadable as problem:
            if before is None:
                waiting.append((number, problem))
            else:
                yield Line(number, before, None, None, problem)
            continue
        # Bad lines before the first good one take its instant.
        yield from (Line(bad, before, None, None, problem) for bad, problem in waiting)
        waiting = []
        yield Line(number, before, key, whole, None)
    yield from (Line(bad, until, None, None, problem) for bad, problem in waiting)


def _known(line: bytes, until: datetime) -> tuple[datetime, bytes, bytes]:
    """Return the instant from which the fact of a *line* counts as known, and the key and value of its record."""
    recorded = recorded_of(line) if b'"recorded"' in line else None
    fact, whole = complete(line, until)
    known = recorded or fact.published.latest
    assert known is not None, "published always has an end"
    return known, fact.subject.encode(), whole


def _report(conn: Connection, projector: Projector, until: datetime) -> BacktestJson:
    checkpoint = projector.checkpoint
    return {
        "until": format_instant(until),
        "counts": {
            "read": checkpoint.read,
            "applied": checkpoint.applied,
            "duplicate": checkpoint.duplicate,
            "conflict": checkpoint.conflict,
            "parked": checkpoint.parked,
        },
        "subjects": _subjects(conn),
        "alerts": stored_alerts(conn),
    }


def _subjects(conn: Connection) -> list[StatusJson]:
    return list(statuses(conn, Filter()))


def stored_alerts(conn: Connection) -> list[AlertJson]:
    """Return all alerts with their lives, in the order in which they opened."""
    life = _by_owner(conn, select(LIVE.alert_changes).order_by(LIVE.alert_changes.c.alert_id, LIVE.alert_changes.c.n))
    rows = conn.execute(select(LIVE.alerts).order_by(LIVE.alerts.c.opened_at, LIVE.alerts.c.alert_id)).all()
    evidence = evidence_of_alerts(conn, LIVE.alert_evidence, [row.alert_id for row in rows if row.across])
    return [alert_with_evidence(row._asdict(), life[row.alert_id], evidence) for row in rows]


def _by_owner(conn: Connection, query: Select[Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of *query* by the value of their first column, by which they are sorted."""
    rows = conn.execute(query)
    return {owner: [row._asdict() for row in owned] for owner, owned in groupby(rows, key=itemgetter(0))}
