"""publish: facts from files and pipes into the log."""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from services.log.open import appending
from services.publish.lines import STDIN, Line, check_files, read_lines
from services.publish.publish import NotAccepted, Result, publish
from services.runtime.shutdown import ShutdownSignal, stopping
from services.settings import load_settings

from .app import Json, app
from .bar import Advance, bar
from .output import FINDINGS, INFRASTRUCTURE, emit_line, fail, say, while_read

BAR_BYTES = 5_000_000
"""From how many bytes on a progress bar is worth its place."""

AGAIN = "publish again to go on: what went in is not added twice"


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
    log = nullcontext(_accept) if check else appending(load_settings())
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


def _accept(facts: object) -> None:
    """Take facts that are only checked."""


def _progress(files: Iterable[str], *, as_json: bool) -> AbstractContextManager[Advance]:
    """Give a progress bar where the files are long and nothing else is going to the terminal."""
    total = sum(Path(file).stat().st_size for file in files if file != STDIN)
    wanted = total >= BAR_BYTES and not (as_json and os.isatty(1))
    return bar("Publishing", total) if wanted else nullcontext(_unseen)


def _unseen(steps: int, *, absolute: bool = False) -> None:
    """Tell nobody how far the work has come."""


def _all_lines(files: Iterable[str], stop: ShutdownSignal, advance: Advance) -> Iterator[Line | None]:
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
