"""history: the facts about one person, or a dossier."""

from typing import Annotated, Literal

import typer

from projections.queries.subjects import status_of, story_of
from projections.subjects.view import history_json
from projections.tables.database import snapshot
from services.settings import load_settings
from services.words.dossier import history_lines, markdown

from .app import Json, app, database
from .options import AsOfOption, KnownAtOption, moment_of
from .output import FINDINGS, emit, lines
from .unknown import say_unknown


@app.command(epilog="\b\nExamples:\n  casetrail history kz-kudebaev\n  casetrail history kz-kudebaev --format markdown")
def history(
    subject_id: Annotated[str, typer.Argument(metavar="ID", help="The person.")],
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    layout: Annotated[
        Literal["text", "markdown"], typer.Option("--format", help="markdown writes a dossier that can be handed on.")
    ] = "text",
    as_json: Json = False,
) -> None:
    """Show all facts about one person, in world order. Sources, corrections and anomalies stand with each."""
    moment = moment_of(as_of, known_at)
    with snapshot(database(load_settings())) as conn:
        told = story_of(conn, subject_id, moment)
        if told is None:
            say_unknown(conn, subject_id, moment)
            if as_json:
                emit(None)
            raise typer.Exit(FINDINGS)
        found = history_json(told, moment, status_of(conn, told, moment))
        if as_json:
            emit(found)
        elif layout == "markdown":
            lines(markdown(conn, told, found))
        else:
            lines(history_lines(told, found))
