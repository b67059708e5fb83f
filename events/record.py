"""
The fact in a record of the log.

Records of one publisher and one type of fact differ in their id, their subject, their time and their data. What else
their headers say is looked at once, and the data is validated where it stands: that takes half the time of making the
JSON form and reading it as a whole. Whatever is not as it nearly always is goes that way, which says what is wrong.
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
# Stand for what each record has of its own, while what it shares with others is looked at.
_SOME: Final = (["ce_id", "-"], ["ce_subject", "-"])
# So much of headers and value is no fact too large, whatever has to be escaped in the headers.
_ENOUGH: Final = MAX_BYTES // 10


@with_config(ConfigDict(strict=True))
class _Own(TypedDict):
    id: Id
    subject: Id
    time: Instant | None


_validate_own: Final = TypeAdapter(_Own).validator.validate_python


class _Shared(NamedTuple):
    """What the other headers say: the type of the fact, who states it, the version, and what validates its data."""

    type: str
    source: str
    version: str
    validate: Callable[[bytes], dict[str, Any]]


def decode_record(headers: Headers | None, value: bytes, recorded: datetime) -> Fact:
    """
    Return the fact in a record, in whichever mode it came: what `decode` makes of its JSON form.

    Args:
        headers: [name, value] pairs; None: the value is the JSON form.
        value: the record's value.
        recorded: when the ledger accepts it, aware UTC.

    Raises:
        Unreadable: as `to_json_form` and `decode` do.
    """
    if headers is None:
        return decode(value, recorded)
    return _as_usual(headers, value, recorded) or decode(to_json_form(headers, value), recorded)


def _as_usual(headers: Headers, value: bytes, recorded: datetime) -> Fact | None:
    """Return the fact if nothing is unusual about it."""
    try:
        named: dict[str, Any] = {name: text for name, text in headers}  # noqa: C416 - pairs of any kind
        own = {"id": named.pop("ce_id"), "subject": named.pop("ce_subject"), "time": named.pop("ce_time", None)}
        twins = len(named) + len(own) - (own["time"] is None) < len(headers)
        large = sum(map(len, named.values())) + len(value) > _ENOUGH
        if twins or large or b"\\u0000" in value:
            return None
        # Others say nothing of a fact, and the number of a trace is another in each record.
        shared = _shared(tuple([pair for pair in named.items() if _counts(pair[0])]))
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
def _counts(name: str) -> bool:
    return name.startswith(PREFIX) or name.lower() == CONTENT_TYPE


@lru_cache(maxsize=4096)
def _shared(headers: tuple[tuple[str, str], ...]) -> _Shared | None:
    """Return what *headers* say, those of the record's own left out; None if that is for `decode` to look at."""
    try:
        form = to_json_form([*headers, *_SOME], b"{}")
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
    """Return the JSON form of what a record holds; *headers* None: that is what it holds."""
    return value if headers is None else to_json_form(headers, value)


def again(headers: Headers | None, value: bytes | None, recorded: datetime) -> Fact:
    """Return the fact of an applied record, its columns read back from the ledger."""
    assert value is not None, "an applied record has a value"
    return restore(event_of(headers, value), recorded)
