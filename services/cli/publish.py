"""publish: facts from files and pipes into the log."""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from services.log.open import appending
from services.publish.lines import STDIN, Line, check_files, read_lines
from services.publish.publish import NotAccepted, Result, not_accepted_json, publish, result_json
from services.runtime.shutdown import ShutdownSignal, stopping
from services.settings import load_settings

from .app import app
from .bar import Advance, bar, no_bar
from .options import JsonOption
from .output import FINDINGS, INFRASTRUCTURE, emit_line, fail, ignoring_closed_pipe, say

BAR_BYTES = 5_000_000
"""The least size of the files for a progress bar."""

AGAIN = "publish again to continue: no fact is added twice"


@app.command(
    "publish",
    epilog="\b\nExamples:\n  casetrail publish facts.ndjson more.ndjson\n  tool | casetrail publish -\n"
    "  casetrail publish --check facts.ndjson",
)
def publish_files(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files of facts, one a line; - for a pipe.")],
    check: Annotated[bool, typer.Option("--check", help="Only report bad lines; needs no database.")] = False,
    as_json: JsonOption = False,
) -> None:
    """
    Publish facts from NDJSON files into the log.

    Bad lines are reported as FILE:LINE and left out. The other lines are published, and the exit code is 1.
    Publishing a file again adds nothing, so publish it again after an interruption.
    """
    check_files(files)
    word = "valid" if check else "accepted"
    good = bad = 0
    log = nullcontext(_discard) if check else appending(load_settings())
    with log as append, stopping() as stop, _progress(files, as_json=as_json) as advance:
        try:
            for batch in publish(_all_lines(files, stop, advance), append):
                for result in batch:
                    with ignoring_closed_pipe() if check else nullcontext():
                        _report(result, word, as_json=as_json)
                broken = sum(result.problem is not None for result in batch)
                good, bad = good + len(batch) - broken, bad + broken
        except NotAccepted as failure:
            if as_json:
                for result_line in not_accepted_json(failure):
                    emit_line(result_line)
            raise
        except BrokenPipeError:
            fail(f"the reader of the results has closed the pipe, {good} {word}, {bad} bad ({AGAIN})", INFRASTRUCTURE)
        finally:
            if not as_json or stop.by:
                say(f"{good} {word}, {bad} bad")
    if stop.by:
        fail(f"stopped by {stop.by.name} ({AGAIN})", stop.exit_code)
    if bad:
        raise typer.Exit(FINDINGS)


def _discard(facts: object) -> None:
    """Append nothing: the facts are only checked."""


def _progress(files: Iterable[str], *, as_json: bool) -> AbstractContextManager[Advance]:
    """Return a progress bar if the files are long and no results are printed to the terminal."""
    total = sum(Path(file).stat().st_size for file in files if file != STDIN)
    wanted = total >= BAR_BYTES and not (as_json and os.isatty(1))
    return bar("Publishing", total) if wanted else nullcontext(no_bar)


def _all_lines(files: Iterable[str], stop: ShutdownSignal, advance: Advance) -> Iterator[Line | None]:
    for file in files:
        yield from read_lines(file, stop, advance)


def _report(result: Result, word: str, *, as_json: bool) -> None:
    if result.problem:
        say(str(result.problem.at(result.line.place)))
    if as_json:
        emit_line(result_json(result, word))
