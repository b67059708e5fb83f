"""Canonical JSON (RFC 8785), for telling a duplicate from a conflict and for deriving ids."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import rfc8785
from pydantic_core import from_json, to_json

NAMESPACE: Final = uuid5(NAMESPACE_URL, "urn:casetrail:fact")
"""The namespace of derived ids; another one would publish every fact again."""
FIRST_VERSION: Final = "1"
"""The dataversion of a fact that names none."""

# Each in the order of the alphabet, and all of the data's before all of the envelope's: the order RFC 8785 sorts to.
_DATA_PARTS: Final = ("by", "case_id", "fact_id", "occurred", "other", "ref")
_ENVELOPE_PARTS: Final = ("source", "subject", "type")


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """
    Return the one canonical text of a JSON value, as UTF-8.

    Raises:
        rfc8785.CanonicalizationError: a number that is not finite or beyond 2**53 - 1; no readable fact holds one.
    """
    return rfc8785.dumps(value)


def content(line: bytes) -> bytes:
    """
    Return what two facts of one id are compared by: source, type, subject, dataversion and data, canonical.

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
    Return the id of a fact that was given none: the same statement always gets the same one.

    It is the UUIDv5 over the canonical object of source, subject and type, and of case_id, occurred, ref, fact_id,
    other and by of the data, those that are absent left out.

    Args:
        event: the envelope as parsed JSON; what is missing or malformed in it is for `decode` to refuse.
    """
    data = event.get("data")
    parts = {name: data[name] for name in _DATA_PARTS if name in data} if isinstance(data, Mapping) else {}
    if isinstance(by := parts.get("by"), Mapping):
        parts["by"] = {name: by[name] for name in sorted(by)}
    parts |= {name: event[name] for name in _ENVELOPE_PARTS if name in event}
    # Of strings under sorted keys this compact JSON is RFC 8785 already, and many times faster than `canonical`.
    return str(uuid5(NAMESPACE, to_json(parts, inf_nan_mode="constants").decode()))
