"""Tools beside the work: schema and doctor."""

from typing import Annotated

import typer
from rich.text import Text

from events.schemas import schema as schema_of
from services.checking import Check
from services.doctor import examine

from .app import Json, app, console, emit, while_read
from .wording import check_type

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


@app.command("schema", epilog="\b\nExamples:\n  casetrail schema\n  casetrail schema Detained")
def schema(
    type_: Annotated[
        str | None, typer.Argument(metavar="[TYPE]", help="A type of fact; all where none is named.")
    ] = None,
) -> None:
    """Print the JSON Schema of one type of fact, or of all."""
    if type_ is not None:
        check_type(type_)
    emit(schema_of(type_))


@app.command("doctor", epilog="\b\nExample:\n  casetrail doctor")
def doctor(as_json: Json = False) -> None:
    """
    Check settings, rules, database, ledger, log and clock. Where something is wrong, it says what to do.

    Ends with 0 where nothing is, 1 for errors in the data or the rules, 2 in the settings, 3 where something is not
    reachable. Changes nothing and prints no password.
    """
    checks = list(examine())
    with while_read():
        if as_json:
            emit([{name: value for name, value in check._asdict().items() if name != "code"} for check in checks])
        else:
            _print(checks)
    raise typer.Exit(max((check.code for check in checks if check.state == "error"), default=0))


def _print(checks: list[Check]) -> None:
    out = console()
    for check in checks:
        line = Text.assemble((f"{check.state:<8}", _STYLES[check.state]), f"{check.name:<11}", check.found)
        out.print(line, soft_wrap=True)
        if check.advice:
            out.print(Text(f"{'':19}-> {check.advice}"), soft_wrap=True)
