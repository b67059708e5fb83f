"""
The command's frame: one application, how it ends, and what goes to stdout and stderr.

Exit codes: 0 done, 1 bad lines or findings, 2 usage, 3 infrastructure. Stdout carries what was asked for and
nothing else; progress and messages go to stderr.
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
from .output import INFRASTRUCTURE, USAGE, failed, flush

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "init": ("init",),
    "publish": ("publish",),
    "correct": ("correct", "retract"),
    "id": ("id",),
    "run": ("project", "run"),
    "status": ("status",),
    "history": ("history",),
    "alerts": ("alerts",),
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
        return failed(_in_words(problem), USAGE if isinstance(problem, BadInput) else INFRASTRUCTURE)
    except SystemExit as end:
        # Where whoever read us has seen enough, typer ends with 1; but nothing is wrong.
        seen_enough = end.code == 1 and isinstance(end.__context__, BrokenPipeError)
        flush()
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


def database(settings: Settings) -> Engine:
    """Open the database as `services.database.concluded` does, until the command ends."""
    return closed_at_end(concluded(settings))


def closed_at_end(engine: Engine) -> Engine:
    """Return *engine*, whose connections are closed when the command ends."""
    _at_end.callback(engine.dispose)
    return engine
