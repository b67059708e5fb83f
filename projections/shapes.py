"""The shapes that programs read: statuses, alerts and notices as plain JSON values. Grown only by addition."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid5

from events.edtf import format_instant

from .alerts import NAMESPACE, Alert, Change
from .history import Flag
from .status import UNKNOWN, Case, Cell, Status

CELLS = ("service", "custody", "wanted", "stage")
DESCRIBED = ("name", "post", "agency", "region", "jurisdiction")


def subject_row(
    subject_id: str, status: Status, flags: Iterable[Flag], position: tuple[int, int], due: datetime | None
) -> dict[str, Any]:
    """Return the row of ``subjects``; *position* is (partition, offset) of the last fact folded in."""
    anomalies = [*status.anomalies, *flags]
    return {
        "subject_id": subject_id,
        **{name: status.described.get(name) for name in DESCRIBED},
        **{f"{name}_fact_id": status.described_by.get(name) for name in DESCRIBED},
        "headline": status.headline(),
        **_columns("service", status.service),
        **_columns("custody", status.custody),
        **_columns("wanted", status.wanted),
        **_columns("stage", status.stage()),
        "open_cases": status.open_cases(),
        "presumption": status.presumption(),
        "anomalies": [flag._asdict() for flag in anomalies],
        "position_partition": position[0],
        "position_offset": position[1],
        "due": due,
    }


def case_row(subject_id: str, case_id: str, case: Case) -> dict[str, Any]:
    """Return the row of ``cases``."""
    return {
        "subject_id": subject_id,
        "case_id": case_id,
        **_columns("stage", None if case.stage is UNKNOWN else case.stage),
        "is_open": case.is_open,
        "charges": case.charges,
        "charges_fact_id": case.charges_by,
        "authority": case.authority,
        "authority_fact_id": case.authority_by,
    }


def status_json(subject: Mapping[str, Any], cases: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
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


def alert_row(alert: Alert) -> dict[str, Any]:
    """Return the row of ``alerts``."""
    return {**alert._asdict(), "evidence": list(alert.evidence)}


def alert_from_row(row: Mapping[str, Any]) -> Alert:
    """Return the alert of a row of ``alerts``."""
    return Alert(**{**row, "evidence": tuple(row["evidence"])})


def change_row(change: Change) -> dict[str, Any]:
    """Return the row of ``alert_changes``."""
    return {
        "alert_id": change.alert.alert_id,
        "n": change.alert.changes,
        "state": change.alert.state,
        "at": change.at,
        "cause": change.cause,
        "fact_id": change.fact_id,
        "rule_version": change.alert.rule_version,
        "person": change.person,
        "note": change.note,
    }


def change_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one step in the life of an alert; ``by`` and ``note`` only where a person took it."""
    by_person = {"by": row["person"], "note": row["note"]} if row["person"] else {}
    return {
        "state": row["state"],
        "at": format_instant(row["at"]),
        "cause": row["cause"],
        "fact_id": row["fact_id"],
        **by_person,
    }


def alert_json(alert: Alert, life: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
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


def notice_row(partition: int, n: int, change: Change) -> dict[str, Any]:
    """Return the row of ``outbox`` that tells of *change*, the *n*-th notice of *partition*."""
    alert = change.alert
    notice_id = str(uuid5(NAMESPACE, f"{alert.alert_id} {alert.changes}"))
    told = alert_json(alert, [change_row(change)])
    return {
        "partition": partition,
        "n": n,
        "notice_id": notice_id,
        "alert_id": alert.alert_id,
        "subject_id": alert.subject_id,
        "notice": {"notice_id": notice_id, **told},
    }


def _columns(name: str, cell: Cell | None) -> dict[str, Any]:
    status, earliest, latest, fact_id, facts = cell or (None, None, None, None, None)
    return {
        f"{name}_status": status,
        f"{name}_since_earliest": earliest,
        f"{name}_since_latest": latest,
        f"{name}_fact_id": fact_id,
        f"{name}_facts": facts,
    }


def _cell(row: Mapping[str, Any], name: str) -> dict[str, Any] | None:
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
