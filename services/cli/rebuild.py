"""rebuild: all statuses and alerts, recomputed from the ledger."""

from typing import Annotated

import typer

from projections.projector.rebuild import rebuild as recompute
from projections.tables.ledger_rows import ledger_size
from services.database import migrated
from services.settings import load_rules, load_settings
from services.words.differences import difference_json, difference_words

from .app import app, closed_at_end
from .bar import bar
from .options import JsonOption
from .output import FINDINGS, emit, ignoring_closed_pipe, print_lines, say


@app.command(epilog="\b\nExamples:\n  casetrail rebuild\n  casetrail rebuild --check --json")
def rebuild(
    check: Annotated[
        bool, typer.Option("--check", help="Only compare, and change nothing. Exit 1 if a row differs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """
    Recompute all statuses and alerts from the ledger. Lists each row that differs, then replaces it.

    Projectors may run at the same time. No notice is sent twice. An interrupted rebuild continues at the same place.
    """
    settings = load_settings()
    engine = closed_at_end(migrated(settings))
    with engine.connect() as conn:
        total = ledger_size(conn)
    with bar("Rebuilding", total) as advance:
        differences = recompute(
            engine,
            load_rules(settings),
            lambda done: advance(done, absolute=True),
            exchange=not check,
            cache_facts=settings.cache_facts,
        )
    with ignoring_closed_pipe():
        if as_json:
            emit([difference_json(difference) for difference in differences])
        else:
            print_lines(map(difference_words, differences))
    if not as_json:
        say(f"{len(differences)} rows differ" if differences else "no row differs")
    if check and differences:
        raise typer.Exit(FINDINGS)
