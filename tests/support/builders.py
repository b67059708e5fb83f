"""Builders that read like the domain: facts about one person or more, and what comes out of them."""

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
from projections.rules.rulebook import AbsenceRule, Rule, Rulebook, SequenceRule, pack
from projections.subjects.status import Status
from projections.tables.checkpoint import Checkpoint
from projections.tables.columns import METADATA
from projections.tables.database import open_database
from projections.tables.schema import LIVE, TOPIC

Line = dict[str, Any]
Row = dict[str, Any]

NOW = parse_instant("2022-01-01T00:00:00Z")
"""The publisher's clock, which decides nothing."""
SOURCES = [{"title": "Decree"}]
CASE_TRACK_CASE = "c"
_PLAIN_DAY = re.compile(r"[0-9]{4}(-[0-9]{2}){0,2}")


def told(  # noqa: PLR0913 - a fact has this many sides
    type_: str,
    occurred: str,
    /,
    *,
    published: str | None = None,
    recorded: str | None = None,
    subject: str = "a",
    case: str | None = None,
    id: str | None = None,  # noqa: A002 - the fact's own word
    **data: Any,
) -> Line:
    """
    A fact of *type_* as a line of a file.

    Args:
        type_: the type.
        occurred: EDTF.
        published: EDTF; the day it occurred where not given.
        recorded: the log's instant; the end of *published* where not given.
        subject: the person.
        case: the case it belongs to.
        id: its id; made of type, person and day where not given.
        data: further data.
    """
    known = published or (occurred if _PLAIN_DAY.fullmatch(occurred) else "2022-12-31")
    belongs = {"case_id": case} if case else {}
    line = {
        "type": type_,
        "id": id or f"{type_} {subject} {occurred}",
        "source": "urn:test:desk",
        "subject": subject,
        "data": {"occurred": occurred, "published": known, "sources": SOURCES, **belongs, **data},
    }
    return line | ({"recorded": recorded} if recorded else {})


appointed = partial(told, "Appointed")
suspended = partial(told, "Suspended")
dismissed = partial(told, "Dismissed")
reinstated = partial(told, "Reinstated")
died = partial(told, "Died")
accused = partial(told, "Accused", case=CASE_TRACK_CASE)
investigated = partial(told, "InvestigationOpened", case=CASE_TRACK_CASE)
charged = partial(told, "Charged", case=CASE_TRACK_CASE)
convicted = partial(told, "Convicted", case=CASE_TRACK_CASE)
acquitted = partial(told, "Acquitted", case=CASE_TRACK_CASE)
made_final = partial(told, "VerdictFinal", case=CASE_TRACK_CASE)
wanted = partial(told, "Wanted")
detained = partial(told, "Detained")
arrested = partial(told, "Arrested")
released = partial(told, "Released")
described = partial(told, "SubjectDescribed")


def corrected(of: Line, day: str = "2022-05-01", *, recorded: str | None = None, id: str = "", **data: Any) -> Line:  # noqa: A002
    """A correction, published on *day*, after which the fact *of* says *data* instead (None: says nothing of it)."""
    merged = {name: value for name, value in (of["data"] | data).items() if value is not None}
    name = id or f"corrected {of['id']} {day}"
    return told("Corrected", day, recorded=recorded, subject=of["subject"], id=name, fact_id=of["id"], data=merged)


def retracted(of: Line, day: str = "2022-05-01", *, recorded: str | None = None, id: str = "") -> Line:  # noqa: A002
    """A retraction of the fact *of*, published on *day*."""
    name = id or f"retracted {of['id']} {day}"
    return told("Retracted", day, recorded=recorded, subject=of["subject"], id=name, fact_id=of["id"], reason="wrong")


def story(*lines: Line) -> list[bytes]:
    """The facts as NDJSON."""
    return [json.dumps(line, ensure_ascii=False).encode() for line in lines]


def instant(text: str) -> Any:
    """An instant, from a date-time or by the end of a day."""
    return parse_instant(text)


def fact(line: Line) -> Fact:
    """The fact of a line, with its `recorded`."""
    (raw,) = story(line)
    read, _ = complete(raw, instant("2022-01-01"))
    return read._replace(recorded=recorded_of(raw) or read.published.latest or read.recorded)


def facts(*lines: Line) -> list[Fact]:
    """The facts of the lines, in their order."""
    return [fact(line) for line in lines]


def history(*lines: Line, clock: str = "2030") -> History:
    """The history of the lines at *clock*."""
    return History(facts(*lines), instant(clock))


def status(*lines: Line, clock: str = "2030") -> Status:
    """The status that the lines leave at *clock*."""
    told_of = history(*lines, clock=clock)
    return Status(frozenset(), told_of.events, told_of.placing, told_of.stands_for)


