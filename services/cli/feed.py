"""Facts in: publish, correct and retract."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from events.errors import BadInput
from events.facts import Fact
from projections.tables.origin import check_local
from services.correcting import Known, LocalTail, Tail, changed, difference, look_up, make
from services.locallog import LocalLog
from services.publishing import STDIN, Append, Line, NotAccepted, Result, check_files, publish, read_lines
from services.settings import Settings
from services.source import Unreachable
from services.stopping import Stop, stopping

from .app import (
    FINDINGS,
    INFRASTRUCTURE,
    Json,
    app,
    database,
    emit_line,
    fail,
    say,
    settings,
    while_read,
)
from .editor import edit
from .progress import Advance, bar

BAR_BYTES = 5_000_000
"""From how many bytes on a progress bar is worth its place."""

AGAIN = "publish again to go on: what went in is not added twice"

FactId = Annotated[str, typer.Argument(metavar="FACT_ID", help="The id of the fact, as `casetrail history` shows it.")]
SourceUrl = Annotated[str | None, typer.Option(help="The address of the source; this or --source-title is needed.")]
SourceTitle = Annotated[str | None, typer.Option(help="The title of the source.")]
Published = Annotated[str | None, typer.Option(help="When that source made it known, as EDTF; the present by default.")]
Occurred = Annotated[str | None, typer.Option(help="When it was corrected or taken back; as --published by default.")]
Note = Annotated[str | None, typer.Option(help="A remark for readers.")]
Stater = Annotated[str | None, typer.Option("--source", help="Who states it, as a URI; CASETRAIL_SOURCE by default.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before publishing; off a terminal nobody is asked.")]


@app.command(
    "publish",
    epilog="\b\nExamples:\n  casetrail publish facts.ndjson more.ndjson\n  tool | casetrail publish -\n"
    "  casetrail publish --check facts.ndjson",
)
def publish_files(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files of facts, one a line; - for a pipe.")],
    check: Annotated[bool, typer.Option("--check", help="Only say which lines are bad; needs no database.")] = False,
    as_json: Json = False,
) -> None:
    """
    Publish facts from NDJSON files into the log.

    Bad lines are reported as FILE:LINE and left out, the others go in; the exit code is then 1. Publishing a file
    again adds nothing, so after an interruption just publish it again.
    """
    check_files(files)
    word = "valid" if check else "accepted"
    good = bad = 0
    log = nullcontext(_accept) if check else _appending(settings())
    with log as append, stopping() as stop, _progress(files, as_json=as_json) as advance:
        try:
            for batch in publish(_all_lines(files, stop, advance), append):
                for result in batch:
                    with while_read() if check else nullcontext():
                        _report(result, word, as_json=as_json)
                broken = sum(result.problem is not None for result in batch)
                good, bad = good + len(batch) - broken, bad + broken
        except NotAccepted as failure:
            if as_json:
                _emit_lost(failure)
            raise
        except BrokenPipeError:
            fail(f"nobody reads the results any more, {good} {word}, {bad} bad ({AGAIN})", INFRASTRUCTURE)
        finally:
            if not as_json or stop.by:
                say(f"{good} {word}, {bad} bad")
    if stop.by:
        fail(f"stopped by {stop.by.name} ({AGAIN})", stop.exit_code)
    if bad:
        raise typer.Exit(FINDINGS)


@app.command(
    "correct",
    epilog="\b\nExamples:\n  casetrail correct FACT_ID --set occurred=2022-04-25 --source-url https://news.example/2\n"
    "  casetrail correct FACT_ID --source-title 'Letter of the ministry'      (in an editor)",
)
def correct(  # noqa: PLR0917 - the arguments are options to whoever types them
    fact_id: FactId,
    assigned: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field and its new value; repeatable.")
    ] = None,
    removed: Annotated[
        list[str] | None, typer.Option("--unset", metavar="FIELD", help="A field to leave out; repeatable.")
    ] = None,
    source_url: SourceUrl = None,
    source_title: SourceTitle = None,
    published: Published = None,
    occurred: Occurred = None,
    note: Note = None,
    source: Stater = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """
    Publish a correction of a fact. What changes is given as options, or in an editor where none is.

    It starts from the data in force. A value is JSON where that fits the field, else text; charges.0.title is a
    field within a field. The correction counts once it is projected.
    """
    chosen = settings()
    said = _said(source_url, source_title, published, occurred, note)
    engine = database(chosen)
    known = look_up(engine, _tail(chosen, engine), fact_id)
    if assigned or removed:
        data = changed(known.target.type, known.data, assigned or (), removed or (), known.facts)
    else:
        data = edit(known.target.type, known.data)
    if data == known.data:
        raise BadInput("nothing changed", "another value in at least one field", fact_id)
    made = make("Corrected", known, {**said, "data": data}, source or chosen.source, datetime.now(UTC))
    _state(chosen, known, made, difference(known.data, data), yes=yes, as_json=as_json)


@app.command(
    "retract",
    epilog="\b\nExample:\n  casetrail retract FACT_ID --reason 'Another person of that name' "
    "--source-title 'Note of the editor'",
)
def retract(  # noqa: PLR0917
    fact_id: FactId,
    reason: Annotated[str, typer.Option(help="Why it is taken back, for readers.")],
    source_url: SourceUrl = None,
    source_title: SourceTitle = None,
    published: Published = None,
    occurred: Occurred = None,
    note: Note = None,
    source: Stater = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Publish that a fact is taken back. It counts once it is projected; retracting the retraction revives the fact."""
    chosen = settings()
    said = _said(source_url, source_title, published, occurred, note)
    engine = database(chosen)
    known = look_up(engine, _tail(chosen, engine), fact_id)
    made = make("Retracted", known, {**said, "reason": reason}, source or chosen.source, datetime.now(UTC))
    _state(chosen, known, made, difference(known.data, {}), yes=yes, as_json=as_json)


