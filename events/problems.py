"""Validation errors in plain words: the place, the value and the wanted value."""

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from events.errors import Unreadable

from .fields import MAX_LEVELS, PATTERN_WORDS
from .text import quote, wanted_type

Fields = Callable[[str], Mapping[str, str]]
Place = tuple[int | str, ...]

BYTES: Final = "data_base64"
"""The attribute in which a CloudEvent carries data as bytes."""

_WANTED: Final[Mapping[str, str]] = {
    "string_type": "a string",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "list_type": "an array",
    "too_short": "at least one",
    "string_too_long": "at most {max_length} characters",
    "literal_error": "{expected}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}


def explain(error: ValidationError, fields: Fields) -> Unreadable:
    """
    Return the refusal of a fact: its first error, or that its version or type is not known.

    Args:
        error: the error of the validation of the tagged union.
        fields: returns the fields of a shape with their descriptions (`vocabulary.fields`).
    """
    errors = error.errors(include_url=False)
    # A later release may have changed any field, so an unknown version is reported before other errors.
    first = next((item for item in errors if item["loc"][1:] == ("dataversion",)), errors[0])
    match first["type"]:
        case "union_tag_not_found" | "union_tag_invalid":
            return _type_problem(first)
        case "missing" | "extra_forbidden":
            return _field_problem(first, fields(_shape(first["loc"])))
        case "literal_error" if first["loc"][1:] == ("dataversion",) and isinstance(first["input"], str):
            what = f"{quote(first['input'])} is not a version this release knows"
            return Unreadable(what, first["ctx"]["expected"], "dataversion", "unknown_version")
    return _value_problem(first)


def bytes_problem() -> Unreadable:
    """Return the refusal of `data_base64`, in which a CloudEvent carries data that is not JSON."""
    return Unreadable("data in bytes is not taken", "data as a JSON object", BYTES)


def _type_problem(error: ErrorDetails) -> Unreadable:
    type_ = error["input"].get("type")
    if not isinstance(type_, str):
        what = "missing" if type_ is None else f"{quote(type_)} does not fit"
        return Unreadable(what, "the type of the fact, a string", "type")
    wanted = wanted_type(type_, error["ctx"]["expected_tags"].replace("'", "").split(", "))
    return Unreadable(f"{quote(type_)} is not a type this release knows", wanted, "type", "unknown_type")


def _field_problem(error: ErrorDetails, known: Mapping[str, str]) -> Unreadable:
    name = str(error["loc"][-1])
    if error["type"] == "missing":
        if error["loc"][1:] == ("data",) and BYTES in error["input"]:
            return bytes_problem()
        return Unreadable("missing", known[name], _place(error["loc"]))
    return Unreadable(f"unknown field {quote(name)}", f"one of {', '.join(known)}", _place(error["loc"]))


def _value_problem(error: ErrorDetails) -> Unreadable:
    kind, words, where = error["type"], error.get("ctx", {}), _place(error["loc"])
    match kind:
        case "refused":
            return Unreadable(words["what"], words["wanted"], where)
        case "too_deep":
            return Unreadable("nested too deep", f"at most {MAX_LEVELS} levels", where, "too_deep")
        case "string_pattern_mismatch":
            wanted = PATTERN_WORDS[words["pattern"]]
        case _:
            wanted = _WANTED.get(kind, error["msg"]).format(**words)
    return Unreadable(f"{quote(error['input'])} does not fit", wanted, where)


def _place(location: Place) -> str:
    """Return a place, which starts with the type, in the form `data.sources[0].url`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location[1:])
    return "".join(parts).removeprefix(".")


def _shape(location: Place) -> str:
    """Return the name, for `vocabulary.fields`, of the shape with the field at *location*."""
    names = [part for part in location[:-1] if isinstance(part, str)]
    match names:
        case [_]:
            return "envelope"
        case [type_, "data"]:
            return type_
    return names[-1]
