"""The fields of facts to which a path of `where` may lead, each with its kind."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from typing_extensions import is_typeddict

from events.currencies import CURRENCIES
from events.vocabulary import DATA, TRACK_OF

from .clauses import Kind


def _kinds(shapes: Iterable[type]) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for shape in shapes:
        for name, hint in get_type_hints(shape).items():
            kind = Kind("text", CURRENCIES) if name == "currency" else _kind(hint)
            kinds[name] = _merged(kinds[name], kind) if name in kinds else kind
    return kinds


def _kind(hint: Any) -> Kind:  # noqa: ANN401 - type hints have no common type
    if get_origin(hint) is Literal:
        return Kind("text", frozenset(get_args(hint)))
    if get_origin(hint) is list:
        return Kind("list", inner=_kinds(filter(is_typeddict, get_args(hint))))
    if is_typeddict(hint):
        return Kind("mapping", inner=_kinds([hint]))
    return Kind("boolean" if hint is bool else "text" if hint is str else "number")


def _merged(one: Kind, other: Kind) -> Kind:
    """Return the kind of a field of two shapes. `by` is a text in one and a mapping in the other: it is both."""
    texts = [kind.words for kind in (one, other) if kind.base == "text"]
    words = frozenset[str]().union(*texts) if all(texts) else frozenset[str]()
    return Kind("text" if texts else one.base, words, {**one.inner, **other.inner})


# Corrected and Retracted are applied to a history before a rule sees it.
FIELDS: Final = {
    "type": Kind("text"),
    **_kinds(dict.fromkeys(shape for type_, shape in DATA.items() if TRACK_OF[type_] != "meta")),
}
"""The fields of all types of fact to which a path may lead."""


@cache
def fields_of(type_: str) -> Mapping[str, Kind]:
    """Return the fields of the data of one type of fact."""
    return _kinds([DATA[type_]])
