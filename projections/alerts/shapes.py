"""The shape of an alert, of its changes and of its notices, as programs read them. Grown only by addition."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired
from uuid import uuid5

from typing_extensions import TypedDict

from events.edtf import format_instant

from .alert import NAMESPACE, Alert, told_of
from .clearing import Clearing, ClearingKind

Row = Mapping[Any, Any]
"""A row of a table by the names of its columns."""


class ChangeJson(TypedDict):
    """
    A change in the life of an alert.

    ``by`` and ``note`` are there only if a person made it, or an acknowledgement stayed. ``until`` is there only if
    that acknowledgement has an end. ``trial`` is there only if the rule was on trial.
    """

    state: str
    at: str
    cause: str
    fact_id: str | None
    by: NotRequired[str]
    note: NotRequired[str | None]
    until: NotRequired[str]
    trial: NotRequired[bool]


class AlertJson(TypedDict):
    """
    An alert in its latest state, with its life.

    ``group_by`` and ``group`` are null unless its rule counts people in a group; then ``subject_id`` is null.
    ``subjects`` are the people in its evidence. ``in_doubt`` says that its evidence was taken back by a fact that is
    recorded beyond the horizon of the correlator.
    """

    alert_id: str
    rule: str
    rule_version: str
    severity: str
    subject_id: str | None
    state: str
    anchor: str
    evidence: list[str]
    group_by: str | None
    group: str | None
    subjects: list[str]
    in_doubt: bool
    unread: int
    explanation: str
    life: list[ChangeJson]
    trial: bool


class NoticeJson(AlertJson):
    """
    The notice of one change: the alert after it, with this change alone as its life.

    ``language`` is that of the explanation. ``explanations`` are the sentences by language. Both are left out where
    there is one sentence, in English.
    """

    notice_id: str
    language: NotRequired[str]
    explanations: NotRequired[dict[str, str]]


class ClearingJson(TypedDict):
    """
    The notice that a person is cleared, or is no longer.

    ``kind`` is cleared or cleared_withdrawn. ``presumption`` is the one after the change. ``fact_id`` is the fact that
    brought it about; null: a rebuild did.
    """

    notice_id: str
    kind: ClearingKind
    subject_id: str
    subjects: list[str]
    presumption: str
    at: str
    cause: str
    fact_id: str | None


def change_json(row: Row) -> ChangeJson:
    """Return a change in the life of an alert."""
    change: ChangeJson = {
        "state": row["state"],
        "at": format_instant(row["at"]),
        "cause": row["cause"],
        "fact_id": row["fact_id"],
    }
    if row["person"]:
        change |= {"by": row["person"], "note": row["note"]}
    if row["until"]:
        change["until"] = format_instant(row["until"])
    if row["trial"]:
        change["trial"] = True
    return change


def alert_json(alert: Alert, life: Iterable[Row], unread: int = 0, people: Sequence[str] | None = None) -> AlertJson:
    """
    Return an alert.

    Args:
        alert: its latest state.
        life: its rows of ``alert_changes``, in their order.
        unread: the number of waiting records about the people: conflicts and unreadable records.
        people: the people in the evidence of an alert across people; None: the alert is about one person.
    """
    subjects = people if people is not None else [alert.subject_id] if alert.subject_id is not None else []
    return {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "rule_version": alert.rule_version,
        "severity": alert.severity,
        "subject_id": alert.subject_id,
        "state": alert.state,
        "anchor": alert.anchor,
        "evidence": list(alert.evidence),
        "group_by": alert.group_by,
        "group": alert.group_shown,
        "subjects": list(subjects),
        "in_doubt": False,
        "unread": unread,
        "explanation": alert.explanation,
        "life": [change_json(row) for row in life],
        "trial": alert.trial,
    }


def notice_json(alert: Alert, life: Iterable[Row], unread: int, people: Sequence[str] | None) -> NoticeJson:
    """Return the notice of the last change of an alert; the arguments are those of `alert_json`."""
    key = notice_id(alert.alert_id, alert.changes)
    notice = NoticeJson(notice_id=key, **alert_json(alert, life, unread, people))  # type: ignore[typeddict-item]
    if alert.languages is not None:
        told = told_of(alert, "explanation")
        if told.others or told.language != "en":
            notice["language"] = told.language
            notice["explanations"] = {told.language: told.text, **told.others}
    return notice


def notice_id(alert_id: str, number: int) -> str:
    """Return the key by which a receiver recognises a notice: UUIDv5 of the alert and the number of its change."""
    return str(uuid5(NAMESPACE, f"{alert_id} {number}"))


def clearing_id(clearing: Clearing) -> str:
    """Return the key of the notice of a clearing: UUIDv5 of its kind, its person, its instant and its fact."""
    parts = (clearing.kind, clearing.subject_id, format_instant(clearing.at), clearing.fact_id or "")
    return str(uuid5(NAMESPACE, " ".join(parts)))


def clearing_json(clearing: Clearing, key: str) -> ClearingJson:
    """Return the notice of a clearing with the id *key*."""
    return {
        "notice_id": key,
        "kind": clearing.kind,
        "subject_id": clearing.subject_id,
        "subjects": [clearing.subject_id],
        "presumption": clearing.presumption,
        "at": format_instant(clearing.at),
        "cause": clearing.cause,
        "fact_id": clearing.fact_id,
    }
