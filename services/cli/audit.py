"""audit verify, head, export, import; rebuild; backtest."""

import codecs
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from sqlalchemy import Connection, func, select

from events.edtf import format_instant, parse_instant
from events.errors import BadInput
from projections.projector.backtest import backtest as replay
from projections.projector.rebuild import rebuild as conclude_again
from projections.queries import verify as ledger_audit
from projections.queries.export import export
from projections.rules.rulebook import load
from projections.tables.database import snapshot
from projections.tables.schema import ledger
from services.locallog import LocalLog
from services.localsource import LocalSource
from services.logs import configure
from services.restore import restore

from .app import (
    FINDINGS,
    Json,
    app,
    database,
    emit,
    fail,
    file_or_stdout,
    migrated,
    rulebook,
    say,
    settings,
    while_read,
)
from .differences import difference_words, plain
from .parts import loop_over
from .people import COLUMNS, cells
from .progress import Advance, bar
from .tables import show
from .wording import safe

HASH = re.compile(r"[0-9a-fA-F]{64}")

audit_app = typer.Typer(
    help="The audit trail: check it, note its head, export its facts.",
    epilog="\b\nExample:\n  casetrail audit verify",
    no_args_is_help=True,
)
app.add_typer(audit_app, name="audit")

InFile = Annotated[str, typer.Argument(metavar="FILE", help="A file of NDJSON, or - for standard input.")]


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
    with snapshot(migrated(settings())) as conn, bar("Verifying", _rows(conn)) as advance:
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
    with snapshot(migrated(settings())) as conn:
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
        snapshot(migrated(settings())) as conn,
        file_or_stdout(output) as file,
        bar("Exporting", _rows(conn)) as advance,
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
    chosen = settings()
    if chosen.log != "local":
        raise BadInput("an import fills the log of the database itself", "CASETRAIL_LOG=local, or `casetrail publish`")
    configure(chosen)
    engine = database(chosen)
    with _source(source) as lines, bar("Importing", None) as advance:
        try:
            count = restore(LocalLog(engine), _counted(lines, advance), source, datetime.now(UTC))
        except BadInput as problem:
            fail(str(problem), FINDINGS)
    with bar("Projecting", count) as advance:
        (held,) = loop_over(chosen, engine, LocalSource(engine)).drain(
            {0: count}, lambda reached: advance(reached, absolute=True)
        )
    if as_json:
        names = ("applied", "duplicate", "conflict", "parked")
        emit({"imported": count} | {name: getattr(held, name) for name in names})
    else:
        say(f"{count} records imported, {held.applied} facts applied, {held.parked} parked")


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
    chosen = settings()
    engine = migrated(chosen)
    with engine.connect() as conn:
        total = _rows(conn)
    with bar("Rebuilding", total) as advance:
        differences = conclude_again(
            engine,
            rulebook(chosen),
            lambda done: advance(done, absolute=True),
            exchange=not check,
            cache_facts=chosen.cache_facts,
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


@app.command(
    epilog="\b\nExamples:\n  casetrail backtest facts.ndjson --until 2024-01-01\n"
    "  casetrail backtest - --rules my-rules.yaml --json < facts.ndjson"
)
def backtest(
    source: InFile,
    until: Annotated[str | None, typer.Option(help="Where the clock stops: an instant or a day. Default: now.")] = None,
    rules: Annotated[
        Path | None, typer.Option(help="A rule file or folder, instead of those of CASETRAIL_RULES or the pack.")
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Replay facts in memory: what would have been known, and when. Shows statuses and the full life of every alert.

    No database is touched. A line's `recorded` says when it would have been known, else `published` does; an export of
    the audit carries when our log accepted each, which may be long after it was published.
    """
    stop = _instant(until, "--until") if until else datetime.now(UTC)
    book = load(rules) if rules else rulebook(settings())
    with _source(source) as lines, bar("Replaying", None) as advance:
        result = replay(lines, book, stop, advance)
    with while_read():
        if as_json:
            emit(result.report)
        else:
            _print_backtest(result.report)
    for line in result.bad:
        if line.problem:
            say(safe(line.problem.at(f"{source}:{line.number}")))
    if result.earliest_later is not None:
        after, earliest = format_instant(stop), format_instant(result.earliest_later)
        say(f"not read: {result.later} recorded after {after}, the earliest at {earliest}")
    if result.bad:
        raise typer.Exit(FINDINGS)


def _rows(conn: Connection) -> int:
    return conn.scalar(select(func.count()).select_from(ledger)) or 0


def _counted(lines: Iterator[bytes], advance: Advance) -> Iterator[bytes]:
    for line in lines:
        yield line
        advance(1)


@contextmanager
def _source(name: str) -> Iterator[Iterator[bytes]]:
    """Open a file of lines, or standard input; a byte order mark at its start is passed over."""
    if name == "-":
        yield _unmarked(sys.stdin.buffer)
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - what follows is not to be caught
    except OSError as problem:
        raise BadInput(problem.strerror or str(problem), "a file of NDJSON, or -", name) from None
    with file:
        yield _unmarked(file)


def _unmarked(file: BinaryIO) -> Iterator[bytes]:
    yield file.readline().removeprefix(codecs.BOM_UTF8)
    yield from file


def _instant(text: str, option: str) -> datetime:
    try:
        return parse_instant(text)
    except BadInput as problem:
        raise problem.at(option) from None


def _print_verdict(verdict: ledger_audit.Verdict) -> None:
    for finding in verdict.findings:
        print(safe(finding))
    broken = {finding.partition for finding in verdict.findings}
    for partition, rows in verdict.rows.items():
        if partition not in broken:
            print(f"partition {partition}: {rows} rows, chain and counts hold")
    if not verdict.rows and not verdict.findings:
        print("the ledger is empty")


def _print_backtest(report: dict[str, Any]) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in report["counts"].items())
    print(f"Until {report['until']}: {counts}\n")
    show(COLUMNS, map(cells, report["subjects"]))
    for alert in report["alerts"]:
        print("\n" + safe(f"{alert['rule']} ({alert['severity']}): {alert['explanation']}"))
        for step in alert["life"]:
            fact = f" ({step['fact_id']})" if step["fact_id"] else ""
            print(safe(f"  {step['at']}  {step['state']}: {step['cause']}{fact}"))
