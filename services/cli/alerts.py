"""alerts: what was found, its evidence and life, and the notices of it as they come."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from events.edtf import format_instant
from events.errors import BadInput
from events.text import printable
from projections.alerts.alert import STANDING
from projections.queries.alerts import (
    AlertFilter,
    alerts,
    alerts_like,
    notices_after,
    notices_end,
    partition_of,
    rules_met,
)
from projections.queries.subjects import Filter, employed, story_of
from projections.rules.values import SEVERITIES
from projections.subjects.view import AsOf, SubjectView
from projections.tables.database import snapshot
from services.log.open import side_writer
from services.runtime.shutdown import stopping
from services.settings import load_rules, load_settings
from services.words.careers import unread_words, waiting_words
from services.words.dossier import step_words
from services.words.facts import correction_lines, fact_words
from services.words.terms import safe, source_words

from .app import Json, app, database
from .layout import Column, cell, show
from .options import instant
from .output import FINDINGS, emit, emit_array, emit_line, fail, lines, say
from .unknown import say_unknown

COLUMNS = (
    Column("severity", 2),
    Column("state", 4),
    Column("since", 3),
    Column("rule", 7, below=True),
    Column("subject", 1),
    Column("what", 5, below=True, least=40),
    Column("alert", 6, below=True),
)
TABLE_ROWS = 1000
POLL_SECONDS = 0.2
LONGEST_SECONDS = 10.0
"""The longest between two attempts at a database that is away: each is told of."""
SHORTEST_PREFIX = 8

alerts_app = typer.Typer(
    help="The alerts: what was found, and what became of it.",
    epilog="\b\nExample:\n  casetrail alerts --severity warning",
)
app.add_typer(alerts_app, name="alerts")

AlertId = Annotated[str, typer.Argument(metavar="ID", help="The alert's id, or its first 8 characters or more.")]


@alerts_app.callback(
    invoke_without_command=True,
    epilog="\b\nExamples:\n  casetrail alerts --severity warning\n  casetrail alerts --all --since 2022-06\n"
    "  casetrail alerts --follow --cursor 0:17",
)
def show_alerts(
    context: typer.Context,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Resolved, retracted and superseded ones too.")] = False,
    rule: Annotated[str | None, typer.Option(help="Id of the rule.")] = None,
    subject: Annotated[str | None, typer.Option(help="The person's subject_id.")] = None,
    severity: Annotated[str | None, typer.Option(help=f"Of {', '.join(SEVERITIES)}.")] = None,
    agency: Annotated[str | None, typer.Option(help="Part of the name of the person's agency.")] = None,
    since: Annotated[str | None, typer.Option(metavar="INSTANT", help="Changed at this instant or after.")] = None,
    known_at: Annotated[
        str | None, typer.Option("--known-at", metavar="INSTANT", help="As they stood at this instant.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="The most to print.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Print each notice as it comes, as NDJSON.")] = False,
    cursor: Annotated[
        str | None, typer.Option(help="With --follow: go on after this cursor; 0 is the beginning. Default: now.")
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Show the open and the acknowledged alerts, latest first.

    With --follow each notice is printed with its cursor, from which another run goes on; without --cursor the one it
    begins after is said on stderr. SIGTERM or Ctrl-C ends it.
    """
    if context.invoked_subcommand is not None:
        return
    if severity is not None and severity not in SEVERITIES:
        raise BadInput(f'"{severity}" is not known', f"one of {', '.join(SEVERITIES)}", "--severity")
    wanted = AlertFilter(
        states=frozenset() if everything else STANDING,
        rule=rule,
        subject_id=subject,
        severity=severity,
        agency=agency,
        since=instant("--since", since) if since is not None else None,
        known_at=instant("--known-at", known_at) if known_at is not None else None,
    )
    if follow:
        if (since, known_at, limit) != (None, None, None):
            raise BadInput("--follow has no --since, --known-at or --limit", "--cursor to say where to begin")
        begin = _cursor(cursor)
        engine = database(load_settings())
        _check_filter(engine, wanted)
        _follow(engine, wanted, begin)
        return
    if cursor is not None:
        raise BadInput("--cursor is given without --follow", "both")
    engine = database(load_settings())
    _check_filter(engine, wanted)
    with snapshot(engine) as conn:
        found = alerts(conn, wanted, limit)
        if as_json:
            emit_array(found)
        else:
            _show_table(found, limit, "" if everything else " (--all shows those that are over too)")


