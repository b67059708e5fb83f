"""audit verify, head, export, import; rebuild; backtest."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.table import Table
from sqlalchemy import func, select

from events.edtf import format_instant, parse_instant
from events.errors import BadInput
from projections import audit as ledger_audit
from projections.backtest import backtest as replay
from projections.database import snapshot
from projections.projector import Projector
from projections.rebuild import Difference, rebuild as conclude_again
from projections.rulebook import load, pack
from projections.tables import ledger

from ..locallog import LocalLog
from ..loop import Loop
from ..restore import restore
from .app import (
    FINDINGS,
    Json,
    app,
    console,
    database,
    emit,
    rulebook,
    say,
    settings,
)
from .progress import bar

audit_app = typer.Typer(
    help="The audit trail: hold it against itself, note its head, carry its facts elsewhere.", no_args_is_help=True
)
app.add_typer(audit_app, name="audit")

InFile = Annotated[str, typer.Argument(metavar="FILE", help="A file of NDJSON, or - for standard input.")]


@audit_app.command(epilog="Example: casetrail audit verify --head 6f1e...")
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(help="A hash that `audit head` printed earlier and that was kept elsewhere; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Walk the chain and the counts of every partition; name the first bad position; exit 1 if there is one."""
    engine = database(settings())
    with snapshot(engine) as conn, bar("Verifying", conn.scalar(select(func.count()).select_from(ledger))) as advance:
        verdict = ledger_audit.verify(conn, head or [], advance)
    if as_json:
        emit({"rows": verdict.rows, "findings": [finding._asdict() for finding in verdict.findings]})
    else:
        for finding in verdict.findings:
            print(_worded(finding))
        if not verdict.findings:
            for partition, rows in verdict.rows.items():
                print(f"partition {partition}: {rows} rows, chain and counts hold")
    if verdict.findings:
        raise typer.Exit(FINDINGS)


@audit_app.command("head", epilog="Example: casetrail audit head --json > head-2026-01-31.json")
def show_head(as_json: Json = False) -> None:
    """Print each partition's last hash, for keeping where nobody can change it."""
    with database(settings()).connect() as conn:
        heads = ledger_audit.heads(conn)
    if as_json:
        emit(heads)
        return
    for head in heads:
        print(f"{head['hash']}  partition {head['partition']}, row {head['seq']}, {head['recorded']}")


@audit_app.command("export", epilog="Example: casetrail audit export -o facts.ndjson")
def export_facts(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if left out.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The other outcomes too, each with its reason.")] = False,
) -> None:
    """Write the applied facts as NDJSON that `publish`, `backtest` and `audit import` take, with their `recorded`."""
    engine = database(settings())
    with snapshot(engine) as conn, _sink(output) as sink:
        with bar("Exporting", conn.scalar(select(func.count()).select_from(ledger))) as advance:
            for line in ledger_audit.export(conn, everything=everything):
                sink.write(line + b"\n")
                advance(1)


@audit_app.command("import", epilog="Example: casetrail init && casetrail audit import facts.ndjson")
def import_facts(source: InFile, as_json: Json = False) -> None:
    """Move an export into an empty database and project it, every `recorded` kept: a restore, or a change of database."""
    chosen = settings()
    engine, rules = database(chosen), rulebook(chosen)
    with _source(source) as lines:
        count = restore(engine, lines, source)
    loop = Loop(
        Projector(engine, rules, cache_facts=chosen.cache_facts),
        LocalLog(engine),
        batch_records=chosen.batch_records,
        clock_margin_seconds=chosen.clock_margin_seconds,
    )
    with bar("Projecting", count) as advance:
        held = loop.drain(lambda held: advance(held.position, absolute=True))
    if as_json:
        emit({"imported": count, "applied": held.applied, "parked": held.parked})
    else:
        say(f"{count} records imported, {held.applied} facts applied, {held.parked} parked")


