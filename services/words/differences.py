"""A row that differs after a rebuild, for people and for programs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from events.edtf import format_instant
from projections.projector.rebuild import Difference

from .terms import safe


class DifferenceJson(TypedDict):
    """A row that differs: its table and key, and the columns that differ; null before or after: no row."""

    table: str
    key: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def difference_json(difference: Difference) -> DifferenceJson:
    """Return *difference* as JSON, with its instants as text."""
    return {
        "table": difference.table,
        "key": _plain(difference.key),
        "before": _plain(difference.before),
        "after": _plain(difference.after),
    }


def difference_words(difference: Difference) -> str:
    """Return the row and its columns that differ, before and after, on one line."""
    where = f"{difference.table} {' '.join(map(str, difference.key.values()))}"
    if difference.before is None:
        return safe(f"{where}: new{_alert_words(difference.after)}")
    if difference.after is None:
        return safe(f"{where}: gone{_alert_words(difference.before)}")
    before, after = _plain(difference.before), _plain(difference.after)
    return safe(f"{where}: {', '.join(f'{name} {before[name]} -> {after[name]}' for name in before)}")


def _alert_words(row: Mapping[str, Any] | None) -> str:
    """Return the rule, the person and the state of an alert that is new or gone, for its receivers; else nothing."""
    return f" ({row['rule']}, {row['subject_id']}, {row['state']})" if row and "rule" in row else ""


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value, with instants in it
    """Return *value* with its instants as text."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return format_instant(value) if isinstance(value, datetime) else value
