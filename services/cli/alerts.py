"""alerts: the findings of the rules, with their evidence and their life."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, Engine

from events.edtf import format_instant
from events.errors import BadInput
from events.text import storable
from projections.alerts.acknowledgement import Acknowledgement, Unacknowledgement
from projections.alerts.alert import STANDING
from projections.alerts.shapes import AlertJson
from projections.correlator.correlator import acknowledge_across
from projections.correlator.progress import short_reach
from projections.queries.alerts import (
    AlertFilter,
    alerts,
    partition_of,
    rules_with_alerts,
)
from projections.queries.deliveries import DeliveryJson, deliveries_of_alert
from projections.queries.subjects import view_of
from projections.rules.values import SEVERITIES
from projections.subjects.view import AsOf, SubjectView
from projections.tables.database import snapshot
from projections.tables.schema import CORRELATOR
from services.log.open import side_writer, topic_of
from services.settings import load_rules, load_settings
from services.words.careers import unread_words, waiting_words
from services.words.dossier import step_words
from services.words.facts import correction_lines, fact_words
from services.words.terms import safe, source_words

from .app import app, database
from .delivery_rows import show_deliveries
from .follow import follow, parse_cursor
from .found import find_alert
from .layout import Column, cell, show
from .options import JsonOption, LimitOption, future_instant, instant
from .output import FINDINGS, emit, emit_array, fail, print_lines, say
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

alerts_app = typer.Typer(
    epilog="\b\nExample:\n  casetrail alerts --severity warning",
)
app.add_typer(alerts_app, name="alerts")


class ShownAlertJson(AlertJson):
    """An alert with the messages about it, one for each address, in the order of decisions."""

    deliveries: list[DeliveryJson]


KnownAt = Annotated[str | None, typer.Option(metavar="INSTANT", help="The alerts as they were at this instant.")]
By = Annotated[str, typer.Option(metavar="NAME", help="Your name.")]
Note = Annotated[str | None, typer.Option(help="A remark for readers.")]
AlertId = Annotated[str, typer.Argument(metavar="ID", help="The alert's id, or at least its first 8 characters.")]


@alerts_app.callback(
    invoke_without_command=True,
    epilog="\b\nExamples:\n  casetrail alerts --severity warning\n  casetrail alerts --all --since 2022-06\n"
    "  casetrail alerts --trial --rule detained-without-charge\n  casetrail alerts --follow --cursor 0:17",
)
def show_alerts(
    context: typer.Context,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Include resolved, retracted and superseded alerts.")
    ] = False,
    trial: Annotated[
        bool, typer.Option("--trial", help="Only alerts of rules on trial, which are left out otherwise.")
    ] = False,
    rule: Annotated[str | None, typer.Option(help="The id of the rule.")] = None,
    subject: Annotated[str | None, typer.Option(help="The person's subject_id.")] = None,
    severity: Annotated[str | None, typer.Option(help=f"One of {', '.join(SEVERITIES)}.")] = None,
    agency: Annotated[str | None, typer.Option(help="Part of the name of the person's agency.")] = None,
    since: Annotated[str | None, typer.Option(metavar="INSTANT", help="Changed at this instant or later.")] = None,
    known_at: KnownAt = None,
    limit: LimitOption = None,
    followed: Annotated[bool, typer.Option("--follow", help="Print each new notice as a line of NDJSON.")] = False,
    cursor: Annotated[
        str | None, typer.Option(help="With --follow: continue after this cursor; 0 is the beginning. Default: now.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show the open and the acknowledged alerts, latest first. Those of rules on trial are shown by --trial alone.

    With --follow, each notice is printed with its cursor. Another run can continue from that cursor. Without
    --cursor, the cursor at the start is printed on stderr. SIGTERM or Ctrl-C ends the command.
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
        trial=trial,
    )
    if followed:
        _follow(wanted, limit, cursor)
        return
    if cursor is not None:
        raise BadInput("--cursor needs --follow", "both")
    engine = database(load_settings())
    _check_filter(engine, wanted)
    with snapshot(engine) as conn:
        matches = alerts(conn, wanted, limit)
        if as_json:
            emit_array(matches)
        else:
            _show_table(matches, limit, "" if everything else " (--all includes ended alerts)")
        _say_reach(conn, wanted.known_at)


def _follow(wanted: AlertFilter, limit: int | None, cursor: str | None) -> None:
    """Print the notices after *cursor* that match *wanted*."""
    if (wanted.since, wanted.known_at, limit) != (None, None, None):
        raise BadInput("--follow does not go with --since, --known-at or --limit", "--cursor for the beginning")
    if wanted.trial:
        raise BadInput("--follow does not go with --trial", "--trial alone: nobody is told of a trial")
    begin = parse_cursor(cursor)
    engine = database(load_settings())
    _check_filter(engine, wanted)
    with engine.connect() as conn:
        _say_reach(conn)
    follow(engine, wanted, begin)


@alerts_app.command("show", epilog="\b\nExample:\n  casetrail alerts show 87ddf79b")
def show_alert(alert_id: AlertId, as_json: JsonOption = False) -> None:
    """Show one alert with its evidence, life and messages."""
    engine = database(load_settings())
    with snapshot(engine) as conn:
        alert = find_alert(conn, alert_id)
        messages = deliveries_of_alert(conn, alert["alert_id"])
        shown: ShownAlertJson = {**alert, "deliveries": [*messages]}
    if alert["in_doubt"] or alert["subjects"] != [alert["subject_id"]]:
        with engine.connect() as conn:
            _say_reach(conn)
    if as_json:
        emit(shown)
        return
    with snapshot(engine) as conn:
        views = [view for subject_id in alert["subjects"] if (view := view_of(conn, subject_id)) is not None]
    assert views, "people with an alert have facts"
    print_lines(_alert_lines(alert, views))
    print_lines(("", "Messages:"))
    if not show_deliveries(iter(shown["deliveries"]), None):
        print("  nobody was told")


@alerts_app.command(
    "ack",
    epilog='\b\nExamples:\n  casetrail alerts ack 87ddf79b --by ann --note "asked the ministry"\n'
    "  casetrail alerts ack 87ddf79b --by ann --until 2027-01-15",
)
def acknowledge(
    alert_id: AlertId,
    by: By,
    note: Note = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="Its end; then it is open again. A date: its start in CASETRAIL_ZONE."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge an open alert. It stays listed until it is resolved or retracted."""
    _check_name(by)
    settings, at = load_settings(), datetime.now(UTC)
    end = future_instant("--until", until, settings, at) if until is not None else None
    engine = database(settings)
    alert = _one(engine, alert_id)
    said = Acknowledgement(alert["alert_id"], storable(by), storable(note) if note else None, at, end)
    if alert["state"] == "open":
        _say_of(engine, alert, said)
        alert = _one(engine, alert["alert_id"])
    if as_json:
        emit(alert)
    # Another person may have been first: then the alert is acknowledged, but not by this command.
    if not _stands(alert, "acknowledged", said):
        fail(f"alert {alert['alert_id']} is {alert['state']}, not open", FINDINGS)
    say(f"alert {alert['alert_id']} acknowledged by {safe(by)}" + (f" until {format_instant(end)}" if end else ""))


