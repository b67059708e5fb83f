"""Validation errors in our words: where, what was found and what was wanted."""

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from events.errors import Unreadable
from events.fields import MAX_LEVELS, PATTERN_WORDS

QUOTED_CHARACTERS: Final = 80

Fields = Callable[[str], Mapping[str, str]]
Place = tuple[int | str, ...]

_WANTED: Final[Mapping[str, str]] = {
    "string_type": "a string",
    "string_too_short": "a string that is not empty",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "list_type": "an array",
    "too_short": "at least one",
}
_WANTED_WITH: Final[Mapping[str, str]] = {
    "string_too_long": "at most {max_length} characters",
    "literal_error": "{expected}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}


def quote(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return *value* as JSON, cut to `QUOTED_CHARACTERS`."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= QUOTED_CHARACTERS else f"{text[:QUOTED_CHARACTERS]}..."


def explain(error: ValidationError, fields: Fields) -> Unreadable:
    """
    Return what is wrong with a fact: the first error, or that its version or type is not known.

    Args:
        error: what validation of the tagged union raised.
        fields: gives the fields of a shape, with their descriptions (`vocabulary.fields`).
    """
    errors = error.errors(include_url=False)
    # A later release may have changed any field, so its version is named before what does not fit ours.
    first = next((each for each in errors if each["loc"][1:] == ("dataversion",)), errors[0])
    kind, found, words = first["type"], first["input"], first.get("ctx", {})
    where = _place(first["loc"][1:])
    match kind:
        case "union_tag_not_found":
            return Unreadable("missing", "the type of the fact", "type")
        case "union_tag_invalid":
            return _type_problem(found["type"], words["expected_tags"].replace("'", "").split(", "))
        case "too_deep":
            return Unreadable("nested too deep", f"at most {MAX_LEVELS} levels", where, "too_deep")
        case "refused":
            return Unreadable(words["what"], words["wanted"], where)
        case "missing":
            return Unreadable("missing", fields(_shape(first["loc"]))[str(first["loc"][-1])], where)
        case "extra_forbidden":
            known = ", ".join(fields(_shape(first["loc"])))
            return Unreadable(f"unknown field {quote(first['loc'][-1])}", f"one of {known}", where)
        case "literal_error" if where == "dataversion" and isinstance(found, str):
            return Unreadable(f"{quote(found)} is not a version this release knows", "1", where, "unknown_version")
    return Unreadable(f"{quote(found)} does not fit", _wanted(kind, words, first["msg"]), where)


def _type_problem(found: object, known: list[str]) -> Unreadable:
    if not isinstance(found, str):
        return Unreadable(f"{quote(found)} does not fit", "a string", "type")
    close = get_close_matches(found, known, n=1)
    wanted = f"perhaps {close[0]}" if close else "one that `casetrail schema` lists"
    return Unreadable(f"{quote(found)} is not a type this release knows", wanted, "type", "unknown_type")


def _place(location: Place) -> str:
    """Write a place as `data.sources[0].url`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _shape(location: Place) -> str:
    """Return the name of the shape whose field *location* is, as `vocabulary.fields` knows it."""
    names = [part for part in location[:-1] if isinstance(part, str)]
    match names:
        case [_]:
            return "envelope"
        case [type_, "data"]:
            return type_
    return names[-1]


def _wanted(kind: str, words: Mapping[str, Any], message: str) -> str:
    if kind == "string_pattern_mismatch":
        return PATTERN_WORDS[words["pattern"]]
    return _WANTED.get(kind) or _WANTED_WITH.get(kind, message).format(**words)
