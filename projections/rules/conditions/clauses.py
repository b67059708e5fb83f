"""
Clauses on the data of facts: a path and checks of the value there, compiled once into closures (docs/design.md, 4).

An answer is True, False, or None if a missing value leaves it undecided. No closure raises, and nothing of a rule runs.
Texts are compared without regard to case and white space, in one normal form that keeps characters apart: with NFKC
the article 159³ would be the article 1593.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias, assert_never

from events.facts import Fact
from projections.rules.files.yaml_source import Loc

Truth: TypeAlias = bool | None
Operator = Literal["is", "not", "present", "at_least", "at_most", "contains", "starts_with", "same_as", "some"]
"""The operators of a condition. `is` is that of a bare value or list, and is not written."""
_Test = Literal["is", "not", "at_least", "at_most", "contains", "starts_with"]


class Path(NamedTuple):
    """The place of a value: the role of a fact (empty within an element of a list), and the names that lead to it."""

    role: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.role, *self.names) if self.role else self.names)

    @property
    def is_amount(self) -> bool:
        """Whether the value is a sum of money, in the currency beside it."""
        return self.names[-1] == "amount"

    @property
    def currency(self) -> "Path":
        """The path to the currency beside an amount."""
        return Path(self.role, (*self.names[:-1], "currency"))


class Check(NamedTuple):
    """An operator and its operand: a value, sorted values (`is`, `not`), a `Path` (`same_as`) or clauses (`some`)."""

    operator: Operator
    operand: Any


class Kind(NamedTuple):
    """The values of a field: their type, the texts if they are a closed set, and the fields of a mapping or element."""

    base: Literal["text", "number", "boolean", "list", "mapping"]
    words: frozenset[str] = frozenset()
    inner: Mapping[str, "Kind"] = {}


class Scope(NamedTuple):
    """The facts by role, the answers of `same` and `new`, and the element of a list that `some` looks at."""

    facts: Mapping[str, Fact]
    same: Callable[[str], Truth]
    new: Callable[[str], Truth]
    element: Mapping[str, Any] = {}


Decide: TypeAlias = Callable[[Scope], Truth]
Read: TypeAlias = Callable[[Scope], Any]


@dataclass(frozen=True)
class Clause:
    """A path with its checks. All must hold. `currency` is the currency beside an amount that is compared."""

    path: Path
    checks: tuple[Check, ...]
    kind: Kind = field(compare=False, repr=False)
    loc: Loc = field(compare=False, repr=False)
    currency: str = field(default="", compare=False, repr=False)


def plain_clauses(clauses: Iterable[Clause]) -> dict[str, Any]:
    """Return *clauses* as JSON values; a list of one value is this value."""
    return {str(clause.path): _plain_checks(clause.checks) for clause in clauses}


def _plain_checks(checks: Iterable[Check]) -> Any:  # noqa: ANN401 - any JSON value
    held = {check.operator: _plain_operand(check) for check in checks}
    return held.get("is", held)


def _plain_operand(check: Check) -> Any:  # noqa: ANN401 - any JSON value
    match check.operator:
        case "is" | "not":
            return check.operand[0] if len(check.operand) == 1 else list(check.operand)
        case "same_as":
            return str(check.operand)
        case "some":
            return plain_clauses(check.operand)
        case _:
            return check.operand


def paths_of(clauses: Iterable[Clause]) -> Iterator[tuple[Path, Loc]]:
    """Yield the paths to fields of facts, with their places."""
    for clause in clauses:
        if clause.path.role:
            yield clause.path, clause.loc
        for check in clause.checks:
            if check.operator == "same_as":
                yield check.operand, (*clause.loc, "same_as")
            elif check.operator == "some":
                yield from paths_of(check.operand)


def all_hold(answers: Iterable[Truth]) -> Truth:
    """Return False if any answer is False, else None if any is None, else True."""
    undecided = False
    for answer in answers:
        if answer is False:
            return False
        undecided = undecided or answer is None
    return None if undecided else True


def any_holds(answers: Iterable[Truth]) -> Truth:
    """Return True if any answer is True, else None if any is None, else False."""
    undecided = False
    for answer in answers:
        if answer is True:
            return True
        undecided = undecided or answer is None
    return None if undecided else False


def _raw(path: Path) -> Read:
    role, (first, *rest) = path
    if not role:
        return lambda scope: scope.element.get(first)

    def read(scope: Scope) -> Any:  # noqa: ANN401 - any JSON value
        fact = scope.facts.get(role)
        value = None if fact is None else fact.type if first == "type" else fact.data.get(first)
        for name in rest:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    return read


def _typed(path: Path, kind: Kind, currency: str = "") -> Read:
    """Return the reader of a value in the form for comparison; None if it is missing, or not in *currency*."""
    raw, form = _raw(path), _FORMS[kind.base]
    if not currency:
        return lambda scope: form(raw(scope))
    beside = _raw(path.currency)
    return lambda scope: form(raw(scope)) if beside(scope) == currency else None


def _number_form(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


_FORMS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": lambda value: _text_form(value) if isinstance(value, str) else None,
    "number": _number_form,
    "boolean": lambda value: value if isinstance(value, bool) else None,
    "list": lambda value: value if isinstance(value, list) else None,
    "mapping": lambda value: value if isinstance(value, Mapping) else None,
}


def compiled(clause: Clause) -> Decide:
    """Return the closure that decides whether *clause* holds."""
    decisions = [_decision(check, clause) for check in clause.checks]
    return decisions[0] if len(decisions) == 1 else lambda scope: all_hold(decide(scope) for decide in decisions)


def _decision(check: Check, clause: Clause) -> Decide:
    match check.operator:
        case "present":
            return _presence(clause.path, wanted=check.operand)
        case "same_as":
            return _equality(clause, check.operand)
        case "some":
            return _some(clause, [compiled(inner) for inner in check.operand])
        case "is" | "not" | "at_least" | "at_most" | "contains" | "starts_with":
            value, test = _typed(clause.path, clause.kind, clause.currency), _test(check.operator, check.operand)
            return lambda scope: None if (held := value(scope)) is None else test(held)
        case _:
            assert_never(check.operator)


def _presence(path: Path, *, wanted: bool) -> Decide:
    raw, role = _raw(path), path.role

    def decide(scope: Scope) -> Truth:
        if role and role not in scope.facts:
            return None
        return (raw(scope) is not None) is wanted

    return decide


def _equality(clause: Clause, other: Path) -> Decide:
    reads = [_typed(path, clause.kind) for path in (clause.path, other)]
    # Amounts of different or unknown currency are not comparable, so their currencies must be the same text.
    currencies = [_raw(path.currency) for path in (clause.path, other)] if clause.path.is_amount else []

    def decide(scope: Scope) -> Truth:
        one, two = (read(scope) for read in reads)
        beside = [read(scope) for read in currencies]
        if one is None or two is None or None in beside or beside[:1] != beside[1:]:
            return None
        return bool(one == two)

    return decide


def _some(clause: Clause, inner: list[Decide]) -> Decide:
    value = _typed(clause.path, clause.kind)

    def decide(scope: Scope) -> Truth:
        elements = value(scope)
        if elements is None:
            return None
        scopes = (scope._replace(element=element) for element in elements if isinstance(element, Mapping))
        return any_holds(all_hold(holds(each) for holds in inner) for each in scopes)

    return decide


def _test(operator: _Test, operand: Any) -> Callable[[Any], bool]:  # noqa: ANN401 - by operator
    """Return the test of a value that is there, in the form for comparison."""
    match operator:
        case "is" | "not":
            values = frozenset(_form(one) for one in operand)
            return values.__contains__ if operator == "is" else lambda value: value not in values
        case "at_least":
            return lambda value: bool(value >= operand)
        case "at_most":
            return lambda value: bool(value <= operand)
        case "contains":
            text = _form(operand)
            return lambda value: text in (value if isinstance(value, str) else map(_form, value))
        case "starts_with":
            start = _form(operand)
            return lambda value: bool(value.startswith(start))
        case _:
            assert_never(operator)


def _form(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the form in which *value* is compared."""
    return _text_form(value) if isinstance(value, str) else value


def _text_form(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
