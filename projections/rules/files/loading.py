"""Rule files: read as YAML, checked, and every problem reported with its file, line and column."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from events.errors import BadInput
from events.text import quote_briefly
from projections.rules.conditions.status import CaseCount, Unless
from projections.rules.patterns.pattern import Rule
from projections.rules.rulebook import PATTERNS, Rulebook
from projections.rules.values import TOKEN, WANTED

from .rule_tests import RuleTest, read_tests
from .yaml_source import LARGEST_BYTES, Loc, Problem, YamlSource, nearest, read

_PATTERN_KEYS: Final = "absent, for, from, before and settle, or then, within, over and certainty"
_FILE_WANTED: Final = "a rule file, or a folder with *.yaml files"


class RulesError(BadInput):
    """The problems of rule files, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)), "")


class WrittenRule(NamedTuple):
    """
    A rule as a person wrote it.

    Attributes:
        id: the id of the rule.
        data: its keys and values, without its tests.
        tests: its tests.
        source, loc: the file, and the place of the rule in it.
    """

    id: str
    data: dict[str, Any]
    tests: tuple[RuleTest, ...]
    source: YamlSource
    loc: Loc


class WrittenRules(NamedTuple):
    """The rules of files, and each of them as it was written, in the order of the files."""

    book: Rulebook
    written: tuple[WrittenRule, ...]


def load(path: Path) -> Rulebook:
    """
    Read a rule file, or the `*.yaml` and `*.yml` of a folder (not of folders in it; hidden files are left out).

    Raises:
        RulesError: with every problem of every file.
    """
    return _combined(_sources(path))


def load_written(path: Path) -> WrittenRules:
    """
    Read the same files with the tests of the rules.

    Raises:
        RulesError: as `load` does.
    """
    sources = _sources(path)
    book = _combined(sources)
    return WrittenRules(
        book, tuple(_as_written(source, *rule) for source in sources for rule in _written_rules(source))
    )


def _sources(path: Path) -> list[YamlSource]:
    try:
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        names = [file for file in found if file == path or re.fullmatch(r"[^.].*\.ya?ml", file.name)]
        sources = [read(str(file), _start_of(file)) for file in names]
    except OSError as error:
        raise RulesError(
            [Problem(str(error.filename), 1, 1, f"not readable: {error.strerror}", _FILE_WANTED)]
        ) from error
    if not sources:
        raise RulesError([Problem(str(path), 1, 1, "no rule file is in this folder", _FILE_WANTED)])
    return sources


def _as_written(source: YamlSource, loc: Loc, rule_data: dict[str, Any]) -> WrittenRule:
    tests = read_tests(source, (*loc, "tests"), rule_data["tests"]) if "tests" in rule_data else ()
    return WrittenRule(rule_data["id"], _without_tests(rule_data), tests, source, loc)


def rule_of(rule_data: Mapping[str, Any]) -> Rule | None:
    """Return the rule that *rule_data* describes, as `WrittenRule.data` has it; None if it is not a valid rule."""
    source = YamlSource("")
    rules = _rule(source, (), dict(rule_data))
    return rules[0] if rules and not source.problems else None


@cache
def pack() -> Rulebook:
    """Return the rules that ship with the program."""
    with as_file(files("projections.rules") / "pack") as folder:
        return load(folder)


def written_pack() -> WrittenRules:
    """Return the same rules with their tests."""
    with as_file(files("projections.rules") / "pack") as folder:
        return load_written(folder)


def _start_of(file: Path) -> bytes:
    """Return *file*, cut just above the size limit; it may be a pipe, which has no size."""
    with file.open("rb") as opened:
        return opened.read(LARGEST_BYTES + 1)


