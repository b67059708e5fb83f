"""Canonical JSON (RFC 8785), to distinguish a duplicate from a conflict and to derive ids."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import rfc8785
from pydantic_core import from_json, to_json
from rfc8785 import CanonicalizationError

NAMESPACE: Final = uuid5(NAMESPACE_URL, "urn:casetrail:fact")
"""The namespace of derived ids. With another one, every ingestion tool would publish its facts again."""
FIRST_VERSION: Final = "1"
"""The dataversion of a fact without one."""

_ENVELOPE_PARTS: Final = ("source", "subject", "type")
# In alphabetical order, as RFC 8785 sorts them.
_PARTS: Final = (
    *("agency", "by", "case_id", "charges", "cite", "fact_id", "kind", "occurred", "other", "post", "post_id", "ref"),
    *("relation", "scope", "source", "subject", "title", "type"),
)


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """
    Return the one canonical text of a JSON value, as UTF-8.

    Raises:
        rfc8785.CanonicalizationError: a number that is not finite or beyond 2**53 - 1; no readable fact holds one.
    """
    return rfc8785.dumps(value)


def content(line: bytes) -> bytes:
    """
    Return the content by which two facts of one id are compared: source, type, subject, dataversion and data.

    Args:
        line: the JSON form of a fact that decodes.

    Raises:
        ValueError: if *line* is not JSON.
        KeyError: if it is not a fact.
    """
    event = from_json(line)
    parts = {name: event[name] for name in ("source", "type", "subject", "data")}
    return canonical(parts | {"dataversion": event.get("dataversion") or FIRST_VERSION})


def derive_id(event: Mapping[str, Any]) -> str:
    """
    Return the id of a fact without one. The same statement of the same article always gets the same id.

    It is the UUIDv5 over the canonical object of source, subject and type, of those of agency, by, case_id, charges,
    fact_id, kind, occurred, other, post, post_id, ref, relation, scope and title that the data has, and of `cite`: the
    url, else the title, of the first of its sources.

    Args:
        event: the envelope as parsed JSON; `decode` refuses missing and malformed parts later.
    """
    data = event.get("data")
    known = dict(data) if isinstance(data, Mapping) else {}
    if cite := _cite(known.get("sources")):
        known["cite"] = cite
    known |= {name: event[name] for name in _ENVELOPE_PARTS if name in event}
    parts = {name: known[name] for name in _PARTS if name in known}
    return str(uuid5(NAMESPACE, _text(parts).decode()))


def _cite(sources: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the url, else the title, of the first of *sources*; None if `decode` will refuse the sources."""
    first = sources[0] if isinstance(sources, list) and sources else None
    return first.get("url") or first.get("title") if isinstance(first, Mapping) else None


def _text(parts: dict[str, Any]) -> bytes:
    """Return *parts*, with keys in order, as canonical JSON; as other JSON if a number in them is not allowed."""
    if isinstance(by := parts.get("by"), Mapping):
        parts["by"] = {name: by[name] for name in sorted(by)}
    if "charges" in parts:
        with suppress(CanonicalizationError):
            return canonical(parts)
    # For strings under sorted keys this compact JSON equals RFC 8785, and is many times faster than `canonical`.
    return to_json(parts, inf_nan_mode="constants")
