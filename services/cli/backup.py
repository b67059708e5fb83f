"""backup: a copy of a live SQLite database."""

import sqlite3
from pathlib import Path
from typing import Annotated

import typer

from events.errors import Infrastructure
from services.database import existing
from services.operate.backup import Copy, back_up
from services.settings import load_settings
from services.words.terms import safe

from .app import Json, app, closed_at_end
from .bar import bar
from .output import FINDINGS, emit, fail, say


@app.command(
    "backup",
    epilog="\b\nExamples:\n  casetrail backup copy-2026-01-31.db\n  casetrail backup /mnt/backups/casetrail.db --json",
)
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy. It must not exist.")], as_json: Json = False
) -> None:
    """
    Copy the SQLite database to FILE, while the service goes on.

    FILE gets its name after the copy was checked: it opens, and its chain verifies. Exit 1 if it does not; then there
    is no FILE. A database of PostgreSQL is copied by pg_dump.
    """
    engine = closed_at_end(existing(load_settings()))
    with bar("Copying", 100) as advance:
        try:
            copy = back_up(engine, file, lambda share: advance(round(100 * share), absolute=True))
        except sqlite3.Error as problem:
            raise Infrastructure(f"{file}: {problem}") from None
    if as_json:
        emit(_plain(copy))
    if copy.findings:
        fail(
            f"the copy does not hold and was removed: {'; '.join(map(safe, copy.findings))} (`casetrail audit verify`)",
            FINDINGS,
        )
    if copy.rows is None:
        say("the database's schema is another release's: the copy opens, and its chain was not walked")
    if not as_json:
        rows = sum((copy.rows or {}).values())
        say(f"{copy.file}: {copy.size} bytes" + (f", {rows} rows of the ledger, chain and counts hold" if rows else ""))


def _plain(copy: Copy) -> dict[str, object]:
    rows = None if copy.rows is None else [{"partition": number, "rows": rows} for number, rows in copy.rows.items()]
    return {
        "file": None if copy.findings else str(copy.file),
        "bytes": copy.size,
        "rows": rows,
        "findings": [finding._asdict() for finding in copy.findings],
    }
