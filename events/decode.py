"""From bytes to a fact and back: the only module that reads, checks and completes the wire form."""

import codecs
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Never

from pydantic import JsonValue, ValidationError
from pydantic_core import from_json, to_json

from events.canonical import FIRST_VERSION, derive_id
from events.edtf import format_instant, parse_instant
from events.errors import BadDate, Unreadable
from events.facts import UNRECORDED, Fact, make_fact
from events.problems import BYTES, bytes_problem, explain
from events.vocabulary import ATTRIBUTES, CURRENT_VERSION, EVENT, fields

from .fields import MAX_LEVELS
from .text import quote
from .upcasts import lift

MAX_BYTES: Final = 900_000
"""The largest accepted fact, in bytes of its JSON form: Kafka's own limit is 1 MB, headers included."""

# The adapter's method of that name passes six arguments that are not used here, which takes a tenth of the time.
_validate: Final = EVENT.validator.validate_json
_EXTENSION: Final = re.compile(r"[a-z0-9]+")
# Both read escapes from left to right, so that an escaped backslash does not begin one.
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|.)", re.DOTALL)
_HIGH, _LOW = r"u[dD][89abAB][0-9a-fA-F]{2}", r"u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE_SURROGATE: Final = re.compile(rf"\\(?:{_HIGH}\\{_LOW}|({_HIGH}|{_LOW})|.)", re.DOTALL)
_PARSER_PLACE: Final = re.compile(r"(?P<what>.*) at line \d+ column (?P<column>\d+)")


def decode(value: bytes, recorded: datetime = UNRECORDED) -> Fact:
    """
    Return the fact in *value*, its CloudEvents JSON form, with data lifted to the current version of its type.

    If a key stands twice in one object, the last one counts, as in every common parser. `complete` refuses such a line.

    Args:
        value: the bytes of a record or of a completed line.
        recorded: the instant at which the ledger accepts it, aware UTC, if that is known.

    Raises:
        Unreadable: if *value* is not such a fact, with the `code` and the reason.
    """
    if len(value) > MAX_BYTES or b"\\u0000" in value:
        _refuse_bytes(value)
    try:
        event = _validate(value)
    except ValidationError as error:
        _refuse_bytes(value)
        raise explain(error, fields) from None
    if not ATTRIBUTES.issuperset(event):
        _check_extensions(event)
    return _fact(event, recorded)


def restore(value: bytes, recorded: datetime) -> Fact:
    """
    Return the fact in bytes that `decode` accepted before, without a second check.

    Args:
        value: the CloudEvents JSON form.
        recorded: the instant at which the ledger accepted it, aware UTC.

    Raises:
        ValueError: if *value* is not JSON; bytes that were decoded before do not raise.
    """
    return _fact(from_json(value), recorded)


def complete(line: bytes, time: datetime) -> tuple[Fact, bytes]:
    """
    Return the fact of a line as a person or tool writes it, and the compact bytes to publish.

    Fills in specversion, id (derived), time, datacontenttype and dataversion if they are missing. Drops `recorded`,
    which only a log sets. The returned bytes always decode.

    Args:
        line: one JSON object, without the end of the line.
        time: the publisher's clock, aware.

    Raises:
        Unreadable: if `decode` would refuse the completed fact, or if a key stands twice in one object.
    """
    if len(line) > MAX_BYTES or b"\\u0000" in line:
        _refuse_bytes(line)
    event = _parsed(line)
    _refuse_twins(line, event)
    event = {name: value for name, value in event.items() if value is not None and name != "recorded"}
    event.setdefault("specversion", "1.0")
    event.setdefault("dataversion", FIRST_VERSION)
    event.setdefault("datacontenttype", "application/json")
    if "time" not in event:
        event["time"] = format_instant(time)
    if "id" not in event:
        event["id"] = derive_id(event)
    completed = to_json(event, inf_nan_mode="constants")
    return decode(completed), completed


def recorded_of(line: bytes) -> datetime | None:
    """
    Return the `recorded` of a line of an export, aware UTC; None if it has none.

    Raises:
        Unreadable: if the line is not a JSON object or its `recorded` is not an instant.
    """
    recorded = _parsed(line).get("recorded")
    if recorded is None:
        return None
    if not isinstance(recorded, str):
        raise Unreadable(f"{quote(recorded)} does not fit", "an instant, such as 2022-04-27T08:00:00Z", "recorded")
    try:
        return parse_instant(recorded)
    except BadDate as bad:
        raise Unreadable(bad.what, bad.wanted, "recorded") from bad


