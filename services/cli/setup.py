"""init: make the database, or bring it to this release."""

from pathlib import Path

from sqlalchemy import Engine, func, select

from events.errors import Infrastructure
from projections.rebuild import is_due, rebuild
from projections.tables import LIVE, ledger
from services.migrate import migrate, revisions
from services.settings import Settings, without_secrets

from .app import Json, app, emit, opened_database, rulebook, say, settings
from .progress import bar


@app.command("init", epilog="\b\nExample:\n  casetrail init")
def init(as_json: Json = False) -> None:
    """
    Create the database, or bring it to this release's schema. Safe to repeat.

    Where an earlier release kept the statuses in other tables, they are concluded again from the ledger.
    """
    chosen = settings()
    engine = opened_database(chosen.database_url)
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    if file and not Path(file).absolute().parent.is_dir():
        msg = f"the folder of {file} is missing (make it, or set CASETRAIL_DATABASE_URL)"
        raise Infrastructure(msg)
    before, wanted = revisions(engine)
    migrate(engine)
    people = _conclude(engine, chosen) if is_due(engine) else 0
    shown = file or without_secrets(chosen.database_url)
    if as_json:
        emit({"database": shown, "before": before, "after": wanted, "concluded": people})
        return
    if before == wanted:
        say(f"{shown} is at schema {wanted} already")
    else:
        say(f"{shown}: brought from schema {before} to {wanted}" if before else f"{shown}: created, schema {wanted}")
    if people:
        say(f"{shown}: statuses and alerts of {people} people concluded again from the ledger")


def _conclude(engine: Engine, chosen: Settings) -> int:
    """Conclude everything again; return the number of people."""
    with engine.connect() as conn:
        total = conn.scalar(select(func.count()).select_from(ledger))
    with bar("Concluding", total) as advance:
        rebuild(engine, rulebook(chosen), lambda done: advance(done, absolute=True), cache_facts=chosen.cache_facts)
    with engine.connect() as conn:
        return conn.scalar(select(func.count()).select_from(LIVE.subjects)) or 0