def _said(
    url: str | None, title: str | None, published: str | None, occurred: str | None, note: str | None
) -> dict[str, Any]:
    """Return what the data of a correction and of a retraction have in common, as far as it is given."""
    if not url and not title:
        raise BadInput("no source", "--source-url or --source-title: where it can be checked")
    sources = [{name: value for name, value in {"url": url, "title": title}.items() if value}]
    given = {"published": published, "occurred": occurred, "note": note}
    return {name: value for name, value in given.items() if value is not None} | {"sources": sources}


def _state(
    chosen: Settings, known: Known, made: tuple[Fact, bytes], shown: Iterable[str], *, yes: bool, as_json: bool
) -> None:
    """Show what a correction or retraction changes, ask whoever is at the terminal, and publish it."""
    fact, value = made
    say(f"{fact.type}: {known.target.type} {known.target.id} of {fact.subject}")
    for line in shown:
        say(f"  {line}")
    if not yes and sys.stdin.isatty():
        typer.confirm("Publish this?", abort=True, err=True)
    with _appending(chosen) as append:
        append([(fact.subject, value)])
    if as_json:
        emit_line({"id": fact.id, "subject": fact.subject, "result": "accepted", "error": None})
    else:
        say(f"accepted as {fact.id}")


@contextmanager
def _appending(chosen: Settings) -> Iterator[Append]:
    """Give what appends facts to the log that the settings choose, while the block runs."""
    if chosen.log == "kafka":
        from services.broker.publisher import KafkaLog  # noqa: PLC0415 - Kafka's client takes long to load

        try:
            opened = KafkaLog(chosen)
        except Unreachable as problem:
            raise Unreachable(f"nothing is accepted: {problem}") from problem
        with closing(opened) as log:
            yield log.append
    else:
        engine = database(chosen)
        # Into a database of Kafka's it would go in vain, and no projector would start there any more.
        check_local(engine)
        yield LocalLog(engine).append


def _tail(chosen: Settings, engine: Engine) -> Tail:
    if chosen.log == "local":
        return LocalTail(LocalLog(engine))
    from services.broker.unprojected import KafkaTail  # noqa: PLC0415 - as above

    return KafkaTail(chosen, engine)


def _accept(facts: object) -> None:
    """Take facts that are only checked."""


def _progress(files: Iterable[str], *, as_json: bool) -> AbstractContextManager[Advance]:
    """Give a progress bar where the files are long and nothing else is going to the terminal."""
    total = sum(Path(file).stat().st_size for file in files if file != STDIN)
    wanted = total >= BAR_BYTES and not (as_json and os.isatty(1))
    return bar("Publishing", total) if wanted else nullcontext(_unseen)


def _unseen(steps: int, *, absolute: bool = False) -> None:
    """Tell nobody how far the work has come."""


def _all_lines(files: Iterable[str], stop: Stop, advance: Advance) -> Iterator[Line | None]:
    for file in files:
        yield from read_lines(file, stop, advance)


def _report(result: Result, word: str, *, as_json: bool) -> None:
    if result.problem:
        say(str(result.problem.at(result.line.place)))
    if as_json:
        emit_line(_result_json(result, word))


def _emit_lost(failure: NotAccepted) -> None:
    error = {"code": "not_acknowledged", "where": "", "what": failure.reason, "wanted": ""}
    for result in failure.results:
        emit_line({**_result_json(result, "not_accepted"), "error": error})


def _result_json(result: Result, word: str) -> dict[str, Any]:
    problem, fact = result.problem, result.fact
    return {
        "file": result.line.file,
        "line": result.line.number,
        "id": fact.id if fact else None,
        "subject": fact.subject if fact else None,
        "result": word if fact else "bad",
        "error": {"code": problem.code, "where": problem.where, "what": problem.what, "wanted": problem.wanted}
        if problem
        else None,
    }