def _fact(event: Mapping[str, Any], recorded: datetime) -> Fact:
    type_ = event["type"]
    version = event.get("dataversion") or FIRST_VERSION
    data = event["data"]
    if version != CURRENT_VERSION[type_]:
        data = lift(type_, version, data)
    return make_fact(
        id=event["id"],
        type=type_,
        subject=event["subject"],
        source=event["source"],
        version=version,
        data=data,
        recorded=recorded,
    )


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        event = from_json(line, allow_inf_nan=False)
    except ValueError:
        _refuse_bytes(line)
        raise
    if not isinstance(event, dict):
        _refuse_bytes(line)
        raise Unreadable(f"{quote(event)} does not fit", "an object")
    return event


def _check_extensions(event: Mapping[str, Any]) -> None:
    for name, value in event.items():
        if name in ATTRIBUTES:
            continue
        if name == BYTES:
            raise bytes_problem()
        if not _EXTENSION.fullmatch(name):
            known = ", ".join(sorted(ATTRIBUTES))
            raise Unreadable(f"unknown attribute {quote(name)}", f"one of {known}, or an extension in a-z and 0-9")
        if not isinstance(value, str | bool | int | None):
            raise Unreadable(f"{quote(value)} does not fit", "a string, a whole number, true or false", name)


def _refuse_twins(line: bytes, event: Mapping[str, Any]) -> None:
    """
    Refuse a key that stands twice in one object.

    A line that is parsed and written again keeps its number of quotation marks, unless a twin was lost (an escaped twin
    may gain a mark). So the marks are counted first, and only a line with another number is parsed again for its keys.
    """
    if b"\\u0022" in line or line.count(b'"') != to_json(event, inf_nan_mode="constants").count(b'"'):
        json.loads(line, object_pairs_hook=_without_twins)


def _without_twins(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise Unreadable(f"the key {quote(twin)} stands twice in one object", "each key once")
    return members


def _refuse_bytes(value: bytes) -> None:
    """Raise the reason why *value* is not accepted JSON; return if it is, so that something else is wrong."""
    if len(value) > MAX_BYTES:
        raise Unreadable(f"{len(value)} bytes", f"at most {MAX_BYTES}", code="too_large")
    text = _text(value)
    if "\0" in text or any(match[1] == "0000" for match in _ESCAPE.finditer(text)):
        raise Unreadable("a NUL character", "text without NUL", code="nul")
    try:
        parsed = from_json(value)
    except ValueError as error:
        raise _json_problem(text, str(error)) from None
    if _levels(parsed) > MAX_LEVELS:
        raise Unreadable("nested too deep", f"at most {MAX_LEVELS} levels", code="too_deep")
    json.loads(text, parse_constant=_refuse_constant)


def _text(value: bytes) -> str:
    if value.startswith(codecs.BOM_UTF8):
        raise Unreadable("a byte order mark at the start", "UTF-8 without one", code="not_utf8")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        what = f"byte {value[error.start]:#04x} at place {error.start + 1} is not UTF-8"
        raise Unreadable(what, "UTF-8", code="not_utf8") from None


def _json_problem(text: str, message: str) -> Unreadable:
    """Return the refusal of *text*, for which the parser reported *message*."""
    if message.startswith("recursion limit"):
        return Unreadable("nested too deep", f"at most {MAX_LEVELS} levels", code="too_deep")
    if lone := next((match[1] for match in _LONE_SURROGATE.finditer(text) if match[1]), None):
        return Unreadable(f"a lone surrogate, {lone}", "both halves of a pair, or the character", code="surrogate")
    if not text.strip():
        return Unreadable("an empty line", "a fact as one JSON object", code="not_json")
    place = _PARSER_PLACE.fullmatch(message)
    what = f"broken JSON at place {place['column']}: {place['what']}" if place else f"broken JSON: {message}"
    return Unreadable(what, "one JSON object", code="not_json")


def _levels(value: JsonValue) -> int:
    """Return the levels of nesting in *value*; the parser accepted it, so Python's own limit is far away."""
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_levels, value.values() if isinstance(value, dict) else value), default=0)


def _refuse_constant(name: str) -> Never:
    raise Unreadable(f"{name} is not JSON", "a number, or nothing", code="not_json")
