"""
The conditions of a rule on the data of its facts: the key `where` (docs/design.md, 4).

A `Where` is read once, with every problem at its place, and compiled once into closures. Nothing of a rule is run.
An answer is True, False, or None if a missing value leaves it undecided.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Final, ParamSpec, Self, TypeVar, assert_never, get_args

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from events.canonical import canonical
from events.currencies import CURRENCIES
from events.facts import Fact
from events.fields import CURRENCY, MAX_NUMBER, PATTERN_WORDS
from events.text import quote_briefly, storable
from projections.rules.files.yaml_source import Loc, nearest
from projections.rules.values import RELATED, WANTED, FactTypes, wrong

from .clauses import (
    Check,
    Clause,
    Decide,
    Kind,
    Operator,
    Path,
    Scope,
    Truth,
    all_hold,
    any_holds,
    compiled,
    paths_of,
    plain_clauses,
)
from .fact_fields import FIELDS

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Where:
    """
    Conditions on data, of which all must hold. An alternative of `any` may have `same` and `new` too.

    Equal conditions are equal objects, whatever the order and the form in which they were written. It has more than
    eight methods: the reading, the normal form, the answer, and one question each about roles and fields.
    """

    clauses: tuple[Clause, ...] = ()
    alternatives: tuple["Where", ...] = ()
    same: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()

    @classmethod
    def read(cls, value: object) -> "Where":
        """
        Return the conditions in *value*, as YAML has them (every scalar a text) or as `plain` returns them.

        Raises:
            ValidationError: with every problem, each at the keys and indexes that lead to it.
        """
        if isinstance(value, Where):
            return value
        reading = _Reading()
        where = reading.where(value, (), 0)
        _raise(reading.errors)
        return where

    def plain(self) -> dict[str, Any]:
        """Return the normal form as JSON values: sorted, and a list of one value as this value."""
        held: dict[str, Any] = plain_clauses(self.clauses)
        if self.alternatives:
            held["any"] = [alternative.plain() for alternative in self.alternatives]
        related = {"same": sorted(self.same), "new": sorted(self.new)}
        return held | {name: fields for name, fields in related.items() if fields}

    def holds(self, facts: Mapping[str, Fact], same: Callable[[str], Truth], new: Callable[[str], Truth]) -> Truth:
        """
        Return whether the conditions hold of *facts*; None if a missing value leaves it undecided. Never raises.

        Args:
            facts: by role. Nothing can be decided of a role that is not there, not even `present: false`.
            same: answers whether the follow-up has the same value in a field.
            new: answers whether it has a value there that no fact possibly before the anchor had.
        """
        return self._decide(Scope(facts, same, new))

    def require_roles(self, roles: Collection[str]) -> Self:
        """
        Return these conditions, which use only *roles*. A rule calls it from the validator of its field.

        Raises:
            ValidationError: with each path that has another role.
        """
        errors: list[InitErrorDetails] = []
        for path, loc in self._paths():
            if path.role not in roles:
                wanted = nearest(path.role, roles, f"one of {', '.join(roles)}")
                what = f'"{path.role}" in {path} is not a fact of this pattern'
                errors.append(InitErrorDetails(type=wrong(what, wanted), loc=loc, input=None))
        _raise(errors)
        return self

    def about(self, role: str) -> "Where | None":
        """Return the conditions that concern only the fact of *role*; None: there are none."""
        clauses = tuple(clause for clause in self.clauses if {path.role for path, _ in paths_of((clause,))} == {role})
        alone = all(one.roles == {role} and not one.compares for one in self.alternatives)
        alternatives = self.alternatives if alone else ()
        return Where(clauses, alternatives) if clauses or alternatives else None

    @property
    def compares(self) -> bool:
        """Whether `same` or `new` is in an alternative, at any depth."""
        return bool(self.same or self.new) or any(alternative.compares for alternative in self.alternatives)

    @property
    def all_new(self) -> frozenset[str]:
        """The fields of `new`, of all alternatives."""
        return self.new.union(*(alternative.all_new for alternative in self.alternatives))

    @cached_property
    def roles(self) -> frozenset[str]:
        """The roles of all paths."""
        return frozenset(path.role for path, _ in self._paths())

    def _paths(self) -> Iterator[tuple[Path, Loc]]:
        yield from paths_of(self.clauses)
        for alternative in self.alternatives:
            yield from alternative._paths()  # noqa: SLF001 - of the same class

    @cached_property
    def _decide(self) -> Decide:
        decisions = [compiled(clause) for clause in self.clauses]
        decisions += [partial(lambda name, scope: scope.same(name), name) for name in sorted(self.same)]
        decisions += [partial(lambda name, scope: scope.new(name), name) for name in sorted(self.new)]
        if self.alternatives:
            each = [one._decide for one in self.alternatives]  # noqa: SLF001 - of the same class
            decisions.append(lambda scope: any_holds(decide(scope) for decide in each))
        return decisions[0] if len(decisions) == 1 else lambda scope: all_hold(decide(scope) for decide in decisions)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic read and write the field of a rule with `read` and `plain`."""
        del source, handler
        written = core_schema.plain_serializer_function_ser_schema(cls.plain)
        return core_schema.no_info_plain_validator_function(cls.read, serialization=written)