def _combined(sources: Iterable[YamlSource]) -> Rulebook:
    """Return the rules of all *sources* as one book, or raise all their problems."""
    rules: list[Rule] = []
    places: dict[str, str] = {}
    problems: list[Problem] = []
    for source in sources:
        for loc, rule_data in _written_rules(source):
            name, place = rule_data.get("id"), source.place((*loc, "id"))
            first = places.setdefault(name, place) if name and isinstance(name, str) else place
            if first != place:
                source.problem((*loc, "id"), f'"{name}" is the id of the rule at {first} too', "another id")
            rules += _rule(source, loc, rule_data)
        problems += source.problems
    if problems:
        raise RulesError(problems)
    return Rulebook(tuple(rules))


def _written_rules(source: YamlSource) -> Iterator[tuple[Loc, dict[str, Any]]]:
    """Yield each rule of *source* as it is written, with its place, and add the problems around the rules."""
    if source.data is None and source.problems:
        return
    if not isinstance(source.data, dict):
        what = "the file is empty" if source.data is None else f"{quote_briefly(source.data)} is here"
        return source.problem((), what, "rules: and a list of rules")
    for key in source.data.keys() - {"rules"}:
        source.key_problem((key,), f'unknown key "{key}"', "rules")
    rules = source.data.get("rules", "")
    if not isinstance(rules, list) or not rules:
        return source.problem(("rules",), "no rules are here", WANTED["rules"])
    for index, rule_data in enumerate(rules):
        if isinstance(rule_data, dict):
            yield ("rules", index), rule_data
        else:
            source.problem(
                ("rules", index), f"{quote_briefly(rule_data)} is not a rule", "keys such as id, title and on"
            )


def _rule(source: YamlSource, loc: Loc, rule_data: dict[str, Any]) -> list[Rule]:
    """Return the rule that *rule_data* describes, or no rule, with its problems added to *source*."""
    if "tests" in rule_data:
        read_tests(source, (*loc, "tests"), rule_data["tests"])
        rule_data = _without_tests(rule_data)
    models = [model for key, model in PATTERNS.items() if key in rule_data]
    model: type[Rule] = models[0] if len(models) == 1 else Rule
    if model is Rule:
        what = "both absent and then are in this rule" if models else "neither absent nor then is in this rule"
        source.problem(loc, what, "one of them: absent for silence after a fact, then for what follows it")
        rule_data = {key: value for key, value in rule_data.items() if key in _keys(Rule) or key not in _EVERY_KEY}
    try:
        rule = model.model_validate(rule_data)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            _note(source, model, loc, found)
        return []
    return [rule] if type(rule) is not Rule else []


def _without_tests(rule_data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in rule_data.items() if key != "tests"}


def _note(source: YamlSource, model: type[Rule], rule: Loc, found: ErrorDetails) -> None:
    """Add one error of pydantic about the rule at *rule*, with its place in the file."""
    loc, key = (*rule, *found["loc"]), str(found["loc"][-1]) if found["loc"] else ""
    match found["type"]:
        case "rule":
            source.problem(loc, found["ctx"]["what"], found["ctx"]["wanted"])
        case "placeholder":
            for index, (what, wanted) in found["ctx"]["strange"].items():
                source.token_problem(loc, TOKEN, index, what, wanted)
        case "missing":
            source.problem(loc, f"{key} is missing", WANTED[key])
        case "extra_forbidden":
            part = str(found["loc"][-2]) if len(found["loc"]) > 1 else ""
            known = _keys(_PARTS[part]) if part else (*(_EVERY_KEY if model is Rule else _keys(model)), "tests")
            stray = not part and key in _EVERY_KEY
            what = f"{key} belongs to the other pattern" if stray else f'unknown key "{key}"'
            source.key_problem(loc, what, _PATTERN_KEYS if stray else nearest(key, known, f"one of {', '.join(known)}"))
        case _:
            source.problem(loc, f"{quote_briefly(found['input'])} is not what {key} takes", WANTED[key])


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


_PARTS: Final[Mapping[str, type[BaseModel]]] = {"unless": Unless, "open_cases": CaseCount}
_EVERY_KEY: Final = tuple(dict.fromkeys(key for pattern in PATTERNS.values() for key in _keys(pattern)))