@alerts_app.command("show", epilog="\b\nExample:\n  casetrail alerts show 87ddf79b")
def show_alert(alert_id: AlertId, as_json: Json = False) -> None:
    """Show one alert with its evidence and its life."""
    engine = database(load_settings())
    alert = _the_alert(engine, alert_id)
    if as_json:
        emit(alert)
        return
    with snapshot(engine) as conn:
        told = story_of(conn, alert["subject_id"])
    assert told is not None, "who has an alert has facts"
    lines(_alert_lines(alert, told))


@alerts_app.command("ack", epilog='\b\nExample:\n  casetrail alerts ack 87ddf79b --by ann --note "asked the ministry"')
def acknowledge(
    alert_id: AlertId,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who has seen it.")],
    note: Annotated[str | None, typer.Option(help="What there is to say.")] = None,
    as_json: Json = False,
) -> None:
    """Note that somebody has seen an open alert. It stays among those that stand."""
    if not by.strip():
        raise BadInput("the name is empty", "who has seen it", "--by")
    engine = database(load_settings())
    alert = _the_alert(engine, alert_id)
    person, at = printable(by), datetime.now(UTC)
    if alert["state"] == "open":
        _acknowledge(engine, alert, person, printable(note) if note else None, at)
        alert = _the_alert(engine, alert["alert_id"])
    if as_json:
        emit(alert)
    # Somebody else may have been first: then the alert is acknowledged, but not by this.
    ours = {"state": "acknowledged", "at": format_instant(at), "by": person}
    if not any(ours.items() <= step.items() for step in alert["life"]):
        fail(f"alert {alert['alert_id']} is {alert['state']}, not open", FINDINGS)
    say(f"alert {alert['alert_id']} acknowledged by {safe(by)}")


def _acknowledge(engine: Engine, alert: dict[str, Any], by: str, note: str | None, at: datetime) -> None:
    with engine.connect() as conn:
        partition = partition_of(conn, alert["subject_id"])
    side_writer(engine, partition).acknowledge(alert["alert_id"], alert["subject_id"], by, note, at)


def _check_filter(engine: Engine, wanted: AlertFilter) -> None:
    """Check that there is such a rule, and say so if nobody has the id that is wanted."""
    with snapshot(engine) as conn:
        _check_rule(conn, wanted.rule)
        moment = AsOf(known_at=wanted.known_at)
        # No alert is an answer about somebody who is known, and none about an id that was mistyped.
        if wanted.subject_id is not None and story_of(conn, wanted.subject_id, moment) is None:
            say_unknown(conn, wanted.subject_id, moment)


def _check_rule(conn: Connection, rule: str | None) -> None:
    """See that *rule* is one of the rules in force, or one of old that an alert tells of."""
    if rule is None:
        return
    known = {each.id for each in load_rules(load_settings()).rules} | rules_met(conn)
    if rule not in known:
        raise BadInput(f'"{safe(rule)}" is not known', f"one of {', '.join(sorted(known))}", "--rule")


def _the_alert(engine: Engine, start: str) -> dict[str, Any]:
    """Return the one alert whose id begins with *start*, or end with what is wrong."""
    if len(start) < SHORTEST_PREFIX:
        raise BadInput(f'"{safe(start)}" is too short', f"the id, or its first {SHORTEST_PREFIX} characters or more")
    with engine.connect() as conn:
        found = alerts_like(conn, start.lower())
    if not found:
        fail(f"no alert {safe(start)} is known (casetrail alerts --all lists them)", FINDINGS)
    if len(found) > 1:
        fail(f"more than one alert begins with {safe(start)} (give more of its id)", FINDINGS)
    return found[0]


def _show_table(found: Iterator[dict[str, Any]], limit: int | None, others: str) -> None:
    shown = show(COLUMNS, map(_cells, found if limit is not None else islice(found, TABLE_ROWS)))
    if not shown:
        say(f"there are no alerts to show{others}")
    elif limit is None and next(found, None) is not None:
        say(f"the first {shown} are shown; --json gives all, --limit another number, filters fewer")


