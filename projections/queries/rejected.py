"""Queries for records that could not be applied: parked ones, and conflicts with an applied fact."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from pydantic_core import from_json
from sqlalchemy import Connection
from typing_extensions import TypedDict

from events.canonical import canonical
from events.edtf import format_instant
from events.facts import Fact
from events.record import again, event_of
from events.text import printable_bytes
from projections.history.corrections import apply_corrections
from projections.ledger.chain import Entry
from projections.subjects.shapes import PositionJson
from projections.tables.ledger_rows import applied_entries, facts_of_subjects
from projections.tables.parked_rows import conflict_pages, last_dismissals, parked_pages

PEOPLE = 50
"""The number of people with facts in memory at the same time."""
PREVIEW_BYTES = 200


class Position(NamedTuple):
    """The place of a record in the log; as text ``PARTITION:OFFSET``."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Parked(NamedTuple):
    """
    A record that is parked.

    Attributes:
        position: its place in the log.
        seq: the place in the chain of the row that parked it last.
        code: the reason in one word.
        reason: the same in words.
        recorded: when it was read, by the log's clock, as text.
        value: its bytes; None where the record had none.
        key: its key; None where the record had none.
        headers: [[name, value], ...] as in the log, a value that is not text as an object; None in the local log.
        dismissed: the reason of its dismissal; None: it was not dismissed.
    """

    position: Position
    seq: int
    code: str
    reason: str
    recorded: str
    value: bytes | None
    key: bytes | None
    headers: list[list[Any]] | None
    dismissed: str | None


class RejectedJson(TypedDict):
    """The fields that a parked record and a replayed one share; ``preview`` is the beginning of its bytes."""

    position: PositionJson
    seq: int
    recorded: str
    size: int
    preview: str
    key: str | None
    headers: list[list[Any]] | None
    dismissed: bool
    dismissed_reason: str | None


class ParkedJson(RejectedJson):
    """A parked record."""

    code: str
    reason: str


class FullParkedJson(ParkedJson):
    """A parked record with its whole ``value``, safe to print."""

    value: str


class ReplayedJson(RejectedJson):
    """A replayed record with its new outcome; ``code`` and ``reason`` are null where there is none."""

    code: str | None
    reason: str | None
    outcome: str | None
    fact_id: str | None


class ConflictSideJson(TypedDict):
    """One of the two records of a conflict. ``content`` has the fields that are compared."""

    position: PositionJson
    seq: int
    recorded: str
    content: dict[str, Any]


class ConflictJson(TypedDict):
    """
    A record with the id of an applied fact and other content.

    ``first`` is the applied record, ``other`` the one in conflict. ``differs`` has the paths of the fields that differ.
    ``first_retracted_by`` is the retraction of the first that is in force, or null. ``same_text`` is whether the two
    are the same text in different normal forms of Unicode.
    """

    fact_id: str
    subject_id: str
    first: ConflictSideJson
    other: ConflictSideJson
    differs: list[str]
    first_retracted_by: str | None
    same_text: bool


def parked(conn: Connection, *, dismissed: bool = False, positions: Sequence[Position] = ()) -> Iterator[Parked]:
    """
    Yield the records that are still parked, in the order of the ledger.

    Args:
        conn: a transaction that sees one state of the database.
        dismissed: include those that were dismissed.
        positions: only these; empty: all.
    """
    with closing(parked_pages(conn, dismissed=dismissed, positions=positions)) as pages:
        for page in pages:
            dismissals = last_dismissals(conn, [_position(entry) for entry in page]) if dismissed else {}
            for entry in page:
                yield _parked(entry, dismissals)


def parked_json(record: Parked) -> ParkedJson:
    """Return the JSON form of a parked record. The preview is safe to print."""
    value = record.value or b""
    return {
        "position": _position_json(record.position),
        "seq": record.seq,
        "code": record.code,
        "reason": record.reason,
        "recorded": record.recorded,
        "size": len(value),
        "preview": printable_bytes(value[:PREVIEW_BYTES]),
        "key": None if record.key is None else printable_bytes(record.key),
        "headers": record.headers,
        "dismissed": record.dismissed is not None,
        "dismissed_reason": record.dismissed,
    }


def full_parked_json(record: Parked) -> FullParkedJson:
    """Return the JSON form of a parked record with all its bytes."""
    return {**parked_json(record), "value": printable_bytes(record.value or b"")}


