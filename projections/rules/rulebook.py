"""
The rule language: rules as checked, frozen data, read from YAML with the place of everything that is wrong.

DESIGN section 6 says what the two patterns mean, `docs/rules.md` says it to those who write rules.
What a rule concludes about a history is decided elsewhere; here it is only read and named.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, ClassVar, Final, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from events.canonical import canonical
from events.errors import BadInput
from events.vocabulary import TRACK_OF, TRACKS

from .values import (
    FIELDS,
    TOKEN,
    TRACK_READ,
    WANTED,
    Certainty,
    Count,
    CustodyWords,
    FactTypes,
    Id,
    PresumptionWords,
    ServiceWords,
    Settle,
    Severity,
    StageWords,
    Text,
    Wait,
    WantedWords,
    wrong,
)
from .yaml_source import LARGEST_BYTES, Loc, Problem, YamlSource, nearest, read, shown

_PATTERN_KEYS: Final = "absent, for and settle, or then, within and certainty"
_FILE_WANTED: Final = "a rule file, or a folder with *.yaml files"
_FROZEN: Final = ConfigDict(frozen=True, extra="forbid")


class CaseCount(BaseModel):
    """A condition on the number of open cases: both ends included, at least one of them given."""

    model_config = _FROZEN
    at_least: Count | None = None
    at_most: Count | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise wrong("open_cases has no figure", WANTED["open_cases"])
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise wrong("at_least is more than at_most", WANTED["open_cases"])
        return self


class Unless(BaseModel):
    """
    Conditions on the status at the anchor; where any of them holds, the rule finds nothing.

    An empty set is a condition that was not given.
    """

    model_config = _FROZEN
    service: ServiceWords = frozenset()
    custody: CustodyWords = frozenset()
    wanted: WantedWords = frozenset()
    stage: StageWords = frozenset()
    presumption: PresumptionWords = frozenset()
    open_cases: CaseCount | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.tracks:
            raise wrong("unless has no condition", WANTED["unless"])
        return self

    @cached_property
    def tracks(self) -> frozenset[str]:
        """The tracks whose facts can change what these conditions say; `Died` aside, which touches all."""
        return frozenset(track for condition, track in TRACK_READ.items() if getattr(self, condition))


class _Pattern(BaseModel):
    """
    What both patterns share. A rule is an `AbsenceRule` or a `SequenceRule`.

    A default, once released, stays: the normal form leaves defaults out, so that a field added later
    changes neither the version of a rule that does not use it nor the meaning of a stored one.
    """

    model_config = _FROZEN
    facts: ClassVar[tuple[str, ...]] = ("anchor", "then")
    id: Id
    title: Text
    severity: Severity = "notice"
    on: FactTypes
    unless: Unless | None = None
    explain: Text

    @field_validator("explain")
    @classmethod
    def _placeholders_known(cls, text: str) -> str:
        known = ["{name}", "{subject}", *(f"{{{fact}.{field}}}" for fact in cls.facts for field in FIELDS)]
        strange = {
            index: (f"{token} is not a placeholder here", nearest(token, known, "{name}, {subject}, {anchor.occurred}"))
            for index, token in enumerate(TOKEN.findall(text))
            if token not in known
        }
        if strange:
            raise PydanticCustomError("placeholder", "unknown placeholders: {strange}", {"strange": strange})
        return text

    def normal(self) -> dict[str, Any]:
        """The rule as plain JSON values: lists sorted, tracks expanded, seconds for durations, no defaults."""
        return {key: _plain(value) for key, value in self.model_dump(by_alias=True, exclude_defaults=True).items()}

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change when, and only when, the rule says something else."""
        return hashlib.sha256(canonical(self.normal())).hexdigest()[:12]

    @property
    def follow(self) -> frozenset[str]:
        """The fact types that change the answer by coming after an anchor."""
        raise NotImplementedError

    @cached_property
    def types(self) -> frozenset[str]:
        """The fact types whose arrival can change the answer. Corrections concern the type they correct."""
        tracks = self.unless.tracks if self.unless else frozenset()
        return self.on | self.follow | {"Died"} | {kind for track in tracks for kind in TRACKS[track]}


