"""
The fact in a record of the log.

Records of one publisher and one type of fact differ in their id, their subject, their time and their data. Their other
headers are read once and cached, and the data is validated without a copy. That takes half the time of making the JSON
form and reading it as a whole. An unusual record takes the slow way, which also explains an error.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from pydantic_core import from_json
from typing_extensions import TypedDict

from events.canonical import FIRST_VERSION
from events.decode import MAX_BYTES, decode
from events.errors import Unreadable
from events.facts import Fact, make_fact
from events.fields import Id, Instant
from events.vocabulary import ATTRIBUTES, CURRENT_VERSION, DATA, Envelope

from .cloudevents import CONTENT_TYPE, PREFIX, Headers, to_json_form
from .decode import restore

_ENVELOPE: Final = TypeAdapter(Envelope[str, Any])
# Placeholders for the record's own headers, used when the shared headers are read.
_PLACEHOLDERS: Final = (["ce_id", "-"], ["ce_subject", "-"])
# A record up to this size is never too large a fact, even if every character of the headers has to be escaped.
_CERTAINLY_SMALL: Final = MAX_BYTES // 10


@with_config(ConfigDict(strict=True))
class _Own(TypedDict):
    id: Id
    subject: Id
    time: Instant | None


_validate_own: Final = TypeAdapter(_Own).validator.validate_python


class _Shared(NamedTuple):
    """The content of the shared headers: type, source and version of the fact, and the validator of its data."""

    type: str
    source: str
    version: str
    validate: Callable[[bytes], dict[str, Any]]


def decode_record(headers: Headers | None, value: bytes, recorded: datetime) -> Fact:
    """
    Return the fact in a record of either mode, as `decode` returns it for the JSON form.

    Args:
        headers: [name, value] pairs; None: the value is the JSON form.
        value: the record's value.
        recorded: the instant at which the ledger accepts it, aware UTC.

    Raises:
        Unreadable: as `to_json_form` and `decode` do.
    """
    if headers is None:
        return decode(value, recorded)
    return _decode_usual(headers, value, recorded) or decode(to_json_form(headers, value), recorded)


def _decode_usual(headers: Headers, value: bytes, recorded: datetime) -> Fact | None:
    """Return the fact of a usual record; None if the slow way has to read it."""
    try:
        named: dict[str, Any] = {name: text for name, text in headers}  # noqa: C416 - pairs of any kind
        own = {"id": named.pop("ce_id"), "subject": named.pop("ce_subject"), "time": named.pop("ce_time", None)}
        twins = len(named) + len(own) - (own["time"] is None) < len(headers)
        large = sum(map(len, named.values())) + len(value) > _CERTAINLY_SMALL
        if twins or large or b"\\u0000" in value:
            return None
        # Other headers do not belong to the fact, and a trace id differs in each record.
        shared = _shared(tuple([pair for pair in named.items() if _belongs_to_fact(pair[0])]))
        if shared is None:
            return None
        _validate_own(own)
        data = shared.validate(value)
    except (KeyError, TypeError, ValidationError):
        return None
    return make_fact(
        id=own["id"],
        type=shared.type,
        subject=own["subject"],
        source=shared.source,
        version=shared.version,
        data=data,
        recorded=recorded,
    )


@lru_cache(maxsize=4096)
def _belongs_to_fact(name: str) -> bool:
    return name.startswith(PREFIX) or name.lower() == CONTENT_TYPE


@lru_cache(maxsize=4096)
def _shared(headers: tuple[tuple[str, str], ...]) -> _Shared | None:
    """Return the content of *headers*, which leave out the record's own; None if `decode` has to read them."""
    try:
        form = to_json_form([*headers, *_PLACEHOLDERS], b"{}")
        event = _ENVELOPE.validate_python(from_json(form))
    except (Unreadable, ValidationError):
        return None
    type_, version = event["type"], event.get("dataversion") or FIRST_VERSION
    plain = ATTRIBUTES.issuperset(event) and b"\\u0000" not in form
    if not plain or version != CURRENT_VERSION.get(type_):
        return None
    return _Shared(type_, event["source"], version, _validator(DATA[type_]))


@cache
def _validator(shape: type) -> Callable[[bytes], dict[str, Any]]:
    return TypeAdapter(shape).validator.validate_json


def event_of(headers: Headers | None, value: bytes) -> bytes:
    """Return the JSON form of the fact in a record; *headers* None: *value* is the JSON form."""
    return value if headers is None else to_json_form(headers, value)


def again(headers: Headers | None, value: bytes | None, recorded: datetime) -> Fact:
    """Return the fact of an applied record, from its columns in the ledger."""
    assert value is not None, "an applied record has a value"
    return restore(event_of(headers, value), recorded)
