"""How records that could not be applied are read from the ledger: parked ones, and conflicts with what came first."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json
from sqlalchemy import Connection, RowMapping, and_, func, or_, select, text

from events.canonical import canonical
from events.edtf import format_instant
from events.record import again, event_of
from projections.history.history import settle
from projections.ledger.chain import Entry
from projections.tables.ledger_rows import TROUBLED, still_parked
from projections.tables.schema import APPLIED, ledger

CHUNK = 500
PEOPLE = 50
"""Of how many people the facts are held in memory at the same time."""
PREVIEW_BYTES = 200

# In these very words, which are those of the partial index.
_AFTERWARDS = text("ledger.entry in ('replay', 'dismissal')")


class Position(NamedTuple):
    """Where a record stands in the log; as text ``PARTITION:OFFSET``."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Parked(NamedTuple):
    """
    A record that is parked.

    Attributes:
        position: where it stands in the log.
        seq: the place in the chain of the row that parked it last.
        code: the reason in one word.
        reason: the same in words.
        recorded: when it was read, by the log's clock, as text.
        value: its bytes; None where the record had none.
        key: its key; None where the record had none.
        headers: [[name, value], ...] as they came, a value that is no text as an object; None in the local log.
        dismissed: why it is to stay parked; None: it was not dismissed.
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


def parked(conn: Connection, *, dismissed: bool = False, positions: Sequence[Position] = ()) -> Iterator[Parked]:
    """
    Yield what is parked still, in the order in which it was.

    Args:
        conn: a transaction that sees one state of the database.
        dismissed: those too that were dismissed.
        positions: only these; any where there are none.
    """
    query = still_parked(dismissed=dismissed)
    if positions:
        query = query.where(_at(positions))
    with conn.execute(query.execution_options(yield_per=CHUNK)) as result:
        for page in result.mappings().partitions(CHUNK):
            reasons = _dismissals(conn, page) if dismissed else {}
            for row in page:
                yield _parked(row, reasons)


def parked_counts(conn: Connection) -> dict[int, int]:
    """Return how many records are parked that nobody has dismissed, by partition."""
    still = still_parked().order_by(None).subquery()
    rows = conn.execute(select(still.c.partition, func.count()).group_by(still.c.partition))
    return dict(rows.all())


def parked_json(record: Parked) -> dict[str, Any]:
    """Return a parked record as programs read it; ``preview`` is the beginning of its bytes, safe to print."""
    value = record.value or b""
    return {
        "position": record.position._asdict(),
        "seq": record.seq,
        "code": record.code,
        "reason": record.reason,
        "recorded": record.recorded,
        "size": len(value),
        "preview": shown(value[:PREVIEW_BYTES]),
        "key": None if record.key is None else shown(record.key),
        "headers": record.headers,
        "dismissed": record.dismissed is not None,
        "dismissed_reason": record.dismissed,
    }


def replayed_json(entry: Entry) -> dict[str, Any]:
    """
    Return what became of a replayed record as programs read it: in the shape of a parked one, with outcome and fact_id.

    The code and the reason are null where there is none.
    """
    assert entry.log_offset is not None, "a record has an offset"
    position = Position(entry.partition, entry.log_offset)
    code, reason = _in_words(entry.reason or "")
    record = Parked(
        position, entry.seq, code, reason, format_instant(entry.recorded), entry.value, entry.key, entry.headers, None
    )
    said = {"code": code or None, "reason": reason or None, "outcome": entry.outcome, "fact_id": entry.fact_id}
    return parked_json(record) | said


def conflicts(conn: Connection) -> Iterator[dict[str, Any]]:
    """
    Yield each record whose fact was known with other content: both, their positions, and the fields that differ.

    Beside them stand the retraction of the first that is in force (``first_retracted_by``), and whether the two are
    the same text in different normal forms of Unicode (``same_text``).
    """
    query = (
        select(ledger)
        .where(TROUBLED, ledger.c.outcome == "conflict")
        .order_by(ledger.c.partition, ledger.c.seq)
        .execution_options(yield_per=CHUNK)
    )
    with conn.execute(query) as result:
        for page in result.mappings().partitions(CHUNK):
            known = select(ledger).where(ledger.c.fact_id.in_({row["fact_id"] for row in page}), APPLIED)
            first = {row["fact_id"]: row for row in conn.execute(known).mappings()}
            retracted_by = _retractions(conn, first.values())
            yield from (_conflict(first[row["fact_id"]], row, retracted_by) for row in page)


def flat(value: Any, path: str = "") -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Return the single values in *value* by their way in it, such as ``data.sources.0.url``."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: dict[str, Any] = {}
    for name, held in inner:
        found |= flat(held, f"{path}.{name}" if path else str(name))
    return found if inner else {path: value}


def shown(value: bytes) -> str:
    """Return *value* as text, with every byte that is no printable character as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in value.decode("utf-8", "backslashreplace")
    )


