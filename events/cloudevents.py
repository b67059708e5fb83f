"""
The CloudEvents Kafka protocol binding: a fact as record headers and value, and back to its JSON form.

Binary mode keeps each attribute in a header ``ce_NAME`` and only the data in the value. Structured mode has the whole
event in the value, in the JSON form. The content type names the mode. Source: CloudEvents Kafka Protocol Binding 1.0,
section 3.
"""

import json
from collections.abc import Sequence
from typing import Any, Final, Never

from pydantic_core import from_json, to_json

from events.errors import Unreadable

Headers = Sequence[Sequence[Any]]
"""Pairs of a name and a text. A value that did not arrive as text, and so cannot be part of a fact, is not a str."""

PREFIX: Final = "ce_"
CONTENT_TYPE: Final = "content-type"
DATA_TYPE: Final = "application/json"
EVENT_TYPE: Final = "application/cloudevents+json"

_NOT_HEADERS: Final = frozenset({"data", "datacontenttype"})


def to_binary(event: bytes) -> tuple[list[tuple[str, bytes]], bytes]:
    """
    Return the headers and the value of *event*, a fact in its JSON form, in binary mode.

    Args:
        event: the bytes that `decode.complete` returned.
    """
    attributes: dict[str, Any] = from_json(event)
    data = attributes.pop("data")
    content_type = attributes.pop("datacontenttype", DATA_TYPE)
    headers = [(PREFIX + name, _text(value).encode()) for name, value in attributes.items() if value is not None]
    return [(CONTENT_TYPE, content_type.encode()), *headers], to_json(data)


def to_json_form(headers: Headers, value: bytes) -> bytes:
    """
    Return the JSON form of the fact in a record of either mode.

    Args:
        headers: [name, value] pairs.
        value: the record's value.

    Raises:
        Unreadable: ``no_headers`` if neither mode is named, ``not_json`` if the value of binary mode is not a
            single JSON value, ``not_utf8`` if an attribute or the content type is not text, ``invalid`` for another
            content type or a repeated attribute.
    """
    content_type = _content_type(headers)
    if content_type.startswith("application/cloudevents"):
        if content_type != EVENT_TYPE:
            what = f'the content type is "{content_type}"'
            raise Unreadable(what, EVENT_TYPE, CONTENT_TYPE)
        return value
    attributes = _attributes(headers)
    if "specversion" not in attributes:
        what = "the record has no header ce_specversion"
        wanted = "the headers of the CloudEvents Kafka binding, or the content type " + EVENT_TYPE
        raise Unreadable(what, wanted, "headers", code="no_headers")
    try:
        # The value must be one JSON value by itself. Otherwise it could close the object in which it is put below.
        from_json(value)
    except ValueError as problem:
        what = f"broken JSON: {problem}"
        raise Unreadable(what, "one JSON object", "value", code="not_json") from None
    attributes["datacontenttype"] = content_type or DATA_TYPE
    return b"".join((to_json(attributes)[:-1], b',"data":', value, b"}"))


def _content_type(headers: Headers) -> str:
    for name, text in headers:
        if name.lower() == CONTENT_TYPE:
            readable = text if isinstance(text, str) else _refuse(name, text)
            return readable.partition(";")[0].strip().lower()
    return ""


def _attributes(headers: Headers) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for name, text in headers:
        if name.startswith(PREFIX):
            attribute = name[len(PREFIX) :]
            if attribute in attributes or attribute in _NOT_HEADERS:
                what = "the header stands twice" if attribute in attributes else "the header is not of binary mode"
                raise Unreadable(what, "each attribute once, the data in the value", name)
            attributes[attribute] = text if isinstance(text, str) else _refuse(name, text)
    return attributes


def _refuse(name: str, value: object) -> Never:
    what = "the header has no value" if value is None else "the header is not text"
    raise Unreadable(what, "UTF-8 without NUL", name, code="not_utf8")


def _text(value: object) -> str:
    """Return the value of an attribute as the binding writes it: booleans and whole numbers as in JSON."""
    return value if isinstance(value, str) else json.dumps(value)