_TYPES: Final[TypeAdapter[frozenset[str]]] = TypeAdapter(FactTypes)
_ROLE: Final = re.compile("[a-z][a-z0-9_-]{0,99}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,16}(\.[0-9]{1,6})?", re.ASCII)
_DEEPEST: Final = 3
_MOST: Final = 200
_LONGEST: Final = 1000
_NAMES: Final = {
    "text": "a text", "number": "a number", "boolean": "true or false", "list": "a list", "mapping": "a mapping",
}  # fmt: skip
_VALUES: Final = {
    "text": f"a text of 1 to {_LONGEST} characters", "number": f"a number from 0 to {MAX_NUMBER}, such as 10000000",
    "boolean": "true or false",
}  # fmt: skip
_COMPARED: Final = {"is", "not", "at_least", "at_most"}
_OPERATORS: Final[Mapping[str, tuple[Operator, ...]]] = {
    "text": ("not", "present", "contains", "starts_with", "same_as"),
    "number": ("not", "present", "at_least", "at_most", "same_as"),
    "boolean": ("not", "present", "same_as"),
    "list": ("present", "contains"),
    "mapping": ("present",),
}


def _raise(errors: list[InitErrorDetails]) -> None:
    if errors:
        raise ValidationError.from_exception_data("where", errors)


def _shown(value: object) -> str:
    return "nothing" if value is None or value in ("", [], {}) else storable(quote_briefly(value))


def _operators(kind: Kind) -> tuple[Operator, ...]:
    return ("present", "some") if kind.base == "list" and kind.inner else _OPERATORS[kind.base]


