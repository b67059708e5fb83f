"""The group of commands about rules; `rules` and the modules beside it add the commands."""

import typer

from .app import app

rules_app = typer.Typer(
    help="The rules: the shipped ones, or those of CASETRAIL_RULES. Check and test a file of your own, and run it "
    "over old facts, before you put it in force.",
    epilog="\b\nExamples:\n  casetrail rules list\n  casetrail rules check my-rules.yaml\n"
    "  casetrail rules test my-rules.yaml --mutate\n  casetrail rules backtest my-rules.yaml --on database",
    no_args_is_help=True,
)
app.add_typer(rules_app, name="rules")
