"""What would have been known, and when, had casetrail been running: the same core over a file, in memory."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from events.decode import complete, recorded_of
from events.edtf import format_instant
from events.errors import Unreadable

from .database import open_database
from .ledger import LogRecord
from .projector import Projector
from .rulebook import Rulebook
from .shapes import alert_from_row, alert_json, status_json
from .tables import LIVE, METADATA, TOPIC

BATCH = 4000


class Line(NamedTuple):
    """One line of the file: its number from 1, when it counts as recorded, its record, and what is wrong with it."""

    number: int
    recorded: datetime
    key: bytes | None
    value: bytes
    problem: Unreadable | None


class Backtest(NamedTuple):
    """The report, in the shape of the design's section 8, and the lines that could not be read."""

    report: dict[str, Any]
    bad: list[Line]


def backtest(lines: Iterable[bytes], rulebook: Rulebook, until: datetime) -> Backtest:
    """
    Replay *lines* of facts in the order in which they were recorded, and let the clock stop at *until*.

    Args:
        lines: NDJSON. Where a line has no ``recorded``, the latest instant of ``published`` stands for it; an
            unreadable line takes the one before it. Ties stay in file order; blank lines are passed over.
        rulebook: the rules in force all the time.
        until: lines recorded later are not read; the watermark at the end. Aware UTC.
    """
    read = sorted((line for line in _dated(lines, until) if line.recorded <= until), key=lambda line: line.recorded)
    engine = open_database("sqlite://")
    try:
        METADATA.create_all(engine)
        projector = Projector(engine, rulebook)
        projector.assign(read[0].recorded if read else until)
        for start in range(0, len(read), BATCH):
            records = [
                LogRecord(TOPIC, 0, start + index, line.recorded, line.key, None, line.value)
                for index, line in enumerate(read[start : start + BATCH])
            ]
            projector.project(records, until)
        projector.pass_time(until, until)
        with engine.connect() as conn:
            report = _report(conn, projector, until)
    finally:
        engine.dispose()
    return Backtest(report, [line for line in read if line.problem])


def _dated(lines: Iterable[bytes], until: datetime) -> Iterable[Line]:
    before = None
    waiting: list[tuple[int, bytes, Unreadable]] = []
    for number, raw in enumerate(lines, 1):
        value = raw.strip(b"\r\n")
        if not value.strip():
            continue
        try:
            fact, whole = complete(value, until)
            recorded = recorded_of(value) or fact.published.latest
        except Unreadable as problem:
            if before is None:
                waiting.append((number, value, problem))
            else:
                yield Line(number, before, None, value, problem)
            continue
        assert recorded is not None, "published always has an end"
        # Unreadable lines before the first readable one have none before them, and take its instant.
        yield from (Line(n, recorded, None, unread, problem) for n, unread, problem in waiting)
        waiting = []
        before = recorded
        yield Line(number, recorded, fact.subject.encode(), whole, None)
    yield from (Line(n, until, None, unread, problem) for n, unread, problem in waiting)


def _report(conn: Connection, projector: Projector, until: datetime) -> dict[str, Any]:
    held = projector.held
    return {
        "until": format_instant(until),
        "counts": {
            "read": held.read,
            "applied": held.applied,
            "duplicate": held.duplicate,
            "conflict": held.conflict,
            "parked": held.parked,
        },
        "subjects": _subjects(conn),
        "alerts": _alerts(conn),
    }


def _subjects(conn: Connection) -> list[dict[str, Any]]:
    cases = select(LIVE.cases).order_by(LIVE.cases.c.subject_id, LIVE.cases.c.case_id)
    of = {
        subject_id: list(rows)
        for subject_id, rows in groupby(conn.execute(cases).mappings(), key=itemgetter("subject_id"))
    }
    subjects = conn.execute(select(LIVE.subjects).order_by(LIVE.subjects.c.subject_id)).mappings()
    return [status_json(row, of.get(row["subject_id"], [])) for row in subjects]


def _alerts(conn: Connection) -> list[dict[str, Any]]:
    changes = select(LIVE.alert_changes).order_by(LIVE.alert_changes.c.alert_id, LIVE.alert_changes.c.n)
    life = {
        alert_id: list(rows) for alert_id, rows in groupby(conn.execute(changes).mappings(), key=itemgetter("alert_id"))
    }
    alerts = conn.execute(select(LIVE.alerts).order_by(LIVE.alerts.c.opened_at, LIVE.alerts.c.alert_id)).mappings()
    return [alert_json(alert_from_row(row), life[row["alert_id"]]) for row in alerts]
