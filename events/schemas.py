"""JSON Schema of the facts, for tools and people that write facts outside of casetrail."""

from typing import Any, Final, Literal

from pydantic import TypeAdapter

from events.errors import BadInput
from events.vocabulary import CURRENT_VERSION, DATA, Envelope

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DESCRIPTION: Final = (
    "The CloudEvents JSON form. In a line for `casetrail publish`, specversion, id, time, datacontenttype and "
    "dataversion may be left out. Dates (EDTF) are strings here; `casetrail publish --check` reads them."
)


def schema(type_: str | None = None) -> dict[str, Any]:
    """
    Return the JSON Schema (2020-12) of one type of fact, or of all types if *type_* is None.

    Raises:
        BadInput: if there is no such type.
    """
    if type_ is None:
        return _head("fact") | _all()
    if type_ not in DATA:
        raise BadInput(f'"{type_}" is not a type', f"one of {', '.join(DATA)}")
    return _head(f"{type_}:{CURRENT_VERSION[type_]}") | _one(type_)


def _head(name: str) -> dict[str, Any]:
    return {"$schema": DIALECT, "$id": f"urn:casetrail:schema:{name}", "description": _DESCRIPTION}


def _all() -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    for type_ in DATA:
        envelope = _one(type_)
        definitions |= envelope.pop("$defs")
        definitions[type_] = envelope
    return {"oneOf": [{"$ref": f"#/$defs/{type_}"} for type_ in DATA], "$defs": definitions}


def _one(type_: str) -> dict[str, Any]:
    envelope: Any = Envelope
    literal: Any = Literal
    envelope_schema = TypeAdapter(envelope[literal[type_], DATA[type_]]).json_schema()
    envelope_schema.pop("description")
    untitled: dict[str, Any] = _untitled(envelope_schema)
    return untitled


def _untitled(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Remove the titles that pydantic makes from field names; a field named ``title`` is an object, and stays."""
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {name: _untitled(item) for name, item in node.items() if name != "title" or not isinstance(item, str)}
