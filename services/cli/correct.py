"""correct and retract: a fact that changes or takes back another."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from events.errors import BadInput
from events.facts import Fact
from services.log.open import appending, tail_of
from services.publish.corrections import Known, changed, difference, look_up, make
from services.settings import Settings, load_settings

from .app import Json, app, database
from .editor import edit
from .output import emit_line, say

FactId = Annotated[str, typer.Argument(metavar="FACT_ID", help="The id of the fact, as `casetrail history` shows it.")]


SourceUrl = Annotated[str | None, typer.Option(help="The address of the source; this or --source-title is needed.")]


SourceTitle = Annotated[str | None, typer.Option(help="The title of the source.")]


Published = Annotated[str | None, typer.Option(help="When that source made it known, as EDTF; the present by default.")]


Occurred = Annotated[str | None, typer.Option(help="When it was corrected or taken back; as --published by default.")]


Note = Annotated[str | None, typer.Option(help="A remark for readers.")]


Stater = Annotated[str | None, typer.Option("--source", help="Who states it, as a URI; CASETRAIL_SOURCE by default.")]


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before publishing; off a terminal nobody is asked.")]


@app.command(
    "correct",
    epilog="\b\nExamples:\n  casetrail correct FACT_ID --set occurred=2022-04-25 --source-url https://news.example/2\n"
    "  casetrail correct FACT_ID --source-title 'Letter of the ministry'      (in an editor)",
)
def correct(  # noqa: PLR0917 - the arguments are options to whoever types them
    fact_id: FactId,
    assigned: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field and its new value; repeatable.")
    ] = None,
    removed: Annotated[
        list[str] | None, typer.Option("--unset", metavar="FIELD", help="A field to leave out; repeatable.")
    ] = None,
    source_url: SourceUrl = None,
    source_title: SourceTitle = None,
    published: Published = None,
    occurred: Occurred = None,
    note: Note = None,
    source: Stater = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """
    Publish a correction of a fact. What changes is given as options, or in an editor where none is.

    It starts from the data in force. A value is JSON where that fits the field, else text; charges.0.title is a
    field within a field. The correction counts once it is projected.
    """
    settings = load_settings()
    said = _said(source_url, source_title, published, occurred, note)
    engine = database(settings)
    known = look_up(engine, tail_of(settings, engine), fact_id)
    if assigned or removed:
        data = changed(known.target.type, known.data, assigned or (), removed or (), known.facts)
    else:
        data = edit(known.target.type, known.data)
    if data == known.data:
        raise BadInput("nothing changed", "another value in at least one field", fact_id)
    made = make("Corrected", known, {**said, "data": data}, source or settings.source, datetime.now(UTC))
    _state(settings, known, made, difference(known.data, data), yes=yes, as_json=as_json)


@app.command(
    "retract",
    epilog="\b\nExample:\n  casetrail retract FACT_ID --reason 'Another person of that name' "
    "--source-title 'Note of the editor'",
)
def retract(  # noqa: PLR0917
    fact_id: FactId,
    reason: Annotated[str, typer.Option(help="Why it is taken back, for readers.")],
    source_url: SourceUrl = None,
    source_title: SourceTitle = None,
    published: Published = None,
    occurred: Occurred = None,
    note: Note = None,
    source: Stater = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Publish that a fact is taken back. It counts once it is projected; retracting the retraction revives the fact."""
    settings = load_settings()
    said = _said(source_url, source_title, published, occurred, note)
    engine = database(settings)
    known = look_up(engine, tail_of(settings, engine), fact_id)
    made = make("Retracted", known, {**said, "reason": reason}, source or settings.source, datetime.now(UTC))
    _state(settings, known, made, difference(known.data, {}), yes=yes, as_json=as_json)


def _said(
    url: str | None, title: str | None, published: str | None, occurred: str | None, note: str | None
) -> dict[str, Any]:
    """Return what the data of a correction and of a retraction have in common, as far as it is given."""
    if not url and not title:
        raise BadInput("no source", "--source-url or --source-title: where it can be checked")
    sources = [{name: value for name, value in {"url": url, "title": title}.items() if value}]
    given = {"published": published, "occurred": occurred, "note": note}
    return {name: value for name, value in given.items() if value is not None} | {"sources": sources}


def _state(
    settings: Settings, known: Known, made: tuple[Fact, bytes], shown: Iterable[str], *, yes: bool, as_json: bool
) -> None:
    """Show what a correction or retraction changes, ask whoever is at the terminal, and publish it."""
    fact, value = made
    say(f"{fact.type}: {known.target.type} {known.target.id} of {fact.subject}")
    for line in shown:
        say(f"  {line}")
    if not yes and sys.stdin.isatty():
        typer.confirm("Publish this?", abort=True, err=True)
    with appending(settings) as append:
        append([(fact.subject, value)])
    if as_json:
        emit_line({"id": fact.id, "subject": fact.subject, "result": "accepted", "error": None})
    else:
        say(f"accepted as {fact.id}")
