"""parked: the records that could not be read as facts, and their replay or dismissal."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from events.errors import BadInput
from events.text import printable_bytes
from projections.queries.rejected import (
    Parked,
    Position,
    ReplayedJson,
    full_parked_json,
    parked,
    parked_json,
    replayed_json,
)
from projections.tables.database import snapshot
from services.log.open import side_writer
from services.settings import load_settings
from services.words.terms import safe

from .app import app, database
from .layout import Column, show
from .options import JsonOption
from .output import FINDINGS, emit, emit_array, fail, ignoring_closed_pipe, print_lines, say

COLUMNS = (
    Column("position", 0),
    Column("recorded", 5, below=True),
    Column("code", 2),
    Column("key", 3, below=True),
    Column("reason", 1, least=24),
    Column("bytes", 6),
    Column("beginning", 4, below=True, least=24),
)
AT_ONCE = 500
"""The most records that are replayed in one transaction."""

parked_app = typer.Typer(
    epilog="\b\nExample:\n  casetrail parked list",
)
app.add_typer(parked_app, name="parked")

Dismissed = Annotated[bool, typer.Option("--all", help="Include dismissed records.")]
At = Annotated[str, typer.Argument(metavar="POSITION", help="PARTITION:OFFSET, such as 0:17.")]


@parked_app.callback(invoke_without_command=True, epilog="\b\nExample:\n  casetrail parked")
def parked_records(context: typer.Context, everything: Dismissed = False, as_json: JsonOption = False) -> None:
    """
    List the records that could not be read as facts.

    Each has the reason. Show, replay or dismiss them.
    """
    if context.invoked_subcommand is None:
        list_parked(everything=everything, as_json=as_json)


@parked_app.command("list", epilog="\b\nExample:\n  casetrail parked list --json")
def list_parked(everything: Dismissed = False, as_json: JsonOption = False) -> None:
    """List the parked records, each with the reason."""
    with snapshot(database(load_settings())) as conn:
        records = parked(conn, dismissed=everything)
        if as_json:
            emit_array(parked_json(record) for record in records)
            return
        listed = show(COLUMNS, map(_cells, records))
    if not listed:
        say("no record is parked" if everything else "no record is parked (--all includes dismissed records)")


@parked_app.command("show", epilog="\b\nExamples:\n  casetrail parked show 0:17\n  casetrail parked show 0:17 --raw")
def show_parked(
    position: At,
    raw: Annotated[bool, typer.Option("--raw", help="Write the record's exact bytes and nothing else.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one parked record: the reason, and its bytes."""
    (record,) = _parked_at(database(load_settings()), [_position(position)], dismissed=True)
    if raw:
        sys.stdout.buffer.write(record.value or b"")
        sys.stdout.buffer.flush()
    elif as_json:
        emit(full_parked_json(record))
    else:
        print(f"position {record.position}, recorded {record.recorded}, row {record.seq} of the ledger")
        print(f"reason: {record.code}: {safe(record.reason)}")
        if record.dismissed is not None:
            print(f"dismissed: {safe(record.dismissed)}")
        if record.key is not None:
            print(f"key: {printable_bytes(record.key)}")
        print_lines(f"header {safe(name)}: {_header(value)}" for name, value in record.headers or ())
        print(f"{len(record.value or b'')} bytes:")
        print(printable_bytes(record.value or b""))


@parked_app.command(
    "replay", epilog="\b\nExamples:\n  casetrail parked replay 0:17 0:18\n  casetrail parked replay --all"
)
def replay(
    positions: Annotated[
        list[str] | None, typer.Argument(metavar="[POSITION...]", help="Positions PARTITION:OFFSET, such as 0:17.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All parked records that are not dismissed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read parked records again with this release. Exit 1 if a record stays parked."""
    if not positions and not everything:
        raise BadInput("no record is named", "positions such as 0:17, or --all")
    if positions and everything:
        raise BadInput("both positions and --all", "one of the two")
    engine = database(load_settings())
    if everything:
        with snapshot(engine) as conn:
            records = list(parked(conn))
    else:
        records = _parked_at(engine, [_position(text) for text in positions or ()], dismissed=True)
    results = [result for batch in _batches(records) for result in _replay(engine, batch)]
    with ignoring_closed_pipe():
        if as_json:
            emit(results)
        else:
            print_lines(map(_replay_words, results))
    if any(result["outcome"] == "parked" for result in results):
        raise typer.Exit(FINDINGS)


@parked_app.command("dismiss", epilog='\b\nExample:\n  casetrail parked dismiss 0:17 --reason "only a test"')
def dismiss(position: At, reason: Annotated[str, typer.Option(help="The reason of the dismissal.")]) -> None:
    """Mark a parked record as settled. It is kept, and no longer listed by default."""
    if not reason.strip():
        raise BadInput("the reason is empty", "the reason of the dismissal", "--reason")
    engine = database(load_settings())
    (record,) = _parked_at(engine, [_position(position)], dismissed=False)
    side_writer(engine, record.position.partition).dismiss(record.seq, reason, datetime.now(UTC))
    say(f"{record.position} dismissed")


def _cells(record: Parked) -> Iterable[Any]:
    row = parked_json(record)
    yield record.position
    yield record.recorded
    yield record.code
    yield row["key"] or ""
    yield record.reason if record.dismissed is None else f"{record.reason} [dismissed: {record.dismissed}]"
    yield row["size"]
    yield row["preview"]


def _header(value: Any) -> str:  # noqa: ANN401 - as a record keeps it
    if value is None:
        return "(no value)"
    return printable_bytes((value if isinstance(value, str) else json.dumps(value)).encode())


def _position(text: str) -> Position:
    try:
        partition, offset = map(int, text.split(":"))
    except ValueError:
        raise BadInput(f'"{safe(text)}" is not a position', "PARTITION:OFFSET, such as 0:17") from None
    return Position(partition, offset)


def _parked_at(engine: Engine, positions: Sequence[Position], *, dismissed: bool) -> list[Parked]:
    """Return the records parked at *positions*. If there is none at one of them, end with exit code 1."""
    with snapshot(engine) as conn:
        records = {record.position: record for record in parked(conn, dismissed=dismissed, positions=positions)}
    for position in positions:
        if position not in records:
            also = "" if dismissed else ", or was dismissed"
            fail(f"{position} is not parked{also} (`casetrail parked list --all` lists all)", FINDINGS)
    return [records[position] for position in dict.fromkeys(positions)]


def _batches(records: Sequence[Parked]) -> Iterable[Sequence[Parked]]:
    for partition in sorted({record.position.partition for record in records}):
        own = [record for record in records if record.position.partition == partition]
        yield from (own[start : start + AT_ONCE] for start in range(0, len(own), AT_ONCE))


def _replay(engine: Engine, records: Sequence[Parked]) -> list[ReplayedJson]:
    """Replay *records*, all of one partition."""
    seqs = [record.seq for record in records]
    entries = side_writer(engine, records[0].position.partition).replay(seqs, datetime.now(UTC))
    return [replayed_json(entry) for entry in entries]


def _replay_words(replayed: ReplayedJson) -> str:
    reason = f" {replayed['code']}: {safe(replayed['reason'])}" if replayed["code"] else ""
    return f"{Position(**replayed['position'])} {replayed['outcome']}{reason}"