def _mapping(value: object, wanted: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value:
        raise wrong(f"{_shown(value)} is here", wanted)
    if len(value) > _MOST:
        raise wrong(f"{len(value)} keys are here", f"at most {_MOST}")
    return {storable(str(key)): held for key, held in value.items()}


def _items(value: object) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise wrong(f"{_shown(value)} is here", "a list, and one item at least")
    if len(value) > _MOST:
        raise wrong(f"{len(value)} items are here", f"at most {_MOST}")
    return value


def _path(text: object, inner: Mapping[str, Kind] | None = None) -> tuple[Path, Kind]:
    """Read a path to a value and its kind: a field of *inner*, the fields of an element, or else ROLE.FIELD."""
    if not isinstance(text, str):
        raise wrong(f"{_shown(text)} is not a path", "a fact and a field, such as anchor.case_id")
    text = storable(text)
    role, _, rest = text.partition(".") if inner is None else ("", "", text)
    if inner is None and (not rest or not _ROLE.fullmatch(role)):
        wanted = f"anchor.{text}" if text in FIELDS else nearest(text, ("any",), "a fact and a field: anchor.case_id")
        raise wrong(f"{_shown(text)} is not a path", wanted)
    fields = FIELDS if inner is None else inner
    name, dot, part = rest.partition(".")
    before = f"{role}." if role else ""
    if name not in fields:
        near = nearest(name, fields, "")
        others = f"one of {', '.join(fields)}" if inner else "a field of the data of a fact, such as anchor.case_id"
        raise wrong(f"{_shown(name)} is not a field here", before + near if near else others)
    kind, place = fields[name], before + name
    if not dot:
        return Path(role, (name,)), kind
    if kind.base == "list" and kind.inner:
        raise wrong(f"{place} is a list", f"{place}: {{some: {{{part}: ...}}}}")
    if part not in kind.inner:
        wanted = f"one of {', '.join(kind.inner)}" if kind.inner else place
        raise wrong(f"{_shown(part)} is not a part of {place}", nearest(part, kind.inner, wanted))
    return Path(role, (name, part)), kind.inner[part]


def _scalar(value: object, kind: Kind) -> Any:  # noqa: ANN401 - a text, a number or a boolean
    """Read one value: of YAML, where every scalar is a text, or of JSON."""
    if kind.base == "number" and isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value) if "." in value else int(value)
    read: object = None
    match value:
        case "true" | "false" if kind.base == "boolean":
            read = value == "true"
        case bool():
            read = value if kind.base == "boolean" else None
        case int() if kind.base == "number":
            read = value
        case float() if kind.base == "number":  # a whole one in the form that it has as a whole number
            read = int(value) if value.is_integer() else value
        case str() if kind.base == "text" and value.strip() and len(value) <= _LONGEST and value == storable(value):
            read = " ".join(value.split())
    if read is None or (kind.base == "number" and not 0 <= read <= MAX_NUMBER):  # type: ignore[operator]
        raise wrong(f"{_shown(value)} is not {_NAMES[kind.base]} for this", _VALUES[kind.base])
    if kind.words and read not in kind.words:
        words = f"one of {', '.join(sorted(kind.words))}" if kind.words != CURRENCIES else PATTERN_WORDS[CURRENCY]
        raise wrong(f"{_shown(value)} is not a value of this field", nearest(str(read), kind.words, words))
    return read


