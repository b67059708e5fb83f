"""A silence: it holds openings and reminders of its scope until an instant, and never an alert or an end."""

from datetime import datetime
from typing import NamedTuple

from events.text import comparison_form

from .notice import Notice


class Silence(NamedTuple):
    """
    A silence, as its row of the ledger states it.

    Attributes:
        silence_id: its id.
        rule, subject, agency: its scope. All that are not None must fit; one at least is not None.
        until: the instant at which it ends; aware UTC.
        by: its author.
        why: the reason.
        ended: the instant at which somebody ended it early; None: nobody did.
    """

    silence_id: str
    rule: str | None
    subject: str | None
    agency: str | None
    until: datetime
    by: str
    why: str
    ended: datetime | None = None

    def is_active(self, now: datetime) -> bool:
        """Return whether it holds at *now*."""
        return now < self.until and self.ended is None

    def fits(self, notice: Notice) -> bool:
        """Return whether *notice* is in its scope."""
        return (
            self.rule in {None, notice.rule}
            and (self.subject is None or self.subject in notice.facets.subjects)
            and (self.agency is None or comparison_form(self.agency) in map(comparison_form, notice.facets.agencies))
        )