@app.command(epilog="Example: casetrail rebuild --check")
def rebuild(
    check: Annotated[
        bool, typer.Option("--check", help="Compare only: exit 1 if a row came out otherwise, and change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Conclude everything again from the first record; list each row that came out otherwise and put it in place."""
    chosen = settings()
    engine = database(chosen)
    with engine.connect() as conn:
        total = conn.scalar(select(func.count()).select_from(ledger))
    with bar("Rebuilding", total) as advance:
        differences = conclude_again(
            engine, rulebook(chosen), lambda done, _: advance(done, absolute=True), exchange=not check
        )
    if as_json:
        emit([_plain(difference._asdict()) for difference in differences])
    else:
        for difference in differences:
            print(_told(difference))
        say(f"{len(differences)} rows came out otherwise" if differences else "every row is as before")
    if check and differences:
        raise typer.Exit(FINDINGS)


@app.command(epilog="Example: casetrail backtest facts.ndjson --until 2024-01-01 --json")
def backtest(
    source: InFile,
    until: Annotated[str | None, typer.Option(help="Where the clock stops: an instant or a day. Default: now.")] = None,
    rules: Annotated[Path | None, typer.Option(help="A rule file or folder, instead of the rules that ship.")] = None,
    as_json: Json = False,
) -> None:
    """
    Replay facts in memory and show the statuses and the full life of every alert: what would have been known, and when.

    No database is touched. A line's `recorded` says when it would have been known, else `published` does.
    """
    stop = _instant(until, "--until") if until else datetime.now(UTC)
    book = load(rules) if rules else pack()
    with _source(source) as lines:
        result = replay(lines, book, stop)
    if as_json:
        emit(result.report)
    else:
        _print_backtest(result.report)
    for line in result.bad:
        say(str(line.problem.at(f"{source}:{line.number}")) if line.problem else "")
    if result.bad:
        raise typer.Exit(FINDINGS)


@contextmanager
def _source(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")
    except OSError as problem:
        raise BadInput(problem.strerror or str(problem), "a file of NDJSON, or -", name) from None
    with file:
        yield file


@contextmanager
def _sink(path: Path | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        file = path.open("wb")
    except OSError as problem:
        raise BadInput(problem.strerror or str(problem), "a file that can be written", str(path)) from None
    with file:
        yield file


def _instant(text: str, option: str) -> datetime:
    try:
        return parse_instant(text)
    except BadInput as problem:
        raise problem.at(option) from None


def _worded(finding: ledger_audit.Finding) -> str:
    row = f", row {finding.seq}" if finding.seq is not None else ""
    offset = f" (offset {finding.offset})" if finding.offset is not None else ""
    return f"partition {finding.partition}{row}{offset}: {finding.what}"


def _told(difference: Difference) -> str:
    key = " ".join(str(value) for value in difference.key.values())
    if difference.before is None:
        return f"{difference.table} {key}: new"
    if difference.after is None:
        return f"{difference.table} {key}: gone"
    changes = (f"{name} {old} -> {difference.after[name]}" for name, old in difference.before.items())
    return f"{difference.table} {key}: {', '.join(changes)}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value, with instants in it
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return format_instant(value) if isinstance(value, datetime) else value


def _print_backtest(report: dict[str, Any]) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in report["counts"].items())
    print(f"Until {report['until']}: {counts}\n")
    people = Table("subject", "name", "headline", "service", "custody", "stage", "presumption", box=None)
    for subject in report["subjects"]:
        stage = subject["stage"]["status"] if subject["stage"] else ""
        words = (subject["service"]["status"], subject["custody"]["status"], stage, subject["presumption"])
        people.add_row(subject["subject_id"], subject["name"] or "", subject["headline"], *words)
    console().print(people)
    for alert in report["alerts"]:
        print(f"\n{alert['rule']} ({alert['severity']}): {alert['explanation']}")
        for step in alert["life"]:
            fact = f" ({step['fact_id']})" if step["fact_id"] else ""
            print(f"  {step['at']}  {step['state']}: {step['cause']}{fact}")