@alerts_app.command("unack", epilog='\b\nExample:\n  casetrail alerts unack 87ddf79b --by ann --note "not answered"')
def unacknowledge(alert_id: AlertId, by: By, note: Note = None, as_json: JsonOption = False) -> None:
    """Take an acknowledgement back. The alert is open again, and no notice is written."""
    _check_name(by)
    engine, at = database(load_settings()), datetime.now(UTC)
    alert = _one(engine, alert_id)
    said = Unacknowledgement(alert["alert_id"], storable(by), storable(note) if note else None, at)
    if alert["state"] == "acknowledged":
        _say_of(engine, alert, said)
        alert = _one(engine, alert["alert_id"])
    if as_json:
        emit(alert)
    if not _stands(alert, "open", said):
        fail(f"alert {alert['alert_id']} is {alert['state']}, not acknowledged", FINDINGS)
    say(f"alert {alert['alert_id']} is open again")


def _one(engine: Engine, start: str) -> AlertJson:
    with snapshot(engine) as conn:
        return find_alert(conn, start)


def _check_name(by: str) -> None:
    if not by.strip():
        raise BadInput("the name is empty", "your name", "--by")


def _say_of(engine: Engine, alert: AlertJson, said: Acknowledgement | Unacknowledgement) -> None:
    """Write *said* to the partition that keeps the alert."""
    with engine.connect() as conn:
        partition = partition_of(conn, said.alert_id)
    if partition == CORRELATOR:
        acknowledge_across(engine, topic_of(load_settings()), said)
        return
    assert alert["subject_id"] is not None, "an alert of a partition of the log is about one person"
    writer = side_writer(engine, partition)
    about = (said.alert_id, alert["subject_id"], said.person, said.note, said.at)
    if isinstance(said, Acknowledgement):
        writer.acknowledge(*about, said.until)
    else:
        writer.unacknowledge(*about)


