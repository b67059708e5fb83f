"""The ledger's hashes computed by hand, and statements that fail."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, event

from projections.tables.schema import ledger
from tests.support.builders import rows


def recomputed_hashes(engine: Engine) -> list[str]:
    """Return the hashes of partition 0, computed from the rows by hand."""
    before, hashes = "0" * 64, []
    for row in rows(engine, ledger):
        instants = {name: _instant(row[name]) for name in ("recorded", "stamped")}
        key = None if row["key"] is None else row["key"].hex()
        names = "partition seq entry topic log_offset outcome reason fact_id fact_type subject_id recorded stamped"
        fields = [(row | instants)[name] for name in names.split()] + [key, row["headers"]]
        head = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        before = hashlib.sha256(f"{before}\n{head}\n".encode() + (row["value"] or b"")).hexdigest()
        hashes.append(before)
    return hashes


def _instant(value: datetime | None) -> str | None:
    if value is None:
        return None
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if value.microsecond else "%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def failing_statements(engine: Engine, word: str, error: BaseException, *, times: int = 1) -> Iterator[None]:
    """Make the next *times* statements fail that hold *word* in their text or values; ``commit`` counts as one."""
    left = [times]

    def refuse(*arguments: Any) -> None:
        if left[0] and word in (repr(arguments[2:4]) if len(arguments) > 1 else "commit"):
            left[0] -= 1
            raise error

    for name in ("before_cursor_execute", "commit"):
        event.listen(engine, name, refuse)
    try:
        yield
    finally:
        for name in ("before_cursor_execute", "commit"):
            event.remove(engine, name, refuse)
