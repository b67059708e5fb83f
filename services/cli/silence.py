"""silence: hold the messages about openings of a rule, a person or an agency, until an instant."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, Engine

from events.edtf import format_instant
from events.errors import BadInput
from events.text import near_words, storable
from projections.correlator.chain_entries import NewSilence
from projections.correlator.correlator import add_silence, end_silence
from projections.queries.alerts import rules_with_alerts
from projections.queries.silences import SilenceEnd, SilenceRow, silence_json, silences
from projections.queries.subjects import agencies, view_of
from projections.subjects.view import NOW
from projections.tables.database import snapshot
from services.log.open import topic_of
from services.settings import load_rules, load_settings
from services.words.terms import safe

from .app import app, database
from .layout import Column, show
from .options import JsonOption, future_instant
from .output import FINDINGS, emit, emit_array, fail, say
from .unknown import say_unknown

COLUMNS = (
    Column("scope", 0, least=24),
    Column("until", 1),
    Column("by", 3, below=True),
    Column("why", 4, below=True, least=24),
    Column("state", 2),
    Column("silence", 5, below=True),
)
SHORTEST_PREFIX = 8

silence_app = typer.Typer(epilog="\b\nExample:\n  casetrail silence list")
app.add_typer(silence_app, name="silence")

Everything = Annotated[bool, typer.Option("--all", help="Include silences that are over.")]
By = Annotated[str, typer.Option(metavar="NAME", help="Your name.")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="The reason, for readers.")]


@silence_app.callback(invoke_without_command=True, epilog="\b\nExample:\n  casetrail silence")
def show_silences(context: typer.Context, everything: Everything = False, as_json: JsonOption = False) -> None:
    """
    List the silences that hold now.

    A silence holds openings and reminders of its scope. It holds neither the alerts themselves nor the messages that
    an alert has ended.
    """
    if context.invoked_subcommand is None:
        list_silences(everything=everything, as_json=as_json)


@silence_app.command("list", epilog="\b\nExample:\n  casetrail silence list --all --json")
def list_silences(everything: Everything = False, as_json: JsonOption = False) -> None:
    """List the silences that hold now."""
    now = datetime.now(UTC)
    with snapshot(database(load_settings())) as conn:
        listed = [row for row in silences(conn) if everything or row.is_active(now)]
    if as_json:
        emit_array(silence_json(row) for row in listed)
    elif not show(COLUMNS, (_cells(row, now) for row in listed)):
        say("there are no silences" if everything else "no silence holds now (--all includes those that are over)")


@silence_app.command(
    "add",
    epilog="\b\nExamples:\n"
    '  casetrail silence add --agency "Ministry of Health" --until 2027-01-15 --by ann --why "reported on"\n'
    "  casetrail silence add --rule wanted-not-found --subject kz-kudebaev --until 2027-01-15 --by ann --why known",
)
def add(
    *,
    rule: Annotated[str | None, typer.Option(help="The id of a rule.")] = None,
    subject: Annotated[str | None, typer.Option(help="The subject_id of a person.")] = None,
    agency: Annotated[str | None, typer.Option(help="The whole name of an agency.")] = None,
    until: Annotated[str, typer.Option(metavar="INSTANT", help="Its end. A date means its start in CASETRAIL_ZONE.")],
    by: By,
    why: Why,
    as_json: JsonOption = False,
) -> None:
    """
    Add a silence.

    At least one of --rule, --subject and --agency is required. The silence holds openings that fit all that are named.
    """
    if not any((rule, subject, agency)):
        raise BadInput("the silence has no scope", "at least one of --rule, --subject and --agency")
    _check_person(by, why)
    settings, now = load_settings(), datetime.now(UTC)
    end = future_instant("--until", until, settings, now)
    engine = database(settings)
    with snapshot(engine) as conn:
        _check_scope(conn, rule, subject, agency)
    scope = (rule or None, storable(subject) if subject else None, storable(agency) if agency else None)
    new = NewSilence(*scope, end, storable(by), storable(why), now)
    silence_id = add_silence(engine, topic_of(settings), new)
    if as_json:
        emit(silence_json(_one(engine, silence_id)))
    say(f"silence {silence_id} holds until {format_instant(end)}")


@silence_app.command("end", epilog='\b\nExample:\n  casetrail silence end 87ddf79b --by ann --why "no longer needed"')
def end(
    silence_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or at least the first 8 characters.")],
    by: By,
    why: Why,
    as_json: JsonOption = False,
) -> None:
    """
    End a silence now.

    Alerts of its scope that are still open are sent then, and others never.
    """
    _check_person(by, why)
    settings, now = load_settings(), datetime.now(UTC)
    engine = database(settings)
    silence = _one(engine, silence_id)
    done = end_silence(engine, topic_of(settings), silence.silence_id, SilenceEnd(now, storable(by), storable(why)))
    if as_json:
        emit(silence_json(_one(engine, silence.silence_id)))
    if not done:
        fail(f"silence {silence.silence_id} is over already", FINDINGS)
    say(f"silence {silence.silence_id} ended by {safe(by)}")


def _check_person(by: str, why: str) -> None:
    if not by.strip():
        raise BadInput("the name is empty", "your name", "--by")
    if not why.strip():
        raise BadInput("the reason is empty", "a reason for readers", "--why")


def _check_scope(conn: Connection, rule: str | None, subject: str | None, agency: str | None) -> None:
    """Check that the rule exists. A person or an agency may still become known: of these, only print a message."""
    if rule:
        rules = {configured.id for configured in load_rules(load_settings()).every} | rules_with_alerts(conn)
        if rule not in rules:
            others = ", ".join(near_words(rule, sorted(rules), cutoff=0.4)) or ", ".join(sorted(rules))
            raise BadInput(f'"{safe(rule)}" is not known', others, "--rule")
    if subject and view_of(conn, subject) is None:
        say_unknown(conn, subject, NOW)
    if agency:
        known = agencies(conn)
        if agency.casefold() not in {name.casefold() for name in known}:
            near = ", ".join(map(safe, near_words(agency, known)))
            say(f"casetrail: no post is known in {safe(agency)}" + (f" (similar names: {near})" if near else ""))


def _one(engine: Engine, start: str) -> SilenceRow:
    """Return the one silence with an id that begins with *start*. If there is not exactly one, end with exit code 1."""
    if len(start) < SHORTEST_PREFIX:
        raise BadInput(f'"{safe(start)}" is too short', f"the id, or at least its first {SHORTEST_PREFIX} characters")
    with engine.connect() as conn:
        matches = [row for row in silences(conn) if row.silence_id.startswith(start.lower())]
    if len(matches) != 1:
        what = f"no silence {safe(start)} is known" if not matches else f"several silences begin with {safe(start)}"
        fail(f"{what} (`casetrail silence list --all` lists all)", FINDINGS)
    return matches[0]


def _cells(row: SilenceRow, now: datetime) -> Iterable[Any]:
    scope = (("rule", row.rule), ("subject", row.subject), ("agency", row.agency))
    yield ", ".join(f"{name} {value}" for name, value in scope if value is not None)
    yield format_instant(row.until)
    yield row.by
    yield row.why
    yield "holds" if row.is_active(now) else f"ended by {row.ended.by}" if row.ended else "over"
    yield row.silence_id
