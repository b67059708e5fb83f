"""
The frame of the command: one application, its commands, and its exit codes.

Exit codes: 0 done, 1 bad lines or findings, 2 usage, 3 infrastructure. The result goes to stdout. Progress and
messages go to stderr.
"""

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import import_module
from importlib.metadata import version as release
from typing import Annotated, Any, NoReturn

import typer
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from events.errors import BadInput, CasetrailError
from services.database import concluded
from services.settings import Settings

from .loading import loading
from .output import INFRASTRUCTURE, USAGE, flush, report

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "init": ("init",),
    "publish": ("publish",),
    "correct": ("correct", "retract"),
    "id": ("id",),
    "run": ("project", "run"),
    "status": ("status",),
    "history": ("history",),
    "alerts": ("alerts",),
    "silence": ("silence",),
    "delivery": ("delivery",),
    "audit": ("audit",),
    "rebuild": ("rebuild",),
    "backtest": ("backtest",),
    "backup": ("backup",),
    "parked": ("parked",),
    "conflicts": ("conflicts",),
    "lag": ("lag",),
    "rules": ("rules",),
    "schema": ("schema",),
    "doctor": ("doctor",),
    "topics": ("topics",),
    "generate": ("generate",),
}
"""The modules, and the commands that each adds to the application, in the order of its help."""

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


@app.callback(invoke_without_command=True)
def casetrail(
    version: Annotated[bool, typer.Option("--version", help="Print the release and exit.")] = False,
) -> None:
    """Keep the case status of public officials: facts in, statuses, an audit trail and alerts out."""
    if version:
        print(f"casetrail {release('casetrail')}")
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line, close the databases that it opened, and end the process with its exit code."""
    # SQLite moves all data into the database's own file when its last connection closes, and not when a process ends.
    with _at_end:
        # An exception must not leave `_run`: it holds open results, which must close before their connection does.
        code = _run()
    sys.exit(code)


def load_commands(name: str = "") -> None:
    """Add the command *name*, with the others of its module, to the application; all if no command has that name."""
    for module in [module for module, commands in COMMANDS.items() if name in commands] or COMMANDS:
        import_module(f"services.cli.{module}")


def database(settings: Settings) -> Engine:
    """Open the database as `services.database.concluded` does, until the command ends."""
    return closed_at_end(concluded(settings))


def closed_at_end(engine: Engine) -> Engine:
    """Return *engine*, and close its connections when the command ends."""
    _at_end.callback(engine.dispose)
    return engine


def _run() -> Any:  # noqa: ANN401 - as sys.exit takes it
    """Run the command line and return its exit code."""
    with loading():
        load_commands(*sys.argv[1:2])
    try:
        app(prog_name="casetrail")
    except (CasetrailError, DBAPIError, OSError) as problem:
        return report(_in_words(problem), USAGE if isinstance(problem, BadInput) else INFRASTRUCTURE)
    except SystemExit as end:
        # Typer ends with 1 when the reader of stdout closes it early, as `| head -1` does. That is not a failure.
        pipe_closed = end.code == 1 and isinstance(end.__context__, BrokenPipeError)
        flush()
        return 0 if pipe_closed else end.code
    return 0


def _in_words(problem: Exception) -> str:
    if isinstance(problem, OperationalError):
        return f"database: {problem.orig}"
    return f"database: {problem.orig} ({_advice(problem)})" if isinstance(problem, DBAPIError) else str(problem)


def _advice(problem: DBAPIError) -> str:
    if getattr(problem.orig, "sqlite_errorname", None) == "SQLITE_NOTADB":
        return "set CASETRAIL_DATABASE_URL to another file"
    return "the schema may be old: run `casetrail init`"
