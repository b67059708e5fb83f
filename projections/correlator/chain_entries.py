"""
The rows of the correlator's own chain: its rules, the acknowledgements of alerts across people, and silences.

Each names the horizon at which it was written: every step before that instant had been taken. A rebuild applies it
before the first step that is not below that horizon.
"""

import json
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid5

from sqlalchemy import Connection

from events.edtf import format_instant, parse_instant
from projections.alerts.acknowledgement import (
    Acknowledgement,
    Unacknowledgement,
    acknowledgement_from,
    acknowledgement_value,
)
from projections.alerts.alert import NAMESPACE
from projections.ledger.chain import Chain, Entry
from projections.queries.silences import SilenceEnd
from projections.rules.rulebook import Rulebook
from projections.tables.checkpoint import Checkpoint
from projections.tables.ledger_rows import first_rules
from projections.tables.schema import CORRELATOR


class NewSilence(NamedTuple):
    """
    A silence to add.

    Attributes:
        rule, subject, agency: its scope; one at least is not None.
        until: the instant at which it ends.
        person, why: its author, and the reason.
        at: the instant at which it is added, by the author's clock.
    """

    rule: str | None
    subject: str | None
    agency: str | None
    until: datetime
    person: str
    why: str
    at: datetime


def across_only(rulebook: Rulebook) -> Rulebook:
    """Return the rules of *rulebook* that the correlator judges."""
    return Rulebook((), rulebook.across)


def rules_entry(
    start: Checkpoint, rulebook: Rulebook, clock: datetime, *, tells_backfilled: bool, old_before: datetime | None
) -> Entry:
    """Return the row that puts the rules across people of *rulebook* in force behind *start*."""
    # The setting is stated too, so that a rebuild tells of the same alerts.
    value = {"version": rulebook.version, "rules": rulebook.as_json(), "tell_backfilled": tells_backfilled}
    if old_before is not None:
        value["old_before"] = format_instant(old_before)
    return _note(start, "rules", start.watermark or clock, value)


def old_before(conn: Connection) -> datetime | None:
    """Return the instant before which history is older than the first rules across people; None: none is."""
    first = first_rules(conn, CORRELATOR)
    text = _value(first).get("old_before") if first else None
    return None if text is None else parse_instant(text)


def acknowledgement_entry(
    start: Checkpoint, said: Acknowledgement | Unacknowledgement, subject_id: str | None
) -> Entry:
    """Return the row behind *start* with *said*, about an alert on *subject_id* or a group."""
    kind = "acknowledgement" if isinstance(said, Acknowledgement) else "unacknowledgement"
    return _note(start, kind, said.at, acknowledgement_value(said), subject_id)


def silence_entry(start: Checkpoint, silence: NewSilence) -> tuple[str, Entry]:
    """Return the id of a silence, and the row behind *start* that adds it."""
    # By the hash before it too, so that two databases never have the same id.
    silence_id = str(uuid5(NAMESPACE, f"silence {start.seq + 1} {start.hash}"))
    scope = {"rule": silence.rule, "subject": silence.subject, "agency": silence.agency}
    until = {"until": format_instant(silence.until), "by": silence.person, "why": silence.why}
    value = {"silence_id": silence_id, **scope, **until}
    return silence_id, _note(start, "silence", silence.at, value, silence.subject)


def silence_end_entry(start: Checkpoint, silence_id: str, end: SilenceEnd) -> Entry:
    """Return the row behind *start* by which a person ends a silence early."""
    return _note(start, "silence_end", end.at, {"silence_id": silence_id, "by": end.by, "why": end.why})


def horizon_in(entry: Entry) -> datetime | None:
    """Return the horizon at which *entry* was written; None: before the first step."""
    text = _value(entry)["horizon"]
    return None if text is None else parse_instant(text)


def acknowledgement_in(entry: Entry) -> Acknowledgement | Unacknowledgement:
    """Return the acknowledgement in *entry*, or its taking back."""
    return acknowledgement_from(entry.entry, _value(entry), entry.recorded)


def _note(
    start: Checkpoint, kind: str, recorded: datetime, value: dict[str, Any], subject_id: str | None = None
) -> Entry:
    chain = Chain(start.topic, start.partition, start.seq, start.hash)
    horizon = format_instant(start.watermark) if start.watermark else None
    text = json.dumps({**value, "horizon": horizon}, ensure_ascii=False)
    return chain.note(kind, recorded, text.encode(), subject_id)


def _value(entry: Entry) -> dict[str, Any]:
    assert entry.value is not None, "a row of the correlator's chain has a value"
    value: dict[str, Any] = json.loads(entry.value)
    return value