@dataclass
class _Reading:
    """The reader of one `where`, with the problems found so far. After a problem, its result is not used."""

    errors: list[InitErrorDetails] = field(default_factory=list)

    def where(self, value: object, loc: Loc, depth: int) -> Where:
        """Read a mapping of paths: the whole `where` at *depth* 0, else an alternative."""
        conditions = self._attempt(loc, _mapping, value, WANTED["where"]) or {}
        alternatives: tuple[Where, ...] = ()
        related = {"same": frozenset[str](), "new": frozenset[str]()}
        for key in [key for key in conditions if key == "any" or key in related]:
            held, place = conditions.pop(key), (*loc, key)
            if key == "any":
                alternatives = self._alternatives(held, place, depth + 1)
            elif depth:
                related[key] = frozenset(self._values(held, Kind("text", frozenset(RELATED)), place))
            else:
                self._refuse(place, f"{key} is in where, and not in any", f"{key} beside where, or in a mapping of any")
        return Where(self._clauses(conditions, loc, None), alternatives, **related)

    def _refuse(self, loc: Loc, what: str, wanted: str) -> None:
        self.errors.append(InitErrorDetails(type=wrong(what, wanted), loc=loc, input=None))

    def _attempt(self, loc: Loc, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Return the result of *read*; None if it refuses its value, which lies at *loc*."""
        try:
            return read(*args, **kwargs)
        except PydanticCustomError as error:
            self.errors.append(InitErrorDetails(type=error, loc=loc, input=None))
            return None

    def _alternatives(self, value: object, loc: Loc, depth: int) -> tuple[Where, ...]:
        if depth > _DEEPEST:
            self._refuse(loc, f"any lies over {_DEEPEST} deep in any", "fewer levels")
            return ()
        items = self._attempt(loc, _items, value) or []
        read = {self.where(held, (*loc, index), depth) for index, held in enumerate(items)}
        return tuple(sorted(read, key=lambda where: canonical(where.plain())))

    def _clauses(self, conditions: Mapping[str, Any], loc: Loc, inner: Mapping[str, Kind] | None) -> tuple[Clause, ...]:
        """Read conditions on the fields of an element (*inner*), or on paths (None)."""
        clauses: dict[str, Clause] = {}
        for key in sorted(conditions):
            if to := self._attempt((*loc, key), _path, key, inner):
                clauses[key] = Clause(to[0], self._checks(conditions[key], *to, (*loc, key)), to[1], (*loc, key))
        for key, clause in clauses.items():
            if clause.path.is_amount and any(check.operator in _COMPARED for check in clause.checks):
                beside = f"{key.removesuffix('amount')}currency"
                checks = clauses[beside].checks if beside in clauses else ()
                if len(checks) != 1 or checks[0].operator != "is" or len(checks[0].operand) != 1:
                    what = f"{key} is compared without one currency beside it"
                    self._refuse(clause.loc, what, f"one currency in the same mapping, such as {beside}: USD")
                else:
                    clauses[key] = replace(clause, currency=checks[0].operand[0])
        return tuple(clauses.values())

    def _checks(self, value: object, path: Path, kind: Kind, loc: Loc) -> tuple[Check, ...]:
        allowed = _operators(kind)
        wanted = f"one of {', '.join(allowed)}"
        if isinstance(value, Mapping):
            held = self._attempt(loc, _mapping, value, f"a value, a list of values, or {wanted}") or {}
            for name in [name for name in held if name not in allowed]:
                elsewhere = name in get_args(Operator)[1:]
                what = f"{name} is not for {_NAMES[kind.base]}" if elsewhere else f"unknown operator {_shown(name)}"
                self._refuse((*loc, name), what, wanted if elsewhere else nearest(name, allowed, wanted))
            given = [name for name in allowed if name in held]
            checks = {name: self._operand(name, held[name], path, kind, (*loc, name)) for name in given}
            # None: the operand was refused.
            low, high = checks.get("at_least"), checks.get("at_most")
            if low is not None and high is not None and low > high:
                self._refuse(loc, "at_least is more than at_most", "a range with numbers in it")
            return tuple(Check(name, operand) for name, operand in checks.items())
        if "not" not in allowed:
            self._refuse(loc, f"{_shown(value)} is here, and {path} is {_NAMES[kind.base]}", wanted)
            return ()
        return (Check("is", self._values(value, kind, loc)),)

    def _operand(self, name: Operator, value: object, path: Path, kind: Kind, loc: Loc) -> Any:  # noqa: ANN401
        match name:
            case "is" | "not":
                return self._values(value, kind, loc)
            case "present":
                return self._attempt(loc, _scalar, value, Kind("boolean"))
            case "at_least" | "at_most":
                return self._attempt(loc, _scalar, value, kind)
            case "contains" | "starts_with":
                return self._attempt(loc, _scalar, value, Kind("text"))
            case "some":
                wanted = f"conditions on {', '.join(kind.inner)}"
                return self._clauses(self._attempt(loc, _mapping, value, wanted) or {}, loc, kind.inner)
            case "same_as":
                other, its = self._attempt(loc, _path, value) or (path, kind)
                if (its.base, other.is_amount) != (kind.base, path.is_amount):
                    wanted = "a path to an amount" if path.is_amount else f"a path to {_NAMES[kind.base]}"
                    self._refuse(loc, f"{other} and {path} are not comparable", wanted)
                return other
            case _:
                assert_never(name)

    def _values(self, value: object, kind: Kind, loc: Loc) -> tuple[Any, ...]:
        """Read a value or a list of values, as sorted values. A track is the types of the track."""
        items = self._attempt(loc, _items, value if isinstance(value, list) else [value]) or []
        if items and kind is FIELDS["type"]:
            try:
                return tuple(
                    sorted(_TYPES.validate_python([storable(one) if isinstance(one, str) else one for one in items]))
                )
            except ValidationError as error:
                for found in error.errors():
                    self._refuse((*loc, *found["loc"]), found["ctx"]["what"], found["ctx"]["wanted"])
                return ()
        places = [(*loc, index) if isinstance(value, list) else loc for index in range(len(items))]
        read = [self._attempt(place, _scalar, item, kind) for place, item in zip(places, items, strict=True)]
        return tuple(sorted({one for one in read if one is not None}))
