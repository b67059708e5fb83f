"""An acknowledgement of an alert, and its taking back, as their rows of the ledger state them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from events.edtf import format_instant, parse_instant
from events.errors import BadInput

KINDS = frozenset({"acknowledgement", "unacknowledgement"})
"""The rows of the ledger with a person's time."""


class Acknowledgement(NamedTuple):
    """
    An acknowledgement.

    Attributes:
        alert_id: the alert.
        person, note: the person, and the remark.
        at: the instant by that person's clock.
        until: the instant at which it ends, by the log's clock; None: it has no end.
    """

    alert_id: str
    person: str
    note: str | None
    at: datetime
    until: datetime | None = None


class Unacknowledgement(NamedTuple):
    """The taking back of an acknowledgement. The fields are those of an acknowledgement."""

    alert_id: str
    person: str
    note: str | None
    at: datetime


def check_end(said: Acknowledgement, reached: datetime | None) -> None:
    """
    Check that the end of an acknowledgement is after *reached*, the instant up to which alerts are concluded.

    Raises:
        BadInput: if it is not: no step could be taken at its end any more.
    """
    if said.until is not None and reached is not None and said.until <= reached:
        what = f"the acknowledgement would end at {format_instant(said.until)}, and alerts are concluded up to there"
        raise BadInput(what, f"an end after {format_instant(reached)}")


def acknowledgement_value(said: Acknowledgement | Unacknowledgement) -> dict[str, Any]:
    """Return the JSON of the row of the ledger."""
    value = {"alert_id": said.alert_id, "by": said.person, "note": said.note}
    if isinstance(said, Acknowledgement) and said.until is not None:
        value["until"] = format_instant(said.until)
    return value


def acknowledgement_from(kind: str, value: Mapping[str, Any], at: datetime) -> Acknowledgement | Unacknowledgement:
    """Return the acknowledgement or its taking back in a row of one of `KINDS`, by its JSON and its ``recorded``."""
    if kind == "unacknowledgement":
        return Unacknowledgement(value["alert_id"], value["by"], value["note"], at)
    # An earlier release wrote no end.
    until = parse_instant(value["until"]) if "until" in value else None
    return Acknowledgement(value["alert_id"], value["by"], value["note"], at, until)
