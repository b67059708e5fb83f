"""The silences: rows of the correlator's chain that hold openings and reminders of a scope until an instant."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection
from typing_extensions import TypedDict

from events.edtf import format_instant, parse_instant
from projections.ledger.chain import Entry
from projections.tables.ledger_rows import silence_entries


class SilenceEnd(NamedTuple):
    """The early end of a silence: the instant by the clock of the person, the person, and the reason."""

    at: datetime
    by: str
    why: str


class SilenceRow(NamedTuple):
    """
    A silence.

    Attributes:
        silence_id: its id.
        rule, subject, agency: its scope. All that are not None must fit; one at least is not None.
        until: the instant at which it ends; aware UTC.
        by: its author.
        why: the reason.
        since: the instant at which it was added, by the clock of its author.
        ended: its early end; None: nobody ended it.
    """

    silence_id: str
    rule: str | None
    subject: str | None
    agency: str | None
    until: datetime
    by: str
    why: str
    since: datetime
    ended: SilenceEnd | None = None

    def is_active(self, now: datetime) -> bool:
        """Return whether it holds at *now*."""
        return now < self.until and self.ended is None


class SilenceEndJson(TypedDict):
    """The early end of a silence."""

    at: str
    by: str
    why: str


class SilenceJson(TypedDict):
    """A silence. Of ``rule``, ``subject`` and ``agency``, those that are no part of its scope are null."""

    silence_id: str
    rule: str | None
    subject: str | None
    agency: str | None
    since: str
    until: str
    by: str
    why: str
    ended: SilenceEndJson | None


def silences(conn: Connection) -> list[SilenceRow]:
    """Return all silences, those that are over too, in the order in which they were added."""
    rows: dict[str, SilenceRow] = {}
    for entry in silence_entries(conn):
        value = _value(entry)
        own = value["silence_id"]
        if entry.entry == "silence":
            scope = (value["rule"], value["subject"], value["agency"])
            until = parse_instant(value["until"])
            rows[own] = SilenceRow(own, *scope, until, value["by"], value["why"], entry.recorded)
        elif rows[own].ended is None:
            rows[own] = rows[own]._replace(ended=SilenceEnd(entry.recorded, value["by"], value["why"]))
    return [*rows.values()]


def active_silences(conn: Connection, now: datetime) -> Iterator[SilenceRow]:
    """Yield the silences that hold at *now*."""
    return (row for row in silences(conn) if row.is_active(now))


def silence_json(row: SilenceRow) -> SilenceJson:
    """Return the JSON form of a silence."""
    ended = row.ended
    return {
        "silence_id": row.silence_id,
        "rule": row.rule,
        "subject": row.subject,
        "agency": row.agency,
        "since": format_instant(row.since),
        "until": format_instant(row.until),
        "by": row.by,
        "why": row.why,
        "ended": {"at": format_instant(ended.at), "by": ended.by, "why": ended.why} if ended else None,
    }


def _value(entry: Entry) -> dict[str, Any]:
    assert entry.value is not None, "a silence has a value"
    value: dict[str, Any] = json.loads(entry.value)
    return value
