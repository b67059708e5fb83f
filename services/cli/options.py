"""Options that several commands take, and the instants in them."""

from datetime import datetime
from typing import Annotated

import typer

from events.edtf import parse_instant
from events.errors import BadInput
from projections.subjects.view import AsOf

AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="INSTANT", help="The world at this instant; a day, month or year means its end."),
]
KnownAtOption = Annotated[
    str | None, typer.Option("--known-at", metavar="INSTANT", help="Only facts recorded by this instant count.")
]
LimitOption = Annotated[int | None, typer.Option(min=0, help="The greatest number to print.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs and nothing else.")]


def moment_of(as_of: str | None, known_at: str | None) -> AsOf:
    """Return the moment that the two options name; the present without them."""
    return AsOf(
        instant("--as-of", as_of) if as_of is not None else None,
        instant("--known-at", known_at) if known_at is not None else None,
    )


def instant(option: str, text: str) -> datetime:
    """
    Return the instant that *text* names.

    Raises:
        BadInput: if it is not a date of EDTF; the error names the *option*.
    """
    try:
        return parse_instant(text)
    except BadInput as problem:
        raise problem.at(option) from None