class AbsenceRule(_Pattern):
    """A fact with none of `absent` after it for the time `wait` (`for` in the file), judged `settle` later."""

    facts: ClassVar[tuple[str, ...]] = ("anchor",)
    absent: FactTypes
    wait: Wait = Field(alias="for")
    settle: Settle = timedelta(0)

    @property
    def follow(self) -> frozenset[str]:
        """The fact types that end the silence: death is one, unless the rule starts from it."""
        return self.absent if "Died" in self.on else self.absent | {"Died"}


class SequenceRule(_Pattern):
    """A fact followed by one of `then` within a time."""

    then: FactTypes
    within: Wait
    certainty: Certainty = "certain"

    @property
    def follow(self) -> frozenset[str]:
        """The fact types that complete the pattern."""
        return self.then


Rule: TypeAlias = AbsenceRule | SequenceRule


@dataclass(frozen=True)
class Rulebook:
    """The rules in force together, sorted by id; ids are unique."""

    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(sorted(self.rules, key=lambda rule: rule.id)))

    @cached_property
    def version(self) -> str:
        """Twelve hex digits over the ids and versions of all rules."""
        return hashlib.sha256(canonical([[rule.id, rule.version] for rule in self.rules])).hexdigest()[:12]

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The fact types that any rule starts from."""
        return frozenset().union(*(rule.on for rule in self.rules))

    @cached_property
    def silences(self) -> tuple[AbsenceRule, ...]:
        """The rules whose answer time alone can change, by id."""
        return tuple(rule for rule in self.rules if isinstance(rule, AbsenceRule))

    @cached_property
    def sequences(self) -> tuple[SequenceRule, ...]:
        """The rules about what follows, by id."""
        return tuple(rule for rule in self.rules if isinstance(rule, SequenceRule))

    @cached_property
    def _by_type(self) -> dict[str, tuple[Rule, ...]]:
        return {kind: tuple(rule for rule in self.rules if kind in rule.types) for kind in TRACK_OF}

    @cached_property
    def _continued_by(self) -> dict[str, tuple[Rule, ...]]:
        return {kind: tuple(rule for rule in self.rules if kind in rule.on | rule.follow) for kind in TRACK_OF}

    def by_type(self, kind: str) -> tuple[Rule, ...]:
        """The rules whose answer a fact of type *kind* can change, by id."""
        return self._by_type[kind]

    def continued_by(self, kind: str) -> tuple[Rule, ...]:
        """Of these, those whose answer it changes by coming at the end of the world order, all anchors before it."""
        return self._continued_by[kind]

    def as_json(self) -> str:
        """The canonical JSON text that the ledger keeps; `from_json` gives an equal rulebook."""
        return canonical({"rules": [rule.normal() for rule in self.rules]}).decode()

    @classmethod
    def from_json(cls, text: str) -> "Rulebook":
        """
        Read what `as_json` wrote, of this release or an earlier one.

        Raises:
            BadInput: when it is something else.
        """
        try:
            rules = json.loads(text)["rules"]
            return cls(
                tuple((AbsenceRule if "absent" in rule else SequenceRule).model_validate(rule) for rule in rules)
            )
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"the stored rulebook is not readable: {error}", "what casetrail wrote") from error


class RulesError(BadInput):
    """Rule files that cannot be used: every problem of all of them, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)), "")


def load(path: Path) -> Rulebook:
    """
    Read a rule file, or the `*.yaml` and `*.yml` of a folder (not of folders in it; hidden files are left out).

    Raises:
        RulesError: with every problem of every file.
    """
    try:
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        names = [file for file in found if file == path or re.fullmatch(r"[^.].*\.ya?ml", file.name)]
        pages = [read(str(file), _start_of(file)) for file in names]
    except OSError as error:
        raise RulesError(
            [Problem(str(error.filename), 1, 1, f"not readable: {error.strerror}", _FILE_WANTED)]
        ) from error
    if not pages:
        raise RulesError([Problem(str(path), 1, 1, "no rule file is in this folder", _FILE_WANTED)])
    return _bound(pages)


@cache
def pack() -> Rulebook:
    """Return the rules that ship with the program."""
    with as_file(files("projections.rules") / "pack") as folder:
        return load(folder)


def _start_of(file: Path) -> bytes:
    """Return as much of *file* as tells whether it is too large; it may be a pipe, which has no size."""
    with file.open("rb") as opened:
        return opened.read(LARGEST_BYTES + 1)


