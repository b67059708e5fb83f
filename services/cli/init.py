"""init: make the database, or bring it to this release."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

from sqlalchemy import Engine, func, select

from events.errors import Infrastructure
from projections.projector.rebuild import Difference, is_due, rebuild
from projections.tables.database import open_database
from projections.tables.schema import LIVE, ledger
from services.database import migrate, revisions
from services.settings import Settings, load_rules, load_settings, without_secrets
from services.words.differences import difference_words, plain

from .app import Json, app, closed_at_end
from .bar import bar
from .output import emit, lines, say

LOCK = 0x636F6E636C  # "concl": any number that no other program takes as a lock in the same database


@app.command("init", epilog="\b\nExample:\n  casetrail init")
def init(as_json: Json = False) -> None:
    """
    Create the database, or bring it to this release's schema. Safe to repeat.

    Where an earlier release kept the statuses in other tables, they are concluded again from the ledger. Each alert
    that is new, is gone or has another state by that is listed, so that somebody can tell those who were told of it.
    """
    settings = load_settings()
    engine = closed_at_end(open_database(settings.database_url))
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    if file and not Path(file).absolute().parent.is_dir():
        msg = f"the folder of {file} is missing (make it, or set CASETRAIL_DATABASE_URL)"
        raise Infrastructure(msg)
    before, wanted = revisions(engine)
    migrate(engine)
    alerts, people = _concluded(engine, settings) if is_due(engine) else (None, 0)
    shown = file or without_secrets(settings.database_url)
    if as_json:
        emit(
            {
                "database": shown,
                "before": before,
                "after": wanted,
                "concluded": people,
                "alerts": [plain(each._asdict()) for each in alerts or ()],
            }
        )
        return
    if before == wanted:
        say(f"{shown} is at schema {wanted} already")
    else:
        say(f"{shown}: brought from schema {before} to {wanted}" if before else f"{shown}: created, schema {wanted}")
    if alerts is not None:
        lines(map(difference_words, alerts))
        say(f"{shown}: statuses of {people} people concluded again from the ledger, {len(alerts)} alerts differ")


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """
    Wait until no other process concludes everything again, and keep others out while the block runs.

    Several containers start at once, each with its init. A second rebuild would take over from the first, which fails.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect() as conn:
            conn.execute(select(func.pg_advisory_lock(LOCK)))
            # The lock is the session's: held without a transaction, in which nothing could be vacuumed.
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


def _concluded(engine: Engine, settings: Settings) -> tuple[list[Difference] | None, int]:
    """
    Conclude everything again, unless another process has done so meanwhile.

    Returns:
        the alerts that are new, are gone or have another state (None: another process did it), and how many people
        there are.
    """
    with _alone(engine):
        if not is_due(engine):
            return None, 0
        with engine.connect() as conn:
            total = conn.scalar(select(func.count()).select_from(ledger))
        with bar("Concluding", total) as advance:
            differences = rebuild(
                engine,
                load_rules(settings),
                lambda done: advance(done, absolute=True),
                cache_facts=settings.cache_facts,
            )
    with engine.connect() as conn:
        people = conn.scalar(select(func.count()).select_from(LIVE.subjects)) or 0
    alerts = [each for each in differences if each.table == LIVE.alerts.name]
    return [each for each in alerts if not each.before or not each.after or "state" in each.after], people
