"""doctor: checks of the settings, the rules, the database, the ledger, the log and the clock."""

import typer
from rich.text import Text
from typing_extensions import TypedDict

from services.operate.doctor.check import Check
from services.operate.doctor.doctor import examine

from .app import app
from .options import JsonOption
from .output import console, emit, ignoring_closed_pipe

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


class CheckJson(TypedDict):
    """One check: its name, its state (ok, warning or error), the finding, and the advice."""

    name: str
    state: str
    found: str
    advice: str


@app.command("doctor", epilog="\b\nExample:\n  casetrail doctor")
def doctor(as_json: JsonOption = False) -> None:
    """
    Check settings, rules, database, ledger, log and clock. Each problem is printed with advice.

    The exit code is 0 if no check failed, 1 for errors in the data or the rules, 2 for errors in the settings, and 3
    for errors in the infrastructure: database, disk, log or clock. Changes nothing and prints no password.
    """
    checks = list(examine())
    with ignoring_closed_pipe():
        if as_json:
            emit([_check_json(check) for check in checks])
        else:
            _print(checks)
    raise typer.Exit(max((check.code for check in checks if check.state == "error"), default=0))


def _check_json(check: Check) -> CheckJson:
    return {"name": check.name, "state": check.state, "found": check.found, "advice": check.advice}


def _print(checks: list[Check]) -> None:
    out = console()
    for check in checks:
        line = Text.assemble((f"{check.state:<8}", _STYLES[check.state]), f"{check.name:<11}", check.found)
        out.print(line, soft_wrap=True)
        if check.advice:
            out.print(Text(f"{'':19}-> {check.advice}"), soft_wrap=True)
