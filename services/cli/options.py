"""Options that several commands take, and the instants in them."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from events.edtf import parse_instant
from events.errors import BadInput
from projections.subjects.view import AsOf
from services.settings import Settings

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


def future_instant(option: str, text: str, settings: Settings, now: datetime) -> datetime:
    """
    Return the instant that *text* names; a day, month or year means its start in the zone of the settings.

    Raises:
        BadInput: if it is no such text, or not after *now*; the error names the *option*.
    """
    future = instant(option, text)
    if future > now and "T" not in text:
        # The end of the period is in the future, so the text begins with a year of four digits.
        start = datetime.fromisoformat(f"{text}-01-01"[:10]).replace(tzinfo=ZoneInfo(settings.zone))
        future = start.astimezone(UTC)
    if future <= now:
        raise BadInput(f'"{text}" has passed', "a date or an instant in the future", option)
    return future