def _parked(row: RowMapping, reasons: Mapping[Position, tuple[int, str]]) -> Parked:
    position = Position(row["partition"], row["log_offset"])
    since, dismissed = reasons.get(position, (0, None))
    return Parked(
        position,
        row["seq"],
        *_in_words(row["reason"] or ""),
        format_instant(row["recorded"]),
        row["value"],
        row["key"],
        row["headers"],
        dismissed if since > row["seq"] else None,
    )


def _in_words(reason: str) -> tuple[str, str]:
    """Return the code of a *reason*, and what it says in words."""
    return reason.partition(":")[0], reason.partition(": ")[2]


def _dismissals(conn: Connection, page: Sequence[RowMapping]) -> dict[Position, tuple[int, str]]:
    """Return the last dismissal of each position of *page*: its place in the chain, and the reason."""
    here = _at([Position(row["partition"], row["log_offset"]) for row in page])
    query = select(ledger.c.partition, ledger.c.log_offset, ledger.c.seq, ledger.c.reason).where(
        _AFTERWARDS, ledger.c.entry == "dismissal", here
    )
    return {
        Position(partition, offset): (seq, reason.removeprefix("dismissed: "))
        for partition, offset, seq, reason in conn.execute(query.order_by(ledger.c.seq))
    }


def _at(positions: Sequence[Position]) -> Any:  # noqa: ANN401 - a condition
    offsets: dict[int, list[int]] = {}
    for partition, offset in positions:
        offsets.setdefault(partition, []).append(offset)
    return or_(
        *(and_(ledger.c.partition == partition, ledger.c.log_offset.in_(own)) for partition, own in offsets.items())
    )


def _retractions(conn: Connection, facts: Iterable[RowMapping]) -> dict[str, str]:
    """Return the retraction in force of each fact that is retracted, of the people whom *facts* are about."""
    people = sorted({row["subject_id"] for row in facts if row["subject_id"]})
    found: dict[str, str] = {}
    for start in range(0, len(people), PEOPLE):
        some = people[start : start + PEOPLE]
        about = select(ledger.c.subject_id, ledger.c.headers, ledger.c.value, ledger.c.recorded).where(
            APPLIED, ledger.c.subject_id.in_(some)
        )
        known: dict[str, dict[str, Any]] = {subject_id: {} for subject_id in some}
        for subject_id, headers, value, recorded in conn.execute(about):
            fact = again(headers, value, recorded)
            known[subject_id][fact.id] = fact
        for of_one in known.values():
            found |= settle(of_one).retracted_by
    return found


def _conflict(first: RowMapping, other: RowMapping, retracted_by: Mapping[str, str]) -> dict[str, Any]:
    sides = {"first": _side(first), "other": _side(other)}
    one, two = (flat(side["content"]) for side in sides.values())
    fields = dict.fromkeys((*one, *two))
    return {
        "fact_id": other["fact_id"],
        "subject_id": first["subject_id"],
        **sides,
        "differs": [field for field in fields if (field in one, one.get(field)) != (field in two, two.get(field))],
        "first_retracted_by": retracted_by.get(other["fact_id"]),
        "same_text": _normal(sides["first"]["content"]) == _normal(sides["other"]["content"]),
    }


def _normal(content: Mapping[str, Any]) -> bytes:
    """
    Return *content* in one normal form of Unicode, that of canonical equivalence (NFC).

    Not NFKC, in which 10² is 102: that is another text.
    """
    return canonical(from_json(unicodedata.normalize("NFC", canonical(content).decode())))


def _side(row: RowMapping) -> dict[str, Any]:
    event = from_json(event_of(row["headers"], row["value"]))
    content = {"dataversion": "1", **event}
    return {
        "position": {"partition": row["partition"], "offset": row["log_offset"]},
        "seq": row["seq"],
        "recorded": format_instant(row["recorded"]),
        "content": {name: content[name] for name in ("source", "type", "subject", "dataversion", "data")},
    }