def report(lines: Iterable[Line], until: str = "2030", rules: Rulebook | None = None) -> Row:
    """What a backtest says of *lines*."""
    return backtest(story(*lines), rules or pack(), instant(until)).report


def alerts(lines: Iterable[Line], until: str = "2030", rules: Rulebook | None = None) -> list[Row]:
    """The alerts that *lines* lead to by *until*."""
    found: list[Row] = report(lines, until, rules)["alerts"]
    return found


def silence(lines: Iterable[Line], until: str = "2030") -> list[Row]:
    """The alerts of the pack's rule about silence."""
    return [alert for alert in alerts(lines, until) if alert["rule"] == "dismissed-without-follow-up"]


def arrest(lines: Iterable[Line], until: str = "2030") -> list[Row]:
    """The alerts of the pack's rule about a dismissal and the arrest after it."""
    return [alert for alert in alerts(lines, until) if alert["rule"] == "dismissal-before-arrest"]


def states(found: list[Row]) -> list[str]:
    """The states that the one alert *found* went through."""
    return [state for state, _, _ in life(found)]


def life(found: list[Row]) -> list[tuple[str, str, str]]:
    """The life of the one alert *found*: (state, at, cause) each."""
    if not found:
        return []
    (alert,) = found
    return [(step["state"], step["at"], step["cause"]) for step in alert["life"]]


def database() -> Engine:
    """A new, empty database in memory."""
    engine = open_database("sqlite://")
    METADATA.create_all(engine)
    return engine


def rulebook(**changes: Any) -> Rulebook:
    """The pack, with *changes* to each rule that has such a field; durations in seconds."""
    return Rulebook(tuple(_changed(rule, changes) for rule in pack().rules))


def _changed(rule: Rule, changes: dict[str, Any]) -> Rule:
    model = AbsenceRule if isinstance(rule, AbsenceRule) else SequenceRule
    known = {field.alias or name for name, field in model.model_fields.items()}
    return model.model_validate(rule.normal() | {name: changes[name] for name in known & changes.keys()})


def records(lines: Iterable[Line | bytes], first: int = 0, stamped: str | None = None) -> list[LogRecord]:
    """The lines as records of the log from offset *first* on; bytes are what a client without checks sent."""
    found: list[LogRecord] = []
    last = instant(stamped or "2022-01-01")
    for offset, line in enumerate(lines, first):
        key, value = None, line if isinstance(line, bytes) else story(line)[0]
        if not isinstance(line, bytes):
            read, value = complete(value, NOW)
            key = read.subject.encode()
            last = instant(stamped) if stamped else fact(line).recorded
        found.append(LogRecord(TOPIC, 0, offset, last, key, None, value))
    return found


def projector(engine: Engine | None = None, rules: Rulebook | None = None, clock: str = "2022-01-01") -> Projector:
    """A projector that holds partition 0."""
    made = Projector(engine or database(), rules or pack())
    made.assign(instant(clock))
    return made


def project(held: Projector, lines: Iterable[Line | bytes], stamped: str | None = None) -> Checkpoint:
    """Project *lines* as the next records, in one batch."""
    return held.project(records(lines, held.held.position, stamped), instant("2030"))


def rows(engine: Engine, table: Table, *leave_out: str) -> list[Row]:
    """The rows of *table* by its key, without the columns *leave_out*."""
    columns = [column for column in table.columns if column.name not in leave_out]
    with engine.connect() as conn:
        found = conn.execute(select(*columns).order_by(*table.primary_key)).mappings()
        return [dict(row) for row in found]


def conclusions(engine: Engine, tables: Any = LIVE) -> dict[str, list[Row]]:
    """Every row that was concluded, by the table's name without prefix."""
    return {table.name.removeprefix("rebuild_"): rows(engine, table) for table in tables.derived}


def statuses(engine: Engine) -> list[Row]:
    """The statuses as programs read them, without the position."""
    with engine.connect() as conn:
        found = list(stored(conn, Filter()))
    return [{name: value for name, value in each.items() if name != "position"} for each in found]


def statuses_of(lines: Iterable[Line], until: str = "2040") -> list[Row]:
    """The statuses that a backtest of *lines* leads to."""
    found: list[Row] = report(lines, until)["subjects"]
    return found


def row_of(*lines: Line) -> Row:
    """The one row of *lines*, the same for every order in which they arrive."""
    found = [statuses_of(story)[0] for story in (lines, lines[::-1])]
    for row in found:
        del row["position"]
    assert found[0] == found[1]
    return found[0]


def flags(row: Row, *codes: str) -> list[tuple[str, str]]:
    """The flags of a row: those of *codes*, or all."""
    return [(flag["code"], flag["fact_id"]) for flag in row["anomalies"] if not codes or flag["code"] in codes]
