"""The kinds of value that the fields of a fact hold, and the words of their refusals."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, JsonValue, PlainValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from events.currencies import CURRENCIES
from events.edtf import parse
from events.errors import BadDate

from .text import quote

MAX_LEVELS: Final = 64
"""The most levels of nesting in a fact; the envelope is the first level."""
MAX_COUNTS: Final = 100_000
"""The most counts that one charge stands for. A larger number is a typing error, and sums would not fit a column."""
MAX_NUMBER: Final = 2**53 - 1
"""The largest number that every JSON reader keeps exactly (RFC 8785 has no larger whole number)."""


# Unicode's format and control characters, and its separators of lines and paragraphs. No reader sees them, so two texts
# that differ only in them look the same. These patterns run in pydantic's own engine, which knows these classes.
_INVISIBLE: Final = r"\p{Cf}\p{Cc}\p{Zl}\p{Zp}"
VISIBLE: Final = rf"[^\s{_INVISIBLE}]"
NAME: Final = rf"^{VISIBLE}([^{_INVISIBLE}]*{VISIBLE})?$"
# The same for JSON Schema, up to U+FFFF: most tools that read it do not know these classes, and some fail on them.
_SCHEMA_INVISIBLE: Final = (
    r"\x00-\x1f\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
)
_SCHEMA_VISIBLE: Final = rf"[^\s{_SCHEMA_INVISIBLE}]"
_SCHEMA_NAME: Final = rf"^{_SCHEMA_VISIBLE}([^{_SCHEMA_INVISIBLE}]*{_SCHEMA_VISIBLE})?$"
# Years, months and days, then hours, minutes and seconds, each optional but one; or weeks.
TERM: Final = (
    r"^P([0-9]{1,5}W|T{time}|(?:[0-9]{1,5}Y([0-9]{1,5}M)?([0-9]{1,5}D)?|[0-9]{1,5}M([0-9]{1,5}D)?|[0-9]{1,5}D)(T{time})?)$"
).replace("{time}", r"([0-9]{1,5}H([0-9]{1,5}M)?([0-9]{1,5}S)?|[0-9]{1,5}M([0-9]{1,5}S)?|[0-9]{1,5}S)")
CURRENCY: Final = rf"^({'|'.join(sorted(CURRENCIES))})$"
# Addresses that a reader can look up. An address is shown as a link. So it must not run code (`javascript:`), carry
# content (`data:`) or name a file on the reader's machine (`file:`). Every scheme that is not named here is refused.
ADDRESS: Final = (
    r"^(([Hh][Tt][Tt][Pp][Ss]?|[Ff][Tt][Pp])://[^/?#\s\x00-\x1f\x7f]|([Uu][Rr][Nn]|[Dd][Oo][Ii]):[^\s\x00-\x1f\x7f])"
    r"[^\s\x00-\x1f\x7f]*$"
)
INSTANT: Final = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
MEDIA_TYPE: Final = r"^application/json\s*(;.*)?$"
PATTERN_WORDS: Final[Mapping[str, str]] = {
    VISIBLE: "a text that is not blank; leave out what is not known",
    NAME: "a name that is not blank, has no white space at its ends and no invisible characters",
    TERM: "an ISO 8601 duration, such as P1Y6M or P10D",
    CURRENCY: "a currency of ISO 4217, such as USD",
    ADDRESS: "an address that begins with http://, https://, ftp://, urn: or doi:, such as https://news.example/1",
    INSTANT: "an RFC 3339 date-time, such as 2022-04-27T08:00:00Z",
    MEDIA_TYPE: "application/json",
}


def refused(what: str, wanted: str) -> PydanticCustomError:
    """Return the error for a validator to raise, with the finding and the value *wanted* in plain words."""
    return PydanticCustomError("refused", "{what}", {"what": what, "wanted": wanted})


def _date(text: str) -> str:
    try:
        parse(text)
    except BadDate as bad:
        raise refused(bad.what, bad.wanted) from bad
    return text


def _published(text: str) -> str:
    span = parse(_date(text))
    # It bounds `occurred`, and dates the fact if the log has no stamp. Without an end it can do neither.
    if not span.dated or span.latest is None:
        raise refused(f'"{text}": published has no end', "the latest day it can have appeared, such as 2022-04-27")
    return text


def _day_exists(text: str) -> str:
    try:
        date.fromisoformat(text[:10])
    except ValueError as error:
        raise refused(f'"{text}" is on a day that does not exist', PATTERN_WORDS[INSTANT]) from error
    return text


def _amount(value: object) -> int | float:
    # Not `float`: a whole amount stays whole. In Python a bool is an int, but it is not an amount.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MAX_NUMBER:
        raise refused(f"{quote(value)} is not an amount", f"a number from 0 to {MAX_NUMBER}")
    return value


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    check_plain(data, level=3)
    return data


def check_plain(value: JsonValue, level: int) -> None:
    """
    Refuse values that canonical JSON cannot hold or that other JSON readers would misread.

    Args:
        value: parsed JSON.
        level: the level of *value* itself; the envelope is 1.

    Raises:
        PydanticCustomError: nested deeper than `MAX_LEVELS`; or a number that is not finite, or whole and over
            `MAX_NUMBER`.
    """
    if isinstance(value, dict | list):
        if level > MAX_LEVELS:
            raise PydanticCustomError("too_deep", "nested too deep")
        for item in value.values() if isinstance(value, dict) else value:
            check_plain(item, level + 1)
    elif (isinstance(value, float) and not math.isfinite(value)) or (
        isinstance(value, int) and abs(value) > MAX_NUMBER
    ):
        raise refused(f"{quote(value)} cannot be kept exactly", f"a number within {MAX_NUMBER}")


Id = Annotated[
    str,
    StringConstraints(max_length=255, pattern=NAME),
    WithJsonSchema({"type": "string", "maxLength": 255, "pattern": _SCHEMA_NAME}),
]
Origin = Annotated[
    str,
    StringConstraints(max_length=1024, pattern=NAME),
    WithJsonSchema({"type": "string", "maxLength": 1024, "pattern": _SCHEMA_NAME}),
]
Instant = Annotated[str, StringConstraints(max_length=100, pattern=INSTANT), AfterValidator(_day_exists)]
MediaType = Annotated[str, StringConstraints(pattern=MEDIA_TYPE)]
Text = Annotated[
    str, StringConstraints(pattern=VISIBLE), WithJsonSchema({"type": "string", "pattern": _SCHEMA_VISIBLE})
]
Term = Annotated[str, StringConstraints(pattern=TERM)]
Currency = Annotated[str, StringConstraints(pattern=CURRENCY)]
Number = Annotated[int, Field(ge=1, le=MAX_COUNTS)]
Address = Annotated[str, StringConstraints(pattern=ADDRESS)]
# The length is checked before the text is parsed.
Date = Annotated[str, StringConstraints(max_length=100), AfterValidator(_date)]
Published = Annotated[str, StringConstraints(max_length=100), AfterValidator(_published)]
Amount = Annotated[
    int | float, PlainValidator(_amount), WithJsonSchema({"type": "number", "minimum": 0, "maximum": MAX_NUMBER})
]
Plain = Annotated[dict[str, Any], AfterValidator(_plain)]