def _cells(alert: Mapping[str, Any]) -> Iterable[Any]:
    yield cell(alert["severity"], "bold" if alert["severity"] in {"warning", "critical"} else "")
    yield alert["state"]
    yield alert["life"][-1]["at"][:10]
    yield alert["rule"]
    yield alert["subject_id"]
    waiting = waiting_words(alert)
    yield f"{alert['explanation']} {waiting}." if waiting else alert["explanation"]
    yield alert["alert_id"]


def _alert_lines(alert: dict[str, Any], told: SubjectView) -> Iterator[str]:
    yield f"{alert['severity']}: {safe(alert['explanation'])}"
    yield f"  {alert['state']}, about {safe(alert['subject_id'])}"
    yield f"  rule {alert['rule']}, version {alert['rule_version']}"
    yield f"  alert {alert['alert_id']}"
    if waiting := unread_words(alert):
        yield f"  {waiting}"
    yield from ("", "Evidence:")
    for fact_id in alert["evidence"]:
        yield f"  {fact_words(told, fact_id)}"
        for source in told.lines[fact_id].fact.data["sources"]:
            yield f"    source: {source_words(source)}"
        yield from correction_lines(told, fact_id)
    yield from ("", "Life:")
    yield from (f"  {step_words(step)}" for step in alert["life"])


def _cursor(text: str | None) -> dict[int, int] | None:
    """Return the number of the last notice seen, by partition; None: begin now."""
    if text is None or text == "0":
        return None if text is None else {}
    try:
        pairs = [part.split(":") for part in text.split(",")]
        cursor = {int(partition): int(n) for partition, n in pairs}
    except ValueError:
        cursor = {}
    if not cursor or min(cursor) < 0 or min(cursor.values()) < 0:
        raise BadInput(f'"{safe(text)}" is no cursor', "PARTITION:N, with commas between, or 0", "--cursor")
    return cursor


def _check_cursor(engine: Engine, cursor: Mapping[int, int]) -> None:
    """See that *cursor* is behind notices that there are: of any others nothing would come. At first there is none."""
    with engine.connect() as conn:
        known = notices_end(conn)
    for partition, n in cursor.items() if known else ():
        if partition not in known:
            raise BadInput(f"there is no partition {partition}", f"one of {', '.join(map(str, known))}", "--cursor")
        if n > known[partition]:
            what = f"the last notice of partition {partition} is {known[partition]}, and not {n}"
            raise BadInput(what, "one that a notice came with", "--cursor")


def _cursor_text(cursor: Mapping[int, int]) -> str:
    return ",".join(f"{partition}:{n}" for partition, n in sorted(cursor.items())) or "0"


def _follow(engine: Engine, wanted: AlertFilter, cursor: Mapping[int, int] | None) -> None:
    if cursor:
        _check_cursor(engine, cursor)
    pause = POLL_SECONDS
    with stopping() as stop:
        while not stop.is_set():
            more = False
            try:
                if cursor is None:
                    cursor = _now(engine)
                cursor, more = _print_new(engine, wanted, cursor)
                pause = POLL_SECONDS
            except OperationalError as problem:
                pause = min(2 * pause, LONGEST_SECONDS)
                say(f"casetrail: database: {problem.orig}; trying again in {pause:.1f} s")
            if not more:
                stop.wait(pause)


def _now(engine: Engine) -> Mapping[int, int]:
    """Return the cursor behind all that has come, and say it, so that a later run can begin there."""
    with engine.connect() as conn:
        cursor = notices_end(conn)
    say(f"following from cursor {_cursor_text(cursor)}")
    return cursor


def _print_new(engine: Engine, wanted: AlertFilter, cursor: Mapping[int, int]) -> tuple[Mapping[int, int], bool]:
    """Print the notices after *cursor*; return the cursor after them, and whether there were any."""
    with engine.connect() as conn:
        found = notices_after(conn, cursor)
        people = [notice["subject_id"] for _, _, notice in found]
        there = set(employed(conn, people, Filter(agency=wanted.agency)))
    cursor = dict(cursor)
    for partition, n, notice in found:
        cursor[partition] = n
        if notice["subject_id"] in there and _concerns(wanted, notice):
            emit_line({"cursor": _cursor_text(cursor), **notice})
    return cursor, bool(found)


def _concerns(wanted: AlertFilter, notice: dict[str, Any]) -> bool:
    asked = {"rule": wanted.rule, "subject_id": wanted.subject_id, "severity": wanted.severity}
    return all(value is None or notice[name] == value for name, value in asked.items())
