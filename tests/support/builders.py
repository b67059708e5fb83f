"""Builders in the words of the domain: facts about people, and the conclusions from them."""

import json
import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from sqlalchemy import Engine, Table, select

from events.decode import complete, recorded_of
from events.edtf import parse_instant
from events.facts import Fact
from projections.history.history import History
from projections.ledger.chain import LogRecord
from projections.projector.backtest import backtest
from projections.projector.projector import Projector
from projections.queries.subjects import Filter
from projections.queries.subjects import statuses as stored
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.pattern import Rule
from projections.rules.patterns.sequence import SequenceRule
from projections.rules.rulebook import Rulebook
from projections.subjects.status import Status
from projections.tables.checkpoint import Checkpoint
from projections.tables.columns import METADATA
from projections.tables.database import open_database
from projections.tables.schema import LIVE, TOPIC
from tests.support.rules import dismissals

Line = dict[str, Any]
Row = dict[str, Any]

NOW = parse_instant("2022-01-01T00:00:00Z")
"""The publisher's clock. It decides nothing."""
SOURCES = [{"title": "Decree"}]
CASE_TRACK_CASE = "c"
_PLAIN_DAY = re.compile(r"[0-9]{4}(-[0-9]{2}){0,2}")


def stated(  # noqa: PLR0913 - a fact has this many fields
    type_: str,
    occurred: str,
    /,
    *,
    published: str | None = None,
    recorded: str | None = None,
    subject: str = "a",
    case: str | None = None,
    id: str | None = None,  # noqa: A002 - the field's own name
    **data: Any,
) -> Line:
    """
    Return a fact of *type_* as a line of a file.

    Args:
        type_: the type.
        occurred: EDTF.
        published: EDTF; by default *occurred* if that is a plain day, month or year, else 2022-12-31.
        recorded: the log's instant; left out by default.
        subject: the subject id.
        case: the case id.
        id: the fact id; by default type, subject and *occurred*.
        data: further fields of the data.
    """
    published_on = published or (occurred if _PLAIN_DAY.fullmatch(occurred) else "2022-12-31")
    belongs = {"case_id": case} if case else {}
    line = {
        "type": type_,
        "id": id or f"{type_} {subject} {occurred}",
        "source": "urn:test:desk",
        "subject": subject,
        "data": {"occurred": occurred, "published": published_on, "sources": SOURCES, **belongs, **data},
    }
    return line | ({"recorded": recorded} if recorded else {})


appointed = partial(stated, "Appointed")
suspended = partial(stated, "Suspended")
dismissed = partial(stated, "Dismissed")
reinstated = partial(stated, "Reinstated")
died = partial(stated, "Died")
accused = partial(stated, "Accused", case=CASE_TRACK_CASE)
investigated = partial(stated, "InvestigationOpened", case=CASE_TRACK_CASE)
charged = partial(stated, "Charged", case=CASE_TRACK_CASE)
convicted = partial(stated, "Convicted", case=CASE_TRACK_CASE)
acquitted = partial(stated, "Acquitted", case=CASE_TRACK_CASE)
made_final = partial(stated, "VerdictFinal", case=CASE_TRACK_CASE)
wanted = partial(stated, "Wanted")
detained = partial(stated, "Detained")
arrested = partial(stated, "Arrested")
released = partial(stated, "Released")
described = partial(stated, "SubjectDescribed")


def corrected(of: Line, day: str = "2022-05-01", *, recorded: str | None = None, id: str = "", **data: Any) -> Line:  # noqa: A002
    """
    Return a correction of the fact *of*, published on *day*, that merges *data* into its data.

    A field that is None in *data* is left out.
    """
    merged = {name: value for name, value in (of["data"] | data).items() if value is not None}
    name = id or f"corrected {of['id']} {day}"
    return stated("Corrected", day, recorded=recorded, subject=of["subject"], id=name, fact_id=of["id"], data=merged)


def retracted(of: Line, day: str = "2022-05-01", *, recorded: str | None = None, id: str = "") -> Line:  # noqa: A002
    """Return a retraction of the fact *of*, published on *day*."""
    name = id or f"retracted {of['id']} {day}"
    return stated("Retracted", day, recorded=recorded, subject=of["subject"], id=name, fact_id=of["id"], reason="wrong")


def encoded(*lines: Line) -> list[bytes]:
    """Return the facts as lines of NDJSON."""
    return [json.dumps(line, ensure_ascii=False).encode() for line in lines]


def instant(text: str) -> Any:
    """Return the instant of a date-time, or the first instant of a day."""
    return parse_instant(text)


def fact(line: Line) -> Fact:
    """Return the fact of a line, with its `recorded`."""
    (raw,) = encoded(line)
    read, _ = complete(raw, instant("2022-01-01"))
    return read._replace(recorded=recorded_of(raw) or read.published.latest or read.recorded)


def facts(*lines: Line) -> list[Fact]:
    """Return the facts of the lines, in the same order."""
    return [fact(line) for line in lines]


def history(*lines: Line, clock: str = "2030") -> History:
    """Return the history of the lines at *clock*."""
    return History(facts(*lines), instant(clock))


