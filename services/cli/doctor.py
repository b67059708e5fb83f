"""doctor: checks of everything around casetrail."""

import typer
from rich.text import Text

from services.operate.doctor.check import Check
from services.operate.doctor.doctor import examine

from .app import Json, app
from .output import console, emit, while_read

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


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
