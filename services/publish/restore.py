"""Move an export into an empty database, ``recorded`` kept."""

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, select, update

from events.decode import decode, recorded_of
from events.errors import BadInput, Infrastructure
from projections.tables.schema import ledger, partitions
from services.log.local import LocalLog, Stamped

OTHER_OUTCOMES = frozenset({"duplicate", "conflict"})


def restore(log: LocalLog, lines: Iterable[bytes], name: str, until: datetime) -> int:
    """
    Append every line of an export to an empty log, with its ``recorded`` as the log's stamp.

    All lines go in or none does.

    Args:
        log: of a database that is migrated, and in which nothing was published or projected yet.
        lines: what `casetrail audit export` wrote, with or without ``--all``.
        name: the file's name, for errors.
        until: the present; nothing was recorded later. Aware UTC.

    Returns:
        how many lines went in.

    Raises:
        BadInput: naming the first line that is not of an export, or not in the order of ``recorded``.
        Infrastructure: if the database has been in use.
    """
    return log.restore(_records(lines, name, until), _see_that_it_is_fresh)


def _see_that_it_is_fresh(conn: Connection) -> None:
    """Refuse a database in which time has passed: what it recorded next would be recorded after that."""
    # Whoever projects there and has seen the log empty must look again before it lets time pass.
    conn.execute(update(partitions).values(epoch=partitions.c.epoch + 1))
    passed = conn.scalar(select(partitions.c.partition).where(partitions.c.watermark.is_not(None)).limit(1))
    if passed is not None or conn.scalar(select(ledger.c.seq).where(ledger.c.outcome.is_not(None)).limit(1)):
        raise Infrastructure("the database has been in use (want one fresh from `casetrail init`)")


def _records(lines: Iterable[bytes], name: str, until: datetime) -> Iterator[Stamped]:
    before = datetime.min.replace(tzinfo=UTC)
    for number, raw in enumerate(lines, 1):
        line = raw.strip(b"\r\n")
        if not line.strip():
            continue
        try:
            recorded, event = _recorded(line, before, until)
            if "value_base64" not in event:
                yield recorded, *_fact(event)
            elif event.get("outcome") != "forwarded":
                # A record that was sent on stands once more, where it went to.
                yield recorded, *_bytes(event)
        except BadInput as problem:
            raise problem.at(f"{name}:{number}") from None
        before = recorded


def _recorded(line: bytes, before: datetime, until: datetime) -> tuple[datetime, dict[str, Any]]:
    recorded = recorded_of(line)
    if recorded is None:
        raise BadInput(
            "the line has no `recorded`", "a line of `casetrail audit export`; `casetrail publish` takes others"
        )
    event: dict[str, Any] = from_json(line)
    if recorded < before:
        raise BadInput(
            f"`recorded` {event['recorded']} is before that of the line before", "the lines in the order of the export"
        )
    if recorded > until:
        raise BadInput(f"`recorded` {event['recorded']} is yet to come", "an instant that has been")
    return recorded, event


def _fact(event: dict[str, Any]) -> tuple[bytes, None, bytes]:
    """Return key, headers and value of a fact: without what the export said of it, else as it came."""
    said = {"recorded", *({"outcome", "reason"} if event.get("outcome") in OTHER_OUTCOMES else ())}
    value = to_json({name: event[name] for name in event if name not in said})
    return decode(value).subject.encode(), None, value


def _bytes(line: dict[str, Any]) -> tuple[bytes | None, list[list[Any]] | None, bytes | None]:
    """Return key, headers and value of a record that could not be read."""
    try:
        headers = line["headers"]
        if headers is not None:
            headers = [[name + "", _header(value)] for name, value in headers]
        return _decoded(line["key_base64"]), headers, _decoded(line["value_base64"])
    except (ValueError, KeyError, TypeError) as problem:
        what = f"{problem} is missing" if isinstance(problem, KeyError) else f"not a record: {problem}"
        raise BadInput(what, "a line of `casetrail audit export --all`") from None


def _header(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a header as a record keeps it: a text, null, or an object of those for what is no text."""
    if isinstance(value, dict):
        return {name: _header(each) for name, each in value.items()}
    return None if value is None else value + ""


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
