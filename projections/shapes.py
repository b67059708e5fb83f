"""The shapes that programs read: statuses, alerts and notices as plain JSON values. Grown only by addition."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid5

from sqlalchemy import Table

from events.edtf import format_instant
from events.facts import Fact

from .alert import NAMESPACE, Alert, Change
from .history import History
from .ledger import Entry
from .partrows import Row, cell_row
from .posts import Post
from .status import Status
from .tables import LIVE, NamedRow, column_names

CELLS = ("service", "custody", "wanted", "stage")
DESCRIBED = ("name", "post", "agency", "region", "jurisdiction")
NO_RECORD = (None, None, None, None)


def subject_row(
    subject_id: str, status: Status, history: History, position: tuple[int, int], due: datetime | None
) -> Row:
    """
    Return the row of ``subjects``, the values of its columns in their order.

    Args:
        subject_id: the person.
        status: the fold of what counts.
        history: their facts, with what is to be said of single ones.
        position: (partition, offset) of the last fact folded in.
        due: the next instant at which time alone could change an answer.
    """
    row, agreeing = status.summary(), history.agreeing()
    described = _described(status, row.shown)
    return (
        subject_id,
        *[value for value, _ in described],
        *[fact_id for _, fact_id in described],
        row.headline,
        *cell_row(row.service, agreeing),
        *cell_row(row.custody, agreeing),
        *cell_row(row.wanted, agreeing),
        *cell_row(row.stage, agreeing),
        row.open_cases,
        row.convicted_cases,
        *row.counts.values(),
        row.presumption,
        [{"code": code, "fact_id": fact_id} for code, fact_id in (*sorted({*status.flags()}), *history.flags)],
        *position,
        due,
    )


def named(table: Table, row: Iterable[Any]) -> dict[str, Any]:
    """Return a *row* of *table*, its values in the order of the columns, by the names of the columns."""
    return dict(zip(column_names(table), row, strict=True))


def status_json(subject: NamedRow, parts: Mapping[str, Sequence[NamedRow]], unread: int = 0) -> dict[str, Any]:
    """
    Return the status of one person.

    Args:
        subject: their row of ``subjects``.
        parts: their rows of the other tables, by the table's name, in the order of the keys.
        unread: the number of records about them that wait: conflicts, and what could not be read.
    """
    return {
        "subject_id": subject["subject_id"],
        **{name: subject[name] for name in DESCRIBED},
        **{f"{name}_fact_id": subject[f"{name}_fact_id"] for name in DESCRIBED},
        "headline": subject["headline"],
        **{name: _cell(subject, f"{name}_") for name in CELLS},
        "open_cases": subject["open_cases"],
        "convicted_cases": subject["convicted_cases"],
        "counts": {name: subject[f"counts_{name}"] for name in ("undecided", "convicted", "acquitted", "ended")},
        "presumption": subject["presumption"],
        "anomalies": subject["anomalies"],
        "unread": unread,
        "posts": [_post_json(row) for row in parts.get("posts", ())],
        "cases": [_case_json(row, parts.get("counts", ())) for row in parts.get("cases", ())],
        "custody_cases": [_part_json(row) for row in parts.get("holds", ())],
        "searches": [_part_json(row) for row in parts.get("searches", ())],
        "measures": [_part_json(row) for row in parts.get("measures", ())],
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


def alert_json(alert: Alert, life: Iterable[NamedRow], unread: int = 0) -> dict[str, Any]:
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


def notice_row(partition: int, n: int, change: Change, unread: int = 0) -> tuple[Any, ...]:
    """Return the row of ``outbox`` that tells of *change*, the *n*-th notice of *partition*; *unread* as for alerts."""
    alert = change.alert
    key = notice_id(alert.alert_id, alert.changes)
    told = alert_json(alert, [named(LIVE.alert_changes, change_row(change))], unread)
    return (partition, n, "notice", key, alert.subject_id, alert.alert_id, {"notice_id": key, **told}, *NO_RECORD)


def forward_row(partition: int, n: int, entry: Entry, target: int) -> tuple[Any, ...]:
    """Return the row of ``outbox`` that sends the record of *entry* on to the partition *target* its key belongs to."""
    key = f"{entry.topic}/{entry.partition}/{entry.log_offset}"
    return (partition, n, "forward", key, entry.subject_id, None, None, target, entry.key, entry.headers, entry.value)


def _described(status: Status, shown: Post | None) -> list[tuple[str | None, str | None]]:
    """Return name, post, agency, region and jurisdiction, each with the id of the fact that says so."""
    words = shown.words if shown is not None and not shown.words.is_blank else None
    name, other = status.described.get("name"), status.described.get("post")
    if words is not None:
        named_by = words.fact.id
        posts = [(word, named_by if word is not None else None) for word in (words.post, words.agency, words.region)]
    else:
        posts = [_said(other, name) for name in ("post", "agency", "region")]
    place = _said(status.described.get("jurisdiction"), "jurisdiction")
    if place[0] is None and shown is not None:
        place = _said(shown.words.fact, "jurisdiction")
    return [_said(name, "name"), *posts, place]


def _said(fact: Fact | None, name: str) -> tuple[str | None, str | None]:
    value = fact.data.get(name) if fact is not None else None
    return (value, fact.id) if fact is not None and value is not None else (None, None)


def _since_json(row: NamedRow, prefix: str = "") -> dict[str, Any]:
    return {
        "since": row[f"{prefix}since"],
        "since_earliest": _text(row[f"{prefix}since_earliest"]),
        "since_latest": _text(row[f"{prefix}since_latest"]),
        "fact_id": row[f"{prefix}fact_id"],
        "facts": row[f"{prefix}facts"],
    }


def _cell(row: NamedRow, prefix: str) -> dict[str, Any] | None:
    status = row[f"{prefix}status"]
    return None if status is None else {"status": status, **_since_json(row, prefix)}


def _part_json(row: NamedRow, *others: str) -> dict[str, Any]:
    """Return a row of a person's part as it is, without its key and with instants as text."""
    left_out = {"subject_id", "n", *others}
    return {name: _text(value) for name, value in row.items() if name not in left_out}


def _post_json(row: NamedRow) -> dict[str, Any]:
    began = {"since": row["began"], "since_earliest": row["began_earliest"], "since_latest": row["began_latest"]}
    own = _part_json(row, "began", "began_earliest", "began_latest", "began_fact_id")
    at = {name: _text(value) for name, value in began.items()} | {"fact_id": row["began_fact_id"]}
    return {**own, "began": at if row["began_fact_id"] is not None else None}


def _case_json(row: NamedRow, counts: Iterable[NamedRow]) -> dict[str, Any]:
    case_id = row["case_id"]
    own = [_part_json(count, "case_id") for count in counts if count["case_id"] == case_id]
    return {
        "case_id": case_id,
        "kind": row["kind"],
        "kind_fact_id": row["kind_fact_id"],
        "stage": _cell(row, "stage_"),
        "open": bool(row["is_open"]),
        "suspended": row["suspended"],
        "suspended_fact_id": row["suspended_fact_id"],
        "counts": own,
        **{name: row[name] for name in ("sentence", "parts", "sentence_fact_id", "charges", "charges_fact_id")},
        "authority": row["authority"],
        "authority_fact_id": row["authority_fact_id"],
    }


def _text(value: Any) -> Any:  # noqa: ANN401 - a value of a column
    return format_instant(value) if isinstance(value, datetime) else value
