"""
The command's frame: one application, how it ends, and what goes to stdout and stderr.

Exit codes: 0 done, 1 bad lines or findings, 2 usage, 3 infrastructure. Stdout carries what was asked for and
nothing else; progress and messages go to stderr.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from errno import EPIPE
from importlib import import_module
from importlib.metadata import version as release
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn

import typer
from rich.console import Console
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from events.errors import BadInput, CasetrailError, Infrastructure
from projections.projector.rebuild import is_due
from projections.rules.rulebook import Rulebook, load, pack
from projections.tables.database import open_database
from services.migrate import revisions
from services.settings import Settings, load_settings

from .loading import loading

FINDINGS, USAGE, INFRASTRUCTURE = 1, 2, 3

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "setup": ("init",),
    "feed": ("publish", "correct", "retract"),
    "ids": ("id",),
    "work": ("project", "run"),
    "people": ("status", "history"),
    "alerts": ("alerts",),
    "audit": ("audit", "rebuild", "backtest"),
    "backup": ("backup",),
    "troubles": ("parked", "conflicts"),
    "lag": ("lag",),
    "rules": ("rules",),
    "tools": ("schema", "doctor"),
    "topics": ("topics",),
    "generate": ("generate",),
}
"""The modules that hang their commands on the application, in the order of its help."""

app = typer.Typer(
    name="casetrail",
    epilog="\b\nExample:\n  casetrail publish facts.ndjson && casetrail project && casetrail status",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_at_end = ExitStack()

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs and nothing else.")]


@app.callback(invoke_without_command=True)
def casetrail(
    version: Annotated[bool, typer.Option("--version", help="Print the release and exit.")] = False,
) -> None:
    """Keeps the case status of public officials: facts in, statuses, an audit trail and alerts out."""
    if version:
        print(f"casetrail {release('casetrail')}")
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line, close the databases it opened, and end the process with the exit code that fits."""
    # SQLite moves all data into the database's own file when its last connection closes, and not when a process ends.
    with _at_end:
        # The failure itself stays in there: it holds what was being read, which must close before its connection does.
        code = _run()
    sys.exit(code)


def _run() -> Any:  # noqa: ANN401 - as sys.exit takes it
    """Run the command line and return the exit code that fits."""
    with loading():
        load_commands(*sys.argv[1:2])
    try:
        app(prog_name="casetrail")
    except (CasetrailError, DBAPIError, OSError) as problem:
        return _failed(_in_words(problem), USAGE if isinstance(problem, BadInput) else INFRASTRUCTURE)
    except SystemExit as end:
        # Where whoever read us has seen enough, typer ends with 1; but nothing is wrong.
        seen_enough = end.code == 1 and isinstance(end.__context__, BrokenPipeError)
        _flush()
        return 0 if seen_enough else end.code
    return 0


def _in_words(problem: Exception) -> str:
    if isinstance(problem, OperationalError):
        return f"database: {problem.orig}"
    return f"database: {problem.orig} ({_advice(problem)})" if isinstance(problem, DBAPIError) else str(problem)


def _advice(problem: DBAPIError) -> str:
    if getattr(problem.orig, "sqlite_errorname", None) == "SQLITE_NOTADB":
        return "want another file: CASETRAIL_DATABASE_URL"
    return "is it migrated? run `casetrail init`"


def load_commands(named: str = "") -> None:
    """Hang the command *named* and its module's others on the application, or all if there is none of that name."""
    for module in [module for module, commands in COMMANDS.items() if named in commands] or COMMANDS:
        import_module(f"services.cli.{module}")


def fail(message: str, code: int) -> NoReturn:
    """Say *message* on stderr and end with *code*."""
    sys.exit(_failed(message, code))


def _failed(message: str, code: int) -> int:
    """Say *message* on stderr and return *code*."""
    print(f"casetrail: {message}", file=sys.stderr)
    return code


def say(message: str) -> None:
    """Say something to the person at the terminal, beside the output."""
    print(message, file=sys.stderr)


def while_read() -> AbstractContextManager[None]:
    """Print in this block what a verdict rests on: where its reader has seen enough, go on to the exit code."""
    return suppress(BrokenPipeError)


def emit(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one JSON value on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def emit_array(values: Iterable[Any]) -> None:
    """Print one JSON array on stdout, each of its values as it comes."""
    first = True
    for value in values:
        item = json.dumps(value, ensure_ascii=False, indent=2).replace("\n", "\n  ")
        print(f"{'[' if first else ','}\n  {item}", end="")
        first = False
    print("[]" if first else "\n]")


def emit_line(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one line of NDJSON on stdout, at once."""
    print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)


def console() -> Console:
    """Return the console of stdout; off a terminal it is as wide as its content, so that no name is cut."""
    out = sys.stdout
    return _Console(file=out, highlight=False, width=None if out.isatty() else 100_000)


def progress_console() -> Console:
    """Return the console of stderr, for progress."""
    return Console(stderr=True)


@contextmanager
def file_or_stdout(path: Path | None) -> Iterator[BinaryIO]:
    """Open the file at *path* for writing; stdout where none is named."""
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


def settings() -> Settings:
    """Return the settings, or end with what is wrong in them."""
    return load_settings()


def opened_database(url: str) -> Engine:
    """Open the database at *url* until the command ends."""
    engine = open_database(url)
    _at_end.callback(engine.dispose)
    return engine


def database(chosen: Settings) -> Engine:
    """
    Open the database and check that its schema is this release's, and its statuses are concluded.

    Raises:
        Infrastructure: if it cannot be reached, is not there, or wants `casetrail init`.
    """
    engine = migrated(chosen)
    if is_due(engine):
        msg = "the statuses were concluded by an earlier release (run `casetrail init`, which concludes them again)"
        raise Infrastructure(msg)
    return engine


def migrated(chosen: Settings) -> Engine:
    """
    Open the database and check that its schema is this release's.

    Raises:
        Infrastructure: if it cannot be reached, is not there, or wants `casetrail init`.
    """
    engine = existing(chosen)
    current, wanted = revisions(engine)
    if current != wanted:
        msg = f"the database's schema is at {current or 'nothing'}, this release wants {wanted} (run `casetrail init`)"
        raise Infrastructure(msg)
    return engine


def existing(chosen: Settings) -> Engine:
    """
    Open the database, whatever its schema is.

    Raises:
        Infrastructure: if there is none.
    """
    engine = opened_database(chosen.database_url)
    if engine.dialect.name == "sqlite" and engine.url.database and not os.path.exists(engine.url.database):  # noqa: PTH110
        msg = f"there is no database {engine.url.database} (run `casetrail init`, or set CASETRAIL_DATABASE_URL)"
        raise Infrastructure(msg)
    return engine


def rulebook(chosen: Settings) -> Rulebook:
    """Return the rules in force: those of CASETRAIL_RULES, else the pack."""
    return load(chosen.rules) if chosen.rules else pack()


def lines(values: Iterable[str]) -> None:
    """Print *values*, a line each."""
    for value in values:
        print(value)


class _Console(Console):
    """One that leaves to the command what a reader who has seen enough means."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError(EPIPE, os.strerror(EPIPE))


def _flush() -> None:
    """Write out what is left for stdout; where nobody reads it, Python must not complain of it at its end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
