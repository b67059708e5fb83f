"""audit: verify, head, export and import of the ledger."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection, func, select

from events.errors import BadInput
from projections.queries import verify as ledger_audit
from projections.queries.export import export
from projections.tables.database import snapshot
from projections.tables.schema import ledger
from services.database import migrated
from services.log.local import LocalLog, LocalReader
from services.publish.restore import restore
from services.runtime.logging import configure
from services.settings import load_settings
from services.words.terms import safe
from services.workers.supervisor import loop_over

from .app import Json, app, closed_at_end, database
from .bar import bar
from .input_file import InFile, counted, input_file
from .output import FINDINGS, emit, fail, file_or_stdout, say, while_read

HASH = re.compile(r"[0-9a-fA-F]{64}")

audit_app = typer.Typer(
    help="The audit trail: check it, note its head, export its facts.",
    epilog="\b\nExample:\n  casetrail audit verify",
    no_args_is_help=True,
)
app.add_typer(audit_app, name="audit")


@audit_app.command(epilog="\b\nExamples:\n  casetrail audit verify\n  casetrail audit verify --head HASH --head HASH")
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="HASH", help="What `audit head` printed earlier and was kept elsewhere; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Walk the chain and the counts of every partition.

    The first bad position in each is named; exit 1 if there is one. A chain that was rewritten whole holds in itself:
    only a head kept elsewhere tells. Any earlier head will do.
    """
    for given in head or ():
        if not HASH.fullmatch(given):
            raise BadInput(f'"{given}" is not a hash', "64 hex digits, as `casetrail audit head` prints them", "--head")
    with snapshot(closed_at_end(migrated(load_settings()))) as conn, bar("Verifying", ledger_size(conn)) as advance:
        verdict = ledger_audit.verify(conn, head or [], advance)
    with while_read():
        if as_json:
            rows = [{"partition": partition, "rows": count} for partition, count in verdict.rows.items()]
            emit({"rows": rows, "findings": [finding._asdict() for finding in verdict.findings]})
        else:
            _print_verdict(verdict)
    if verdict.findings:
        raise typer.Exit(FINDINGS)


@audit_app.command(
    "head", epilog="\b\nExamples:\n  casetrail audit head\n  casetrail audit head --json > head-2026-01-31.json"
)
def show_head(as_json: Json = False) -> None:
    """
    Print each partition's last hash, for keeping elsewhere.

    Keep it where nobody who can write to the database can change it; `audit verify --head HASH` holds the chain to it.
    """
    with snapshot(closed_at_end(migrated(load_settings()))) as conn:
        heads = ledger_audit.heads(conn)
    if as_json:
        emit(heads)
        return
    for head in heads:
        print(f"{head['hash']}  partition {head['partition']}, row {head['seq']}, {head['recorded']}")
    if not heads:
        say("the ledger is empty")


@audit_app.command(
    "export",
    epilog="\b\nExamples:\n  casetrail audit export -o facts.ndjson\n  casetrail audit export | gzip > f.gz",
)
def export_facts(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if left out.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Duplicates, conflicts and what is parked too, for a restore that keeps them.")
    ] = False,
) -> None:
    """
    Write the applied facts as NDJSON, with their `recorded`. `publish`, `backtest` and `audit import` take it.

    Acknowledgements of alerts, dismissals of parked records and the rules once in force do not travel: to keep those,
    copy the database itself.
    """
    with (
        snapshot(closed_at_end(migrated(load_settings()))) as conn,
        file_or_stdout(output) as file,
        bar("Exporting", ledger_size(conn)) as advance,
    ):
        for line in export(conn, everything=everything):
            file.write(line + b"\n")
            advance(1)


@audit_app.command(
    "import",
    epilog="\b\nExamples:\n  casetrail init && casetrail audit import facts.ndjson\n"
    "  gunzip -c f.gz | casetrail audit import -",
)
def import_facts(source: InFile, as_json: Json = False) -> None:
    """
    Move an export into an empty database and project it. It restores one, or moves to another kind.

    Every `recorded` is kept, so that statuses, alerts and their lives come out as they were, under the rules now in
    force. All lines go in or, if one is bad, none. Acknowledgements, and dismissals of parked records, do not travel.
    """
    settings = load_settings()
    if settings.log != "local":
        raise BadInput("an import fills the log of the database itself", "CASETRAIL_LOG=local, or `casetrail publish`")
    configure(settings)
    engine = database(settings)
    with input_file(source) as lines, bar("Importing", None) as advance:
        try:
            count = restore(LocalLog(engine), counted(lines, advance), source, datetime.now(UTC))
        except BadInput as problem:
            fail(str(problem), FINDINGS)
    with bar("Projecting", count) as advance:
        (held,) = loop_over(settings, engine, LocalReader(engine)).drain(
            {0: count}, lambda reached: advance(reached, absolute=True)
        )
    if as_json:
        names = ("applied", "duplicate", "conflict", "parked")
        emit({"imported": count} | {name: getattr(held, name) for name in names})
    else:
        say(f"{count} records imported, {held.applied} facts applied, {held.parked} parked")


def ledger_size(conn: Connection) -> int:
    """Return the number of rows in the ledger."""
    return conn.scalar(select(func.count()).select_from(ledger)) or 0


def _print_verdict(verdict: ledger_audit.Verdict) -> None:
    for finding in verdict.findings:
        print(safe(finding))
    broken = {finding.partition for finding in verdict.findings}
    for partition, rows in verdict.rows.items():
        if partition not in broken:
            print(f"partition {partition}: {rows} rows, chain and counts hold")
    if not verdict.rows and not verdict.findings:
        print("the ledger is empty")
