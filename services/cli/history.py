"""history: the facts about one person, or a dossier."""

from typing import Annotated, Literal

import typer

from projections.queries.subjects import status_of, view_of
from projections.subjects.history_shapes import history_json
from projections.tables.database import snapshot
from services.settings import load_settings
from services.words.dossier import history_lines, markdown

from .app import app, database
from .options import AsOfOption, JsonOption, KnownAtOption, moment_of
from .output import FINDINGS, emit, print_lines
from .unknown import say_unknown


@app.command(epilog="\b\nExamples:\n  casetrail history kz-kudebaev\n  casetrail history kz-kudebaev --format markdown")
def history(
    subject_id: Annotated[str, typer.Argument(metavar="ID", help="The person.")],
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    layout: Annotated[
        Literal["text", "markdown"], typer.Option("--format", help="markdown writes a dossier to pass on.")
    ] = "text",
    as_json: JsonOption = False,
) -> None:
    """Show all facts about one person, in world order. Each has its sources, corrections and anomalies."""
    moment = moment_of(as_of, known_at)
    with snapshot(database(load_settings())) as conn:
        view = view_of(conn, subject_id, moment)
        if view is None:
            say_unknown(conn, subject_id, moment)
            if as_json:
                emit(None)
            raise typer.Exit(FINDINGS)
        shown = history_json(view, moment, status_of(conn, view, moment))
        if as_json:
            emit(shown)
        elif layout == "markdown":
            print_lines(markdown(conn, view, shown))
        else:
            print_lines(history_lines(view, shown))
