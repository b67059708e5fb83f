"""The ledger recomputed by hand, and statements that fail."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, event

from projections.tables.schema import ledger
from tests.support.builders import rows


def recomputed(engine: Engine) -> list[str]:
    """The hashes of partition 0, worked out from the rows by hand."""
    before, found = "0" * 64, []
    for row in rows(engine, ledger):
        instants = {name: _instant(row[name]) for name in ("recorded", "stamped")}
        key = None if row["key"] is None else row["key"].hex()
        names = "partition seq entry topic log_offset outcome reason fact_id fact_type subject_id recorded stamped"
        fields = [(row | instants)[name] for name in names.split()] + [key, row["headers"]]
        head = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        before = hashlib.sha256(f"{before}\n{head}\n".encode() + (row["value"] or b"")).hexdigest()
        found.append(before)
    return found


def _instant(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if value.microsecond else "%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def refusing(engine: Engine, word: str, error: BaseException, *, times: int = 1) -> Iterator[None]:
    """Let statements that hold *word*, in words or values (``commit`` is one), fail so many *times*."""
    left = [times]

    def refuse(*seen: Any) -> None:
        if left[0] and word in (repr(seen[2:4]) if len(seen) > 1 else "commit"):
            left[0] -= 1
            raise error

    for name in ("before_cursor_execute", "commit"):
        event.listen(engine, name, refuse)
    try:
        yield
    finally:
        for name in ("before_cursor_execute", "commit"):
            event.remove(engine, name, refuse)
