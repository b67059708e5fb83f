"""The import of an export into an empty database, with ``recorded`` unchanged."""

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, select, update

from events.decode import decode, recorded_of
from events.errors import BadInput, Infrastructure
from projections.tables.ledger_rows import has_records
from projections.tables.schema import partitions
from services.log.local import LocalLog, Stamped

OTHER_OUTCOMES = frozenset({"duplicate", "conflict"})


def restore(log: LocalLog, lines: Iterable[bytes], name: str, until: datetime) -> int:
    """
    Append every line of an export to an empty log, with its ``recorded`` as the log's stamp.

    Either all lines are appended or none.

    Args:
        log: the log of a database that is migrated, and in which nothing was published or projected yet.
        lines: the output of `casetrail audit export`, with or without ``--all``.
        name: the file's name, for errors.
        until: the present; nothing was recorded later. Aware UTC.

    Returns:
        the number of lines appended.

    Raises:
        BadInput: naming the first line that is not of an export, or not in the order of ``recorded``.
        Infrastructure: if the database has been in use.
    """
    return log.restore(_records(lines, name, until), _check_unused)


def _check_unused(conn: Connection) -> None:
    """Refuse a database that has a watermark or a ledger: it could not record an earlier instant."""
    # A projector that saw the log empty must fail on its epoch and look again before it moves its watermark.
    conn.execute(update(partitions).values(epoch=partitions.c.epoch + 1))
    passed = conn.scalar(select(partitions.c.partition).where(partitions.c.watermark.is_not(None)).limit(1))
    if passed is not None or has_records(conn):
        raise Infrastructure("the database has been in use", "import into a new database, made by `casetrail init`")


def _records(lines: Iterable[bytes], name: str, until: datetime) -> Iterator[Stamped]:
    before = datetime.min.replace(tzinfo=UTC)
    for number, raw in enumerate(lines, 1):
        line = raw.strip(b"\r\n")
        if not line.strip():
            continue
        try:
            recorded, event = _recorded(line, before, until)
            if "value_base64" not in event:
                yield recorded, *_fact_record(event)
            elif event.get("outcome") != "forwarded":
                # A record that was forwarded to another partition is in the export again, at that place.
                yield recorded, *_raw_record(event)
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
            f"`recorded` {event['recorded']} is before that of the previous line",
            "the lines in the order of the export",
        )
    if recorded > until:
        raise BadInput(f"`recorded` {event['recorded']} is in the future", "an instant in the past")
    return recorded, event


def _fact_record(event: dict[str, Any]) -> tuple[bytes, None, bytes]:
    """Return key, headers and value of a fact, without the fields that the export added."""
    added = {"recorded", *({"outcome", "reason"} if event.get("outcome") in OTHER_OUTCOMES else ())}
    value = to_json({name: event[name] for name in event if name not in added})
    return decode(value).subject.encode(), None, value


def _raw_record(line: dict[str, Any]) -> tuple[bytes | None, list[list[Any]] | None, bytes | None]:
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
    """Return the value of a header as a record keeps it: a text, null, or an object with the bytes if not text."""
    if isinstance(value, dict):
        return {name: _header(inner) for name, inner in value.items()}
    return None if value is None else value + ""


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
