"""schema: the JSON Schema of the facts."""

from typing import Annotated

import typer

from events.schemas import schema as schema_of
from services.words.terms import check_type

from .app import app
from .output import emit


@app.command("schema", epilog="\b\nExamples:\n  casetrail schema\n  casetrail schema Detained")
def schema(
    type_: Annotated[
        str | None, typer.Argument(metavar="[TYPE]", help="A type of fact; all types if none is named.")
    ] = None,
) -> None:
    """Print the JSON Schema of one type of fact, or of all types."""
    if type_ is not None:
        check_type(type_)
    emit(schema_of(type_))
