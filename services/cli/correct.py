"""correct and retract: the publication of a fact that changes or retracts another fact."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from events.errors import BadInput
from events.facts import Fact
from services.log.open import appending, tail_of
from services.publish.assignments import apply_changes
from services.publish.corrections import Target, build_correction, difference_lines, find_target
from services.publish.publish import accepted_json
from services.settings import Settings, load_settings

from .app import app, database
from .editor import edit
from .options import JsonOption
from .output import emit_line, say

FactId = Annotated[str, typer.Argument(metavar="FACT_ID", help="The id of the fact, as `casetrail history` shows it.")]
SourceUrl = Annotated[str | None, typer.Option(help="The address of the source; this or --source-title is needed.")]
SourceTitle = Annotated[str | None, typer.Option(help="The title of the source.")]
Published = Annotated[str | None, typer.Option(help="The date on which the source reported it, as EDTF. Default: now.")]
Occurred = Annotated[str | None, typer.Option(help="The date of the correction or retraction. Default: --published.")]
Note = Annotated[str | None, typer.Option(help="A remark for readers.")]
Publisher = Annotated[str | None, typer.Option("--source", help="The URI of the publisher. Default: CASETRAIL_SOURCE.")]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Publish without asking. It never asks if stdin is not a terminal.")
]


@app.command(
    "correct",
    epilog="\b\nExamples:\n  casetrail correct FACT_ID --set occurred=2022-04-25 --source-url https://news.example/2\n"
    "  casetrail correct FACT_ID --source-title 'Letter of the ministry'      (in an editor)",
)
def correct(  # noqa: PLR0917 - on the command line the arguments are options
    fact_id: FactId,
    assigned: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field and its new value; repeatable.")
    ] = None,
    removed: Annotated[
        list[str] | None, typer.Option("--unset", metavar="FIELD", help="A field to remove; repeatable.")
    ] = None,
    source_url: SourceUrl = None,
    source_title: SourceTitle = None,
    published: Published = None,
    occurred: Occurred = None,
    note: Note = None,
    source: Publisher = None,
    yes: Yes = False,
    as_json: JsonOption = False,
) -> None:
    """
    Publish a correction of a fact. Name the changes as options; without options, an editor opens.

    The correction starts from the data in force. A value is JSON if that fits the field, else text. charges.0.title
    is a field within a field. The correction counts once it is projected.
    """
    settings = load_settings()
    fields = _fields(source_url, source_title, published, occurred, note)
    engine = database(settings)
    target = find_target(engine, tail_of(settings, engine), fact_id)
    if assigned or removed:
        data = apply_changes(target.fact.type, target.data, assigned or (), removed or (), target.facts)
    else:
        data = edit(target.fact.type, target.data)
    if data == target.data:
        raise BadInput("nothing changed", "another value in at least one field", fact_id)
    fields["data"] = data
    correction = build_correction("Corrected", target, fields, source or settings.source, datetime.now(UTC))
    _publish(settings, target, correction, difference_lines(target.data, data), yes=yes, as_json=as_json)


@app.command(
    "retract",
    epilog="\b\nExample:\n  casetrail retract FACT_ID --reason 'Another person of that name' "
    "--source-title 'Note of the editor'",
)
def retract(  # noqa: PLR0917
    fact_id: FactId,
    reason: Annotated[str, typer.Option(help="The reason of the retraction, for readers.")],
    source_url: SourceUrl = None,
    source_title: SourceTitle = None,
    published: Published = None,
    occurred: Occurred = None,
    note: Note = None,
    source: Publisher = None,
    yes: Yes = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a retraction of a fact. It counts once it is projected. Retracting the retraction revives the fact."""
    settings = load_settings()
    fields = _fields(source_url, source_title, published, occurred, note) | {"reason": reason}
    engine = database(settings)
    target = find_target(engine, tail_of(settings, engine), fact_id)
    retraction = build_correction("Retracted", target, fields, source or settings.source, datetime.now(UTC))
    _publish(settings, target, retraction, difference_lines(target.data, {}), yes=yes, as_json=as_json)


def _fields(
    url: str | None, title: str | None, published: str | None, occurred: str | None, note: str | None
) -> dict[str, Any]:
    """Return the fields that the options set, of those that corrections and retractions share."""
    if not url and not title:
        raise BadInput("no source", "--source-url or --source-title, so that readers can check it")
    sources = [{name: value for name, value in {"url": url, "title": title}.items() if value}]
    options = {"published": published, "occurred": occurred, "note": note}
    return {name: value for name, value in options.items() if value is not None} | {"sources": sources}


def _publish(
    settings: Settings,
    target: Target,
    correction: tuple[Fact, bytes],
    changes: Iterable[str],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Show the changes of a correction or retraction, ask a user at a terminal, and publish it."""
    fact, value = correction
    say(f"{fact.type}: {target.fact.type} {target.fact.id} of {fact.subject}")
    for line in changes:
        say(f"  {line}")
    if not yes and sys.stdin.isatty():
        typer.confirm("Publish this?", abort=True, err=True)
    with appending(settings) as append:
        append([(fact.subject, value)])
    if as_json:
        emit_line(accepted_json(fact))
    else:
        say(f"accepted as {fact.id}")
