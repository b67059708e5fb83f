"""The group of commands about rules; `rules` and the modules beside it add the commands."""

import typer

from .app import app

rules_app = typer.Typer(
    help="The rules: the shipped ones, or those of CASETRAIL_RULES.",
    epilog="\b\nExample:\n  casetrail rules list",
    no_args_is_help=True,
)
app.add_typer(rules_app, name="rules")
