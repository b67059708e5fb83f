"""A row that a rebuild concluded otherwise than it stood, for people and for programs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from events.edtf import format_instant
from projections.projector.rebuild import Difference

from .terms import safe


def difference_words(difference: Difference) -> str:
    """Return the row and its columns that differ, before and after, on one line."""
    where = f"{difference.table} {' '.join(map(str, difference.key.values()))}"
    if difference.before is None:
        return safe(f"{where}: new{_whose(difference.after)}")
    if difference.after is None:
        return safe(f"{where}: gone{_whose(difference.before)}")
    before, after = plain(difference.before), plain(difference.after)
    return safe(f"{where}: {', '.join(f'{name} {before[name]} -> {after[name]}' for name in before)}")


def _whose(row: Mapping[str, Any] | None) -> str:
    """Return of an alert that came or went, so that those who were told of it can be told: its rule and its person."""
    return f" ({row['rule']}, {row['subject_id']}, {row['state']})" if row and "rule" in row else ""


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value, with instants in it
    """Return *value* with its instants as text."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return format_instant(value) if isinstance(value, datetime) else value
