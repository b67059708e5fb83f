"""rebuild: all statuses and alerts again from the ledger."""

from typing import Annotated

import typer

from projections.projector.rebuild import rebuild as conclude_again
from services.database import migrated
from services.settings import load_rules, load_settings
from services.words.differences import difference_words, plain

from .app import Json, app, closed_at_end
from .audit import ledger_size
from .bar import bar
from .output import FINDINGS, emit, say, while_read


@app.command(epilog="\b\nExamples:\n  casetrail rebuild\n  casetrail rebuild --check --json")
def rebuild(
    check: Annotated[
        bool, typer.Option("--check", help="Only compare: exit 1 if a row came out otherwise, and change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """
    Conclude everything again from the first record. Each row that came out otherwise is listed and put in place.

    Projectors may go on meanwhile. Nothing is sent twice. One that was interrupted is taken up where it stopped.
    """
    settings = load_settings()
    engine = closed_at_end(migrated(settings))
    with engine.connect() as conn:
        total = ledger_size(conn)
    with bar("Rebuilding", total) as advance:
        differences = conclude_again(
            engine,
            load_rules(settings),
            lambda done: advance(done, absolute=True),
            exchange=not check,
            cache_facts=settings.cache_facts,
        )
    with while_read():
        if as_json:
            emit([plain(difference._asdict()) for difference in differences])
        else:
            for difference in differences:
                print(difference_words(difference))
    if not as_json:
        say(f"{len(differences)} rows came out otherwise" if differences else "every row is as before")
    if check and differences:
        raise typer.Exit(FINDINGS)
