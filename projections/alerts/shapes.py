"""The shape of an alert, of its changes and of its notices, as programs read them. Grown only by addition."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid5

from events.edtf import format_instant

from .alert import NAMESPACE, Alert

Row = Mapping[Any, Any]
"""A row of a table by the names of its columns."""


def change_json(row: Row) -> dict[str, Any]:
    """Return one step in the life of an alert; ``by`` and ``note`` only where a person took it."""
    by_person = {"by": row["person"], "note": row["note"]} if row["person"] else {}
    return {
        "state": row["state"],
        "at": format_instant(row["at"]),
        "cause": row["cause"],
        "fact_id": row["fact_id"],
        **by_person,
    }


def alert_json(alert: Alert, life: Iterable[Row], unread: int = 0) -> dict[str, Any]:
    """
    Return an alert.

    Args:
        alert: its latest state.
        life: its rows of ``alert_changes``, in their order.
        unread: the number of records about the person that wait: conflicts, and what could not be read.
    """
    return {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "rule_version": alert.rule_version,
        "severity": alert.severity,
        "subject_id": alert.subject_id,
        "state": alert.state,
        "anchor": alert.anchor,
        "evidence": list(alert.evidence),
        "unread": unread,
        "explanation": alert.explanation,
        "life": [change_json(row) for row in life],
    }


def notice_id(alert_id: str, number: int) -> str:
    """Return the key by which a receiver knows a notice again: UUIDv5 of the alert and the number of its change."""
    return str(uuid5(NAMESPACE, f"{alert_id} {number}"))