def _bound(pages: Iterable[YamlSource]) -> Rulebook:
    """Return the rules of all *pages* as one book, or raise every problem of all of them."""
    rules: list[Rule] = []
    places: dict[str, str] = {}
    problems: list[Problem] = []
    for page in pages:
        for loc, given in _given(page):
            name, place = given.get("id"), page.place((*loc, "id"))
            first = places.setdefault(name, place) if name and isinstance(name, str) else place
            if first != place:
                page.problem((*loc, "id"), f'"{name}" is the id of the rule at {first} too', "another id")
            rules += _rule(page, loc, given)
        problems += page.problems
    if problems:
        raise RulesError(problems)
    return Rulebook(tuple(rules))


def _given(page: YamlSource) -> Iterator[tuple[Loc, dict[str, Any]]]:
    """Yield each rule of *page* as it is written, with its place, noting what is wrong around them."""
    if page.data is None and page.problems:
        return
    if not isinstance(page.data, dict):
        what = "the file is empty" if page.data is None else f"{shown(page.data)} stands here"
        return page.problem((), what, "rules: and a list of rules")
    for key in page.data.keys() - {"rules"}:
        page.key_problem((key,), f'unknown key "{key}"', "rules")
    rules = page.data.get("rules", "")
    if not isinstance(rules, list) or not rules:
        return page.problem(("rules",), "no rules are here", WANTED["rules"])
    for index, given in enumerate(rules):
        if isinstance(given, dict):
            yield ("rules", index), given
        else:
            page.problem(("rules", index), f"{shown(given)} is not a rule", "keys such as id, title and on")


def _rule(page: YamlSource, loc: Loc, given: dict[str, Any]) -> list[Rule]:
    """Return the one rule that *given* is, or none, having noted all that is wrong with it."""
    models = [model for key, model in _PATTERNS.items() if key in given]
    model: type[_Pattern] = models[0] if len(models) == 1 else _Pattern
    if model is _Pattern:
        what = "both absent and then are in this rule" if models else "neither absent nor then is in this rule"
        page.problem(loc, what, "one of them: absent for silence after a fact, then for what follows it")
        given = {key: value for key, value in given.items() if key in _keys(_Pattern) or key not in _EVERY_KEY}
    try:
        rule = model.model_validate(given)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            _note(page, model, loc, found)
        return []
    return [rule] if isinstance(rule, AbsenceRule | SequenceRule) else []


def _note(page: YamlSource, model: type[_Pattern], rule: Loc, found: ErrorDetails) -> None:
    """Note one error of pydantic's about the rule at *rule*, under its place in the file."""
    loc, key = (*rule, *found["loc"]), str(found["loc"][-1])
    match found["type"]:
        case "rule":
            page.problem(loc, found["ctx"]["what"], found["ctx"]["wanted"])
        case "placeholder":
            for index, (what, wanted) in found["ctx"]["strange"].items():
                page.token_problem(loc, TOKEN, index, what, wanted)
        case "missing":
            page.problem(loc, f"{key} is missing", WANTED[key])
        case "extra_forbidden":
            part = str(found["loc"][-2]) if len(found["loc"]) > 1 else ""
            known = _keys(_PARTS[part]) if part else _EVERY_KEY if model is _Pattern else _keys(model)
            stray = not part and key in _EVERY_KEY
            what = f"{key} belongs to the other pattern" if stray else f'unknown key "{key}"'
            page.key_problem(loc, what, _PATTERN_KEYS if stray else nearest(key, known, f"one of {', '.join(known)}"))
        case _:
            page.problem(loc, f"{shown(found['input'])} is not what {key} takes", WANTED[key])


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


_PARTS: Final[Mapping[str, type[BaseModel]]] = {"unless": Unless, "open_cases": CaseCount}
_PATTERNS: Final[Mapping[str, type[_Pattern]]] = {"absent": AbsenceRule, "then": SequenceRule}
_EVERY_KEY: Final = tuple(dict.fromkeys((*_keys(AbsenceRule), *_keys(SequenceRule))))


def _plain(value: object) -> object:
    match value:
        case frozenset():
            return sorted(value)
        case timedelta():
            return int(value.total_seconds())
        case dict():
            return {key: _plain(held) for key, held in value.items()}
        case _:
            return value
