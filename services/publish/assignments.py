"""Changes to the data of a fact, as a command line writes them: FIELD=VALUE, and fields to remove."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from events.errors import BadInput
from events.facts import Fact
from events.vocabulary import EVENT, data_problem

Data = Mapping[str, Any]


def apply_changes(
    type_: str,
    data: Data,
    assigned: Iterable[str],
    removed: Iterable[str],
    facts: Mapping[str, Fact] = MappingProxyType({}),
) -> Data:
    """
    Return *data* with some fields changed.

    Args:
        type_: the type of the fact. A value is read as JSON where that fits its field, else as text.
        data: the data, validated; it stays as it is.
        assigned: texts ``FIELD=VALUE``. ``charges.0.title`` is a field within a field; a place just past the end of a
            list adds to the list.
        removed: fields to remove.
        facts: the facts by id that *data* can refer to. The data within a correction is data of another type.

    Raises:
        BadInput: if a field does not exist. `build_correction` checks that the outcome fits the type.
    """
    for assignment in assigned:
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            raise BadInput(f'"{assignment}" is not an assignment', "FIELD=VALUE, such as occurred=2022-04-25", "--set")
        names = path.split(".")
        data = _first_fitting(facts, type_, names, [_put(data, names, value) for value in _readings(text)])
    for path in removed:
        data = _drop(data, path.split("."), path)
    return data


def misfit(facts: Mapping[str, Fact], type_: str, data: Any) -> str | None:  # noqa: ANN401 - JSON
    """Return the reason why *data* does not fit *type_*, or why the data of a correction does not fit its target."""
    inner = None if (problem := data_problem(type_, data)) or type_ != "Corrected" else facts.get(data["fact_id"])
    return misfit(facts, inner.type, data["data"]) if inner else problem


def _readings(text: str) -> list[Any]:
    """Return the possible values of the *text* of an assignment: JSON that is not a string, and the text itself."""
    with suppress(ValueError):
        value = from_json(text, allow_inf_nan=False)
        if value is not None and not isinstance(value, str):
            return [value, text]
    return [text]


def _first_fitting(facts: Mapping[str, Fact], type_: str, path: Sequence[str], outcomes: Sequence[Data]) -> Data:
    """
    Return the first of *outcomes* whose value at *path* fits its field.

    An error in another field is ignored, since a later assignment may correct it. If no value fits and the field is a
    text, the text is returned, so that the refusal names the form of the text.
    """
    for outcome in outcomes:
        if misfit(facts, type_, outcome) is None:
            return outcome
    text_wanted = _error_at(facts, type_, outcomes[0], path) == "string_type"
    return outcomes[-1] if text_wanted else outcomes[0]


def _error_at(facts: Mapping[str, Fact], type_: str, data: Any, path: Sequence[str]) -> str | None:  # noqa: ANN401 - JSON
    """Return the kind of the error at *path* in *data*, as pydantic names it; None if that place has no error."""
    if type_ == "Corrected" and path[:1] == ["data"] and (inner := facts.get(data.get("fact_id"))):
        return _error_at(facts, inner.type, data["data"], path[1:])
    event = {"specversion": "1.0", "id": "-", "source": "-", "subject": "-", "type": type_, "data": data}
    try:
        EVENT.validate_python(event)
    except ValidationError as problem:
        for error in problem.errors(include_url=False, include_input=False):
            place = [str(part) for part in error["loc"][2:]]
            if place == path:
                return error["type"]
    return None


def _put(node: Any, path: Sequence[str], value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return *node* with *value* at *path*; missing objects and lists on the way are added."""
    name, *rest = path
    if isinstance(node, list) or (node is None and name.isdecimal()):
        items = list(node or ())
        index = _index(name, len(items))
        items[index : index + 1] = [_put(items[index] if index < len(items) else None, rest, value) if rest else value]
        return items
    if isinstance(node, Mapping) or node is None:
        fields = dict(node or {})
        return fields | {name: _put(fields.get(name), rest, value) if rest else value}
    raise BadInput(f"{json.dumps(node)} has no field {name}", "a field within an object or a list", "--set")


def _drop(node: Any, path: Sequence[str], whole: str) -> Any:  # noqa: ANN401 - JSON
    """Return *node* without the value at *path*."""
    name, *rest = path
    if isinstance(node, list) and name.isdecimal() and int(name) < len(node):
        index = int(name)
        return [*node[:index], *([_drop(node[index], rest, whole)] if rest else []), *node[index + 1 :]]
    if isinstance(node, Mapping) and name in node:
        others = {key: value for key, value in node.items() if key != name}
        return {**others, name: _drop(node[name], rest, whole)} if rest else others
    raise BadInput(f"there is no {whole}", "a field of the fact's data", "--unset")


def _index(name: str, length: int) -> int:
    if not name.isdecimal() or int(name) > length:
        raise BadInput(f'"{name}" is not a place in a list of {length}', f"a number from 0 to {length}", "--set")
    return int(name)