def status(*lines: Line, clock: str = "2030") -> Status:
    """Return the status after the lines at *clock*."""
    view = history(*lines, clock=clock)
    return Status(frozenset(), view.events, view.placing, view.stands_for)


def report(lines: Iterable[Line], until: str = "2030", rules: Rulebook | None = None) -> Row:
    """Return the report of a backtest of *lines*."""
    return {**backtest(encoded(*lines), rules or dismissals(), instant(until)).report}


def alerts(lines: Iterable[Line], until: str = "2030", rules: Rulebook | None = None) -> list[Row]:
    """Return the alerts of a backtest of *lines* until *until*."""
    result: list[Row] = report(lines, until, rules)["alerts"]
    return result


def silence(lines: Iterable[Line], until: str = "2030") -> list[Row]:
    """Return the alerts of the pack's rule about silence."""
    return [alert for alert in alerts(lines, until) if alert["rule"] == "dismissed-without-follow-up"]


def arrest(lines: Iterable[Line], until: str = "2030", rules: Rulebook | None = None) -> list[Row]:
    """Return the alerts of the pack's rule about a dismissal and a later arrest."""
    return [alert for alert in alerts(lines, until, rules) if alert["rule"] == "dismissal-before-arrest"]


def states(alerts: list[Row]) -> list[str]:
    """Return the states of the only alert, in order."""
    return [state for state, _, _ in life(alerts)]


def life(alerts: list[Row]) -> list[tuple[str, str, str]]:
    """Return the life of the only alert as (state, at, cause), in order."""
    if not alerts:
        return []
    (alert,) = alerts
    return [(step["state"], step["at"], step["cause"]) for step in alert["life"]]


def database() -> Engine:
    """Return a new, empty database in memory."""
    engine = open_database("sqlite://")
    METADATA.create_all(engine)
    return engine


def rulebook(**changes: Any) -> Rulebook:
    """Return the pack with *changes* to each rule that has such a field; durations are in seconds."""
    return Rulebook(tuple(_changed(rule, changes) for rule in dismissals().rules))


def _changed(rule: Rule, changes: dict[str, Any]) -> Rule:
    model = AbsenceRule if isinstance(rule, AbsenceRule) else SequenceRule
    fields = {field.alias or name for name, field in model.model_fields.items()}
    return model.model_validate(rule.normal() | {name: changes[name] for name in fields & changes.keys()})


def records(lines: Iterable[Line | bytes], first: int = 0, stamped: str | None = None) -> list[LogRecord]:
    """Return the lines as records of the log from offset *first* on; a line of bytes stays as it is."""
    result: list[LogRecord] = []
    last = instant(stamped or "2022-01-01")
    for offset, line in enumerate(lines, first):
        key, value = None, line if isinstance(line, bytes) else encoded(line)[0]
        if not isinstance(line, bytes):
            read, value = complete(value, NOW)
            key = read.subject.encode()
            last = instant(stamped) if stamped else fact(line).recorded
        result.append(LogRecord(TOPIC, 0, offset, last, key, None, value))
    return result


def projector(engine: Engine | None = None, rules: Rulebook | None = None, clock: str = "2022-01-01") -> Projector:
    """Return a projector that has been assigned partition 0."""
    result = Projector(engine or database(), rules or dismissals())
    result.assign(instant(clock))
    return result


def project(projector: Projector, lines: Iterable[Line | bytes], stamped: str | None = None) -> Checkpoint:
    """Project *lines* as the next records, in one batch."""
    return projector.project(records(lines, projector.checkpoint.position, stamped), instant("2030"))


def rows(engine: Engine, table: Table, *leave_out: str) -> list[Row]:
    """Return the rows of *table* by its key, without the columns *leave_out*."""
    columns = [column for column in table.columns if column.name not in leave_out]
    with engine.connect() as conn:
        result = conn.execute(select(*columns).order_by(*table.primary_key)).mappings()
        return [dict(row) for row in result]


def conclusions(engine: Engine, tables: Any = LIVE) -> dict[str, list[Row]]:
    """Return the rows of every table of conclusions, by the table's name without its prefix."""
    return {table.name.removeprefix("rebuild_"): rows(engine, table) for table in tables.derived}


def statuses(engine: Engine) -> list[Row]:
    """Return the statuses in the form that programs read, without the position."""
    with engine.connect() as conn:
        result = list(stored(conn, Filter()))
    return [{name: value for name, value in row.items() if name != "position"} for row in result]


def statuses_of(lines: Iterable[Line], until: str = "2040") -> list[Row]:
    """Return the statuses of a backtest of *lines*."""
    subjects: list[Row] = report(lines, until)["subjects"]
    return subjects


def row_of(*lines: Line) -> Row:
    """Return the status row of *lines*, after checking that the reverse order leads to the same row."""
    results = [statuses_of(story)[0] for story in (lines, lines[::-1])]
    for row in results:
        del row["position"]
    assert results[0] == results[1]
    return results[0]


def flags(row: Row, *codes: str) -> list[tuple[str, str]]:
    """Return the anomalies of a row as (code, fact id): all of them, or those with *codes*."""
    return [(flag["code"], flag["fact_id"]) for flag in row["anomalies"] if not codes or flag["code"] in codes]
