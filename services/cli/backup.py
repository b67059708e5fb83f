"""backup: a copy of a live SQLite database."""

import sqlite3
from pathlib import Path
from typing import Annotated

import typer
from typing_extensions import TypedDict

from events.errors import Infrastructure
from projections.queries.verify import CheckedRowsJson, FindingJson, Verdict, verdict_json
from services.database import existing
from services.operate.backup import Copy, back_up
from services.settings import load_settings
from services.words.terms import safe

from .app import app, closed_at_end
from .bar import bar
from .options import JsonOption
from .output import FINDINGS, emit, fail, say


class CopyJson(TypedDict):
    """
    A copy of the database.

    `file` is null if the copy was removed, and `rows` is null if its chain was not verified.
    """

    file: str | None
    bytes: int
    rows: list[CheckedRowsJson] | None
    findings: list[FindingJson]


@app.command(
    "backup",
    epilog="\b\nExamples:\n  casetrail backup copy-2026-01-31.db\n  casetrail backup /mnt/backups/casetrail.db --json",
)
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy. It must not exist yet.")],
    as_json: JsonOption = False,
) -> None:
    """
    Copy the SQLite database to FILE, while the service runs.

    The copy gets its name after a check: it opens, and its chain verifies. If the check fails, FILE is not made, and
    the exit code is 1. To copy a database of PostgreSQL, use pg_dump.
    """
    engine = closed_at_end(existing(load_settings()))
    with bar("Copying", 100) as advance:
        try:
            copy = back_up(engine, file, lambda share: advance(round(100 * share), absolute=True))
        except sqlite3.Error as problem:
            raise Infrastructure(str(problem), where=str(file)) from None
    if as_json:
        emit(_copy_json(copy))
    if copy.findings:
        findings = "; ".join(map(safe, copy.findings))
        fail(f"the copy did not pass its check and was removed: {findings} (`casetrail audit verify`)", FINDINGS)
    if copy.rows is None:
        say("the schema is of another release: the copy opens, and its chain was not verified")
    if not as_json:
        rows = sum((copy.rows or {}).values())
        verified = f", {rows} rows of the ledger, chain and counts verified" if rows else ""
        say(f"{copy.file}: {copy.size} bytes{verified}")


def _copy_json(copy: Copy) -> CopyJson:
    verdict = verdict_json(Verdict(copy.rows or {}, copy.findings))
    return {
        "file": None if copy.findings else str(copy.file),
        "bytes": copy.size,
        "rows": None if copy.rows is None else verdict["rows"],
        "findings": verdict["findings"],
    }
