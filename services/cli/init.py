"""init: create the database, or migrate it to this release."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

from sqlalchemy import Engine, func, select
from typing_extensions import TypedDict

from events.errors import Infrastructure
from projections.projector.rebuild import Difference, is_due, rebuild
from projections.tables.database import open_database
from projections.tables.ledger_rows import ledger_size
from projections.tables.schema import LIVE
from services.database import migrate, revisions
from services.settings import Settings, load_rules, load_settings, without_secrets
from services.words.differences import DifferenceJson, difference_json, difference_words

from .app import app, closed_at_end
from .bar import bar
from .options import JsonOption
from .output import emit, print_lines, say

LOCK = 0x636F6E636C  # "concl": any number that no other program takes as a lock in the same database


class InitJson(TypedDict):
    """
    The result of `init`.

    `before` is null for a new database. `concluded` is the number of people with recomputed statuses, and `alerts` are
    the alerts that differ.
    """

    database: str
    before: str | None
    after: str
    concluded: int
    alerts: list[DifferenceJson]


@app.command("init", epilog="\b\nExample:\n  casetrail init")
def init(as_json: JsonOption = False) -> None:
    """
    Create the database, or migrate it to this release's schema. Safe to repeat.

    If an earlier release kept the statuses in other tables, they are recomputed from the ledger. Each alert that is
    then new, missing or in another state is listed, so that you can inform the people that received it.
    """
    settings = load_settings()
    engine = closed_at_end(open_database(settings.database_url))
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    if file and not Path(file).absolute().parent.is_dir():
        raise Infrastructure(f"the folder of {file} is missing", "create it, or set CASETRAIL_DATABASE_URL")
    before, wanted = revisions(engine)
    migrate(engine)
    alerts, people = _recompute(engine, settings) if is_due(engine) else (None, 0)
    shown = file or without_secrets(settings.database_url)
    if as_json:
        result: InitJson = {
            "database": shown,
            "before": before,
            "after": wanted,
            "concluded": people,
            "alerts": [difference_json(alert) for alert in alerts or ()],
        }
        emit(result)
        return
    if before == wanted:
        say(f"{shown} has schema {wanted} already")
    else:
        say(f"{shown}: migrated from schema {before} to {wanted}" if before else f"{shown}: created, schema {wanted}")
    if alerts is not None:
        print_lines(map(difference_words, alerts))
        say(f"{shown}: statuses of {people} people recomputed from the ledger, {len(alerts)} alerts differ")


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """
    Wait until no other process rebuilds the statuses, and lock others out while the block runs.

    Several containers may start at once, each with its init. A second rebuild would take over from the first, and the
    first would fail.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect() as conn:
            conn.execute(select(func.pg_advisory_lock(LOCK)))
            # The session holds the lock. An open transaction would keep PostgreSQL from vacuuming.
            conn.commit()
            yield
            conn.execute(select(func.pg_advisory_unlock(LOCK)))
        return
    # Not the database's own file: closing it would release the locks that SQLite holds on it.
    folder = os.open(Path(engine.url.database or ".").absolute().parent, os.O_RDONLY)
    try:
        flock(folder, LOCK_EX)
        yield
    finally:
        os.close(folder)


def _recompute(engine: Engine, settings: Settings) -> tuple[list[Difference] | None, int]:
    """
    Recompute all statuses and alerts, unless another process has done so meanwhile.

    Returns:
        the alerts that are new, missing or in another state (None: another process did it), and the number of people.
    """
    with _alone(engine):
        if not is_due(engine):
            return None, 0
        with engine.connect() as conn:
            total = ledger_size(conn)
        with bar("Recomputing", total) as advance:
            differences = rebuild(
                engine,
                load_rules(settings),
                lambda done: advance(done, absolute=True),
                cache_facts=settings.cache_facts,
            )
    with engine.connect() as conn:
        people = conn.scalar(select(func.count()).select_from(LIVE.subjects)) or 0
    alerts = [row for row in differences if row.table == LIVE.alerts.name]
    return [row for row in alerts if not row.before or not row.after or "state" in row.after], people
