"""The shape of a status, as programs read it. Grown only by addition."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from events.edtf import format_instant

Row = Mapping[Any, Any]
"""A row of a table by the names of its columns."""

CELLS = ("service", "custody", "wanted", "stage")


DESCRIBED = ("name", "post", "agency", "region", "jurisdiction")


def status_json(subject: Row, parts: Mapping[str, Sequence[Row]], unread: int = 0) -> dict[str, Any]:
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


def _since_json(row: Row, prefix: str = "") -> dict[str, Any]:
    return {
        "since": row[f"{prefix}since"],
        "since_earliest": _text(row[f"{prefix}since_earliest"]),
        "since_latest": _text(row[f"{prefix}since_latest"]),
        "fact_id": row[f"{prefix}fact_id"],
        "facts": row[f"{prefix}facts"],
    }


def _cell(row: Row, prefix: str) -> dict[str, Any] | None:
    status = row[f"{prefix}status"]
    return None if status is None else {"status": status, **_since_json(row, prefix)}


def _part_json(row: Row, *others: str) -> dict[str, Any]:
    """Return a row of a person's part as it is, without its key and with instants as text."""
    left_out = {"subject_id", "n", *others}
    return {name: _text(value) for name, value in row.items() if name not in left_out}


def _post_json(row: Row) -> dict[str, Any]:
    began = {"since": row["began"], "since_earliest": row["began_earliest"], "since_latest": row["began_latest"]}
    own = _part_json(row, "began", "began_earliest", "began_latest", "began_fact_id")
    at = {name: _text(value) for name, value in began.items()} | {"fact_id": row["began_fact_id"]}
    return {**own, "began": at if row["began_fact_id"] is not None else None}


def _case_json(row: Row, counts: Iterable[Row]) -> dict[str, Any]:
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