def replayed_json(entry: Entry) -> ReplayedJson:
    """Return the JSON form of the row of a replayed record."""
    record = parked_json(_parked(entry, {}))
    return {
        **record,
        "code": record["code"] or None,
        "reason": record["reason"] or None,
        "outcome": entry.outcome,
        "fact_id": entry.fact_id,
    }


def conflicts(conn: Connection) -> Iterator[ConflictJson]:
    """Yield each record with the id of an applied fact and other content, in the order of the ledger."""
    with closing(conflict_pages(conn)) as pages:
        for page in pages:
            first = applied_entries(conn, [entry.fact_id for entry in page if entry.fact_id])
            retracted_by = _retractions(conn, first.values())
            yield from (_conflict(first[entry.fact_id], entry, retracted_by) for entry in page if entry.fact_id)


def flat(value: Any, path: str = "") -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Return the single values in *value* by their path, such as ``data.sources.0.url``."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    values: dict[str, Any] = {}
    for name, item in items:
        values |= flat(item, f"{path}.{name}" if path else str(name))
    return values if items else {path: value}


def _position(entry: Entry) -> Position:
    assert entry.log_offset is not None, "a record has an offset"
    return Position(entry.partition, entry.log_offset)


def _position_json(position: Position) -> PositionJson:
    return {"partition": position.partition, "offset": position.offset}


def _parked(entry: Entry, dismissals: Mapping[tuple[int, int], tuple[int, str]]) -> Parked:
    position = _position(entry)
    seq, dismissed = dismissals.get(position, (0, ""))
    reason = entry.reason or ""
    return Parked(
        position,
        entry.seq,
        reason.partition(":")[0],
        reason.partition(": ")[2],
        format_instant(entry.recorded),
        entry.value,
        entry.key,
        entry.headers,
        dismissed.removeprefix("dismissed: ") if seq > entry.seq else None,
    )


def _retractions(conn: Connection, entries: Iterable[Entry]) -> dict[str, str]:
    """Return the retraction in force of each retracted fact of the people in *entries*, by the id of the fact."""
    people = sorted({entry.subject_id for entry in entries if entry.subject_id})
    retractions: dict[str, str] = {}
    for start in range(0, len(people), PEOPLE):
        for facts in _facts_by_subject(conn, people[start : start + PEOPLE]).values():
            retractions |= apply_corrections(facts).retracted_by
    return retractions


def _facts_by_subject(conn: Connection, subject_ids: Sequence[str]) -> dict[str, dict[str, Fact]]:
    """Return the facts of *subject_ids* by the id, by the person."""
    facts: dict[str, dict[str, Fact]] = {subject_id: {} for subject_id in subject_ids}
    for subject_id, headers, value, recorded in facts_of_subjects(conn, subject_ids):
        fact = again(headers, value, recorded)
        facts[subject_id][fact.id] = fact
    return facts


def _conflict(first: Entry, other: Entry, retracted_by: Mapping[str, str]) -> ConflictJson:
    assert other.fact_id is not None, "a record in conflict was read"
    assert first.subject_id is not None, "an applied record is about a person"
    one, two = _side(first), _side(other)
    values, other_values = flat(one["content"]), flat(two["content"])
    return {
        "fact_id": other.fact_id,
        "subject_id": first.subject_id,
        "first": one,
        "other": two,
        "differs": [
            path
            for path in dict.fromkeys((*values, *other_values))
            if (path in values, values.get(path)) != (path in other_values, other_values.get(path))
        ],
        "first_retracted_by": retracted_by.get(other.fact_id),
        "same_text": _normal(one["content"]) == _normal(two["content"]),
    }


def _normal(content: Mapping[str, Any]) -> bytes:
    """
    Return *content* in one normal form of Unicode, that of canonical equivalence (NFC).

    Not NFKC, in which 10² is 102: that is another text.
    """
    return canonical(from_json(unicodedata.normalize("NFC", canonical(content).decode())))


def _side(entry: Entry) -> ConflictSideJson:
    assert entry.value is not None, "the record of a fact has a value"
    content = {"dataversion": "1", **from_json(event_of(entry.headers, entry.value))}
    return {
        "position": _position_json(_position(entry)),
        "seq": entry.seq,
        "recorded": format_instant(entry.recorded),
        "content": {name: content[name] for name in ("source", "type", "subject", "dataversion", "data")},
    }
