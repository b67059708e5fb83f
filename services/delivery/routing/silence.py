"""Silences: a silence holds openings and reminders of its scope until an instant, and never an alert or an end."""

from collections.abc import Iterable
from datetime import datetime

from events.text import comparison_form
from projections.queries.silences import SilenceRow

from .notice import Notice


def is_silenced(notice: Notice, silences: Iterable[SilenceRow], now: datetime) -> bool:
    """Return whether one of *silences* holds *notice* at *now*. All parts of a silence's scope must fit."""
    return any(silence.is_active(now) and _fits(silence, notice) for silence in silences)


def _fits(silence: SilenceRow, notice: Notice) -> bool:
    return (
        silence.rule in {None, notice.rule}
        and (silence.subject is None or silence.subject in notice.facets.subjects)
        and (silence.agency is None or comparison_form(silence.agency) in map(comparison_form, notice.facets.agencies))
    )