def _stands(alert: AlertJson, state: str, said: Acknowledgement | Unacknowledgement) -> bool:
    """Return whether the life of *alert* has the change that *said* makes."""
    change = {"state": state, "at": format_instant(said.at), "by": said.person}
    return any(change.items() <= step.items() for step in alert["life"])


def _say_reach(conn: Connection, known_at: datetime | None = None) -> None:
    """Print a message if alerts across people do not reach as far as the others, or as *known_at*."""
    reach = short_reach(conn, topic_of(load_settings()))
    if reach is None or (known_at and reach.until and known_at < reach.until):
        return
    until = f"as far as {format_instant(reach.until)}" if reach.until else "none yet"
    reason = (
        "the correlator is behind" if reach.held_back_by is None else f"partition {reach.held_back_by} stands still"
    )
    say(f"alerts across people: {until} ({reason}; see `casetrail lag`)")


def _check_filter(engine: Engine, wanted: AlertFilter) -> None:
    """Check that the wanted rule exists, and print a message if no person has the wanted id."""
    with snapshot(engine) as conn:
        _check_rule(conn, wanted.rule)
        moment = AsOf(known_at=wanted.known_at)
        # An empty list is an answer about a known person, but it would mislead about a misspelled id.
        if wanted.subject_id is not None and view_of(conn, wanted.subject_id, moment) is None:
            say_unknown(conn, wanted.subject_id, moment)


def _check_rule(conn: Connection, rule: str | None) -> None:
    """Check that *rule* is one of the configured rules, or an earlier rule that has alerts."""
    if rule is None:
        return
    rules = {configured.id for configured in load_rules(load_settings()).every} | rules_with_alerts(conn)
    if rule not in rules:
        raise BadInput(f'"{safe(rule)}" is not known', f"one of {', '.join(sorted(rules))}", "--rule")


def _show_table(rows: Iterator[AlertJson], limit: int | None, others: str) -> None:
    shown = show(COLUMNS, map(_cells, rows if limit is not None else islice(rows, TABLE_ROWS)))
    if not shown:
        say(f"there are no alerts to show{others}")
    elif limit is None and next(rows, None) is not None:
        say(f"the first {shown} are shown; --json prints all, --limit sets another number, filters show fewer")


def _cells(alert: AlertJson) -> Iterable[Any]:
    yield cell(alert["severity"], "bold" if alert["severity"] in {"warning", "critical"} else "")
    yield alert["state"]
    yield alert["life"][-1]["at"][:10]
    yield alert["rule"]
    yield _about(alert)
    waiting = waiting_words(alert)
    yield f"{alert['explanation']} {waiting}." if waiting else alert["explanation"]
    yield alert["alert_id"]


def _about(alert: AlertJson) -> str:
    """Return the person that an alert is about, or its group."""
    return alert["subject_id"] or f"{alert['group']} ({len(alert['subjects'])} people)"


def _alert_lines(alert: AlertJson, views: Sequence[SubjectView]) -> Iterator[str]:
    yield f"{alert['severity']}: {safe(alert['explanation'])}"
    yield f"  {alert['state']}, about {safe(_about(alert))}"
    if alert["subjects"] != [alert["subject_id"]]:
        yield f"  people: {safe(', '.join(alert['subjects']))}"
    yield f"  rule {alert['rule']}, version {alert['rule_version']}{', on trial' if alert['trial'] else ''}"
    yield f"  alert {alert['alert_id']}"
    if waiting := unread_words(alert):
        yield f"  {waiting}"
    yield from ("", "Evidence:")
    for fact_id in alert["evidence"]:
        view = next(view for view in views if fact_id in view.facts)
        about = f" ({safe(view.subject_id)})" if len(views) > 1 else ""
        yield f"  {fact_words(view, fact_id)}{about}"
        for source in view.facts[fact_id].fact.data["sources"]:
            yield f"    source: {source_words(source)}"
        yield from correction_lines(view, fact_id)
    yield from ("", "Life:")
    yield from (f"  {step_words(step)}" for step in alert["life"])
