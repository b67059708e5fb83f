"""The shapes that programs read: statuses, alerts and notices as plain JSON values. Grown only by addition."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import uuid5

from sqlalchemy import Table

from events.edtf import format_instant

from .alerts import NAMESPACE, Alert, Change
from .cases import Case
from .cells import UNKNOWN
from .history import Flag
from .ledger import Entry
from .status import Status
from .tables import LIVE, NamedRow, column_names

CELLS = ("service", "custody", "wanted", "stage")
DESCRIBED = ("name", "post", "agency", "region", "jurisdiction")
NO_CELL = (None, None, None, None, None)
NOT_KNOWN = (None, None)
NO_RECORD = (None, None, None, None)


def subject_row(
    subject_id: str, status: Status, flags: Iterable[Flag], position: tuple[int, int], due: datetime | None
) -> tuple[Any, ...]:
    """
    Return the row of ``subjects``, the values of its columns in their order.

    Args:
        subject_id: the person.
        status: the fold of what counts.
        flags: what is to be said of single facts.
        position: (partition, offset) of the last fact folded in.
        due: the next instant at which time alone could change an answer.
    """
    described = [status.described.get(name, NOT_KNOWN) for name in DESCRIBED]
    stage, open_cases, presumption = status.trials
    return (
        subject_id,
        *[value for value, _ in described],
        *[fact_id for _, fact_id in described],
        status.headline(),
        *status.service,
        *status.custody,
        *(status.wanted or NO_CELL),
        *(stage or NO_CELL),
        open_cases,
        presumption,
        [flag._asdict() for flag in (*status.anomalies, *flags)],
        *position,
        due,
    )


def case_row(subject_id: str, case_id: str, case: Case) -> tuple[Any, ...]:
    """Return the row of ``cases``, the values of its columns in their order."""
    stage = NO_CELL if case.stage is UNKNOWN else case.stage
    known = (case.charges, case.charges_by, case.authority, case.authority_by)
    return (subject_id, case_id, *stage, case.is_open, *known)


def named(table: Table, row: Iterable[Any]) -> dict[str, Any]:
    """Return a *row* of *table*, its values in the order of the columns, by the names of the columns."""
    return dict(zip(column_names(table), row, strict=True))


def status_json(subject: NamedRow, cases: Iterable[NamedRow]) -> dict[str, Any]:
    """Return the status of one person from a row of ``subjects`` and their rows of ``cases``."""
    return {
        "subject_id": subject["subject_id"],
        **{name: subject[name] for name in DESCRIBED},
        **{f"{name}_fact_id": subject[f"{name}_fact_id"] for name in DESCRIBED},
        "headline": subject["headline"],
        **{name: _cell(subject, name) for name in CELLS},
        "open_cases": subject["open_cases"],
        "presumption": subject["presumption"],
        "anomalies": subject["anomalies"],
        "cases": [
            {
                "case_id": case["case_id"],
                "stage": _cell(case, "stage"),
                "charges": case["charges"],
                "charges_fact_id": case["charges_fact_id"],
                "authority": case["authority"],
                "authority_fact_id": case["authority_fact_id"],
            }
            for case in cases
        ],
        "position": {"partition": subject["position_partition"], "offset": subject["position_offset"]},
    }


def alert_from_row(row: NamedRow) -> Alert:
    """Return the alert of a row of ``alerts``, whose columns it has for fields."""
    return Alert(**{**row, "evidence": tuple(row["evidence"])})


def change_row(change: Change) -> tuple[Any, ...]:
    """Return the row of ``alert_changes``, the values of its columns in their order."""
    alert = change.alert
    what = (alert.state, change.at, change.cause, change.fact_id, alert.rule_version, change.person, change.note)
    return (alert.alert_id, alert.changes, *what)


def change_json(row: NamedRow) -> dict[str, Any]:
    """Return one step in the life of an alert; ``by`` and ``note`` only where a person took it."""
    by_person = {"by": row["person"], "note": row["note"]} if row["person"] else {}
    return {
        "state": row["state"],
        "at": format_instant(row["at"]),
        "cause": row["cause"],
        "fact_id": row["fact_id"],
        **by_person,
    }


def alert_json(alert: Alert, life: Iterable[NamedRow]) -> dict[str, Any]:
    """Return an alert with its life, given as rows of ``alert_changes`` in their order."""
    return {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "rule_version": alert.rule_version,
        "severity": alert.severity,
        "subject_id": alert.subject_id,
        "state": alert.state,
        "anchor": alert.anchor,
        "evidence": list(alert.evidence),
        "explanation": alert.explanation,
        "life": [change_json(row) for row in life],
    }


def notice_id(alert_id: str, number: int) -> str:
    """Return the key by which a receiver knows a notice again: UUIDv5 of the alert and the number of its change."""
    return str(uuid5(NAMESPACE, f"{alert_id} {number}"))


def notice_row(partition: int, n: int, change: Change) -> tuple[Any, ...]:
    """Return the row of ``outbox`` that tells of *change*, the *n*-th notice of *partition*."""
    alert = change.alert
    key = notice_id(alert.alert_id, alert.changes)
    told = alert_json(alert, [named(LIVE.alert_changes, change_row(change))])
    return (partition, n, "notice", key, alert.subject_id, alert.alert_id, {"notice_id": key, **told}, *NO_RECORD)


def forward_row(partition: int, n: int, entry: Entry, target: int) -> tuple[Any, ...]:
    """Return the row of ``outbox`` that sends the record of *entry* on to the partition *target* its key belongs to."""
    key = f"{entry.topic}/{entry.partition}/{entry.log_offset}"
    return (partition, n, "forward", key, entry.subject_id, None, None, target, entry.key, entry.headers, entry.value)


def _cell(row: NamedRow, name: str) -> dict[str, Any] | None:
    if row[f"{name}_status"] is None:
        return None
    earliest, latest = row[f"{name}_since_earliest"], row[f"{name}_since_latest"]
    return {
        "status": row[f"{name}_status"],
        "since_earliest": format_instant(earliest) if earliest else None,
        "since_latest": format_instant(latest) if latest else None,
        "fact_id": row[f"{name}_fact_id"],
        "facts": row[f"{name}_facts"],
    }
