"""audit: verify, head, export and import of the ledger."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from typing_extensions import TypedDict

from events.errors import BadInput
from projections.queries import verify as ledger_audit
from projections.queries.export import export
from projections.tables.checkpoint import Checkpoint
from projections.tables.database import snapshot
from projections.tables.ledger_rows import ledger_size
from services.database import migrated
from services.log.local import LocalLog, LocalReader
from services.log.open import uses_kafka
from services.publish.restore import restore
from services.runtime.logging import configure
from services.settings import load_settings
from services.words.terms import safe
from services.workers.supervisor import make_loop

from .app import app, closed_at_end, database
from .bar import bar
from .input_file import InputFile, counted, input_file
from .options import JsonOption
from .output import FINDINGS, emit, fail, file_or_stdout, ignoring_closed_pipe, say

HASH = re.compile(r"[0-9a-fA-F]{64}")

audit_app = typer.Typer(
    help="The audit trail: verify, head, export or import.",
    epilog="\b\nExample:\n  casetrail audit verify",
    no_args_is_help=True,
)
app.add_typer(audit_app, name="audit")


class ImportedJson(TypedDict):
    """The number of records that were imported, and the number with each outcome."""

    imported: int
    applied: int
    duplicate: int
    conflict: int
    parked: int


@audit_app.command(epilog="\b\nExamples:\n  casetrail audit verify\n  casetrail audit verify --head HASH --head HASH")
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="HASH", help="A hash that `audit head` printed earlier; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Verify the chain and the counts of every partition.

    The first bad position in each partition is named, and the exit code is then 1. A chain that was rewritten from
    the beginning is consistent: only a head that was kept elsewhere reveals the change. Any earlier head will do.
    """
    for text in head or ():
        if not HASH.fullmatch(text):
            raise BadInput(f'"{text}" is not a hash', "64 hex digits, as `casetrail audit head` prints them", "--head")
    with snapshot(closed_at_end(migrated(load_settings()))) as conn, bar("Verifying", ledger_size(conn)) as advance:
        verdict = ledger_audit.verify(conn, head or [], advance)
    with ignoring_closed_pipe():
        if as_json:
            emit(ledger_audit.verdict_json(verdict))
        else:
            _print_verdict(verdict)
    if verdict.findings:
        raise typer.Exit(FINDINGS)


@audit_app.command(
    "head", epilog="\b\nExamples:\n  casetrail audit head\n  casetrail audit head --json > head-2026-01-31.json"
)
def show_head(as_json: JsonOption = False) -> None:
    """
    Print the last hash of each partition, to keep it elsewhere.

    Keep it in a place that people with write access to the database cannot change. `audit verify --head HASH` checks
    the chain against it.
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
        Path | None, typer.Option("--output", "-o", help="The file to write; the default is standard output.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Include duplicates, conflicts and parked records; an import restores them.")
    ] = False,
) -> None:
    """
    Write the applied facts as NDJSON, with their `recorded`. `publish`, `backtest` and `audit import` can read it.

    Acknowledgements of alerts, dismissals of parked records and the history of the rules are not exported. To keep
    those, copy the database itself.
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
def import_facts(source: InputFile, as_json: JsonOption = False) -> None:
    """
    Import an export into an empty database and project it. The new database may be of another kind.

    Every `recorded` is kept, so that statuses, alerts and their lives are as before, under the rules now in force.
    All lines are imported or, if one is bad, none. Acknowledgements and dismissals of parked records are not imported.
    """
    settings = load_settings()
    if uses_kafka(settings):
        raise BadInput("an import writes to the log in the database", "CASETRAIL_LOG=local, or `casetrail publish`")
    configure(settings)
    engine = database(settings)
    with input_file(source) as lines, bar("Importing", None) as advance:
        try:
            count = restore(LocalLog(engine), counted(lines, advance), source, datetime.now(UTC))
        except BadInput as problem:
            fail(str(problem), FINDINGS)
    with bar("Projecting", count) as advance:
        (checkpoint,) = make_loop(settings, engine, LocalReader(engine)).drain(
            {0: count}, lambda reached: advance(reached, absolute=True)
        )
    if as_json:
        emit(_imported_json(count, checkpoint))
    else:
        say(f"{count} records imported, {checkpoint.applied} facts applied, {checkpoint.parked} parked")


def _imported_json(count: int, checkpoint: Checkpoint) -> ImportedJson:
    return {
        "imported": count,
        "applied": checkpoint.applied,
        "duplicate": checkpoint.duplicate,
        "conflict": checkpoint.conflict,
        "parked": checkpoint.parked,
    }


def _print_verdict(verdict: ledger_audit.Verdict) -> None:
    for finding in verdict.findings:
        print(safe(finding))
    broken = {finding.partition for finding in verdict.findings}
    for partition, rows in verdict.rows.items():
        if partition not in broken:
            print(f"partition {partition}: {rows} rows, chain and counts verified")
    if not verdict.rows and not verdict.findings:
        print("the ledger is empty")
