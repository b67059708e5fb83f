"""Move an export into an empty database, ``recorded`` kept."""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from pydantic_core import from_json, to_json
from sqlalchemy import Engine, select

from events.decode import complete, recorded_of
from events.edtf import parse_instant
from events.errors import BadInput, Infrastructure, Unreadable
from projections.tables import ledger, partitions

from .locallog import LocalLog


def restore(engine: Engine, lines: Iterable[bytes], name: str) -> int:
    """
    Append every line of an export to the empty log of *engine*, with its ``recorded`` as the log's stamp.

    All lines go in or none does.

    Args:
        engine: the database: migrated, and nothing projected in it yet.
        lines: what `casetrail audit export` wrote, with or without ``--all``.
        name: the file's name, for errors.

    Returns:
        how many lines went in.

    Raises:
        BadInput: saying which line is not of an export, or not in the order of ``recorded``.
        Infrastructure: if the database is not empty.
    """
    with engine.connect() as conn:
        used = conn.scalar(select(partitions.c.watermark).where(partitions.c.watermark.is_not(None)).limit(1))
        if used is not None or conn.scalar(select(ledger.c.seq).where(ledger.c.outcome.is_not(None)).limit(1)):
            msg = "the database has been in use (want one fresh from `casetrail init`)"
            raise Infrastructure(msg)
    return LocalLog(engine).restore(_records(lines, name))


def _records(lines: Iterable[bytes], name: str) -> Iterator[tuple[datetime, bytes | None, bytes]]:
    before = datetime.min.replace(tzinfo=UTC)
    for number, raw in enumerate(lines, 1):
        value = raw.strip(b"\r\n")
        if not value.strip():
            continue
        where = f"{name}:{number}"
        recorded, key, whole = _parked(value, where) or _fact(value, where)
        if recorded < before:
            what = f"recorded {recorded.isoformat()} is before that of the line before"
            raise BadInput(what, "the lines in the order in which they were exported", where)
        before = recorded
        yield recorded, key, whole


def _fact(value: bytes, where: str) -> tuple[datetime, bytes | None, bytes]:
    try:
        recorded = recorded_of(value)
        if b'"outcome"' in value:
            value = _as_it_came(value)
        fact, whole = complete(value, recorded or datetime.min.replace(tzinfo=UTC))
    except Unreadable as problem:
        raise problem.at(where) from None
    if recorded is None:
        what = "the line has no `recorded`"
        raise BadInput(what, "a line of `casetrail audit export`; `casetrail publish` takes others", where)
    return recorded, fact.subject.encode(), whole


def _as_it_came(value: bytes) -> bytes:
    """Return a line of ``--all`` without what the export said of it."""
    event = from_json(value)
    return to_json({name: event[name] for name in event if name not in {"outcome", "reason"}})


def _parked(value: bytes, where: str) -> tuple[datetime, bytes | None, bytes] | None:
    """Return a line of ``--all`` that holds a record which could not be read; None if it is not one."""
    if b'"value_base64"' not in value:
        return None
    try:
        line = json.loads(value)
        if line.get("outcome") != "parked":
            return None
        return parse_instant(line["recorded"]), None, base64.b64decode(line["value_base64"], validate=True)
    except (ValueError, KeyError, AttributeError, binascii.Error, BadInput) as problem:
        what = f"not a parked record: {problem}"
        raise BadInput(what, "a line of `casetrail audit export --all`", where) from None
