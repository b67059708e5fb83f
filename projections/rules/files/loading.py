"""Rule files: read as YAML, checked, and every problem reported with its file, line and column."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from events.errors import BadInput
from events.text import quote_briefly
from projections.rules.conditions.lasting import Lasting
from projections.rules.conditions.status import CaseCount, Conditions
from projections.rules.languages import Sentences
from projections.rules.limits import TABLE
from projections.rules.patterns.across import CountOf
from projections.rules.patterns.pattern import SENTENCES, Rule
from projections.rules.rulebook import PATTERNS, Rulebook, patterns_in
from projections.rules.values import TOKEN, WANTED

from .limit_table import Note, Table, notes_of, read_table, unused_words
from .rule_tests import RuleTest, read_tests
from .yaml_source import LARGEST_BYTES, Loc, Problem, YamlSource, nearest, read

_PATTERN_KEYS: Final = (
    "absent, for, from, before, still and settle, or then, of, within, over and certainty, or steps, within and"
    " certainty, or while, for and settle, or count and certainty"
)
_PATTERN_WANTED: Final = (
    "one of them: absent for silence after a fact, then for a follow-up, steps for a chain,"
    " while for a status that lasts, count for many people"
)
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
    limits: Table


def load(path: Path) -> Rulebook:
    """
    Read a rule file, or the `*.yaml` and `*.yml` of a folder (not of folders in it; hidden files are left out).

    Raises:
        RulesError: with every problem of every file.
    """
    sources = _sources(path)
    return _combined(sources, _table(sources))


def load_written(path: Path) -> WrittenRules:
    """
    Read the same files with the tests of the rules.

    Raises:
        RulesError: as `load` does.
    """
    sources = _sources(path)
    table = _table(sources)
    book = _combined(sources, table)
    written = (_as_written(source, *rule) for source in sources for rule in _written_rules(source))
    return WrittenRules(book, tuple(written), table)


def _table(sources: Iterable[YamlSource]) -> Table:
    """Return the limits of *sources*, and the shipped ones of other names."""
    return {**shipped_limits(), **read_table(sources)}


@cache
def shipped_limits() -> Table:
    """Return the limits that ship with the program. Rules of a user can take them too."""
    with as_file(files("projections.rules") / "pack") as folder:
        return read_table(_sources(folder))


def notes(path: Path) -> list[Note]:
    """
    Return the remarks about the rules at *path*, in which there is no problem.

    They name jurisdictions without a limit, and sentences that no alert can have.

    Raises:
        RulesError: as `load`.
    """
    rulebook = load(path)
    sources = _sources(path)
    return [note for source in sources for of in (notes_of, unused_words) for note in of(source, rulebook)]


def _sources(path: Path) -> list[YamlSource]:
    """Read the files at *path*, with the problems of their YAML."""
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


def rule_of(rule_data: Mapping[str, Any], table: Table) -> Rule | None:
    """Return the rule that *rule_data* describes, as `WrittenRule.data` has it; None if it is not a valid rule."""
    source = YamlSource("")
    rules = _rule(source, (), dict(rule_data), table)
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


def _combined(sources: Sequence[YamlSource], table: Table) -> Rulebook:
    """Return the rules of all *sources* as one book, or raise all their problems; *table* has the limits."""
    rules: list[Rule] = []
    places: dict[str, str] = {}
    problems: list[Problem] = []
    for source in sources:
        for loc, rule_data in _written_rules(source):
            name, place = rule_data.get("id"), source.place((*loc, "id"))
            first = places.setdefault(name, place) if name and isinstance(name, str) else place
            if first != place:
                source.problem((*loc, "id"), f'"{name}" is the id of the rule at {first} too', "another id")
            rules += _rule(source, loc, rule_data, table)
        problems += source.problems
    if not problems and not rules:
        # Limits alone as the rules of a service would leave it without any rule, and nobody would notice.
        wanted = "rules beside them, in the file or the folder"
        problems.append(Problem(sources[0].file, 1, 1, "only limits are here", wanted))
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
    for key in source.data.keys() - {"rules", "limits"}:
        source.key_problem((key,), f'unknown key "{key}"', nearest(key, ("rules", "limits"), "rules or limits"))
    if "rules" not in source.data and "limits" in source.data:
        return
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


def _rule(source: YamlSource, loc: Loc, rule_data: dict[str, Any], table: Table) -> list[Rule]:
    """Return the rule that *rule_data* describes, or no rule, with its problems added to *source*."""
    if "tests" in rule_data:
        read_tests(source, (*loc, "tests"), rule_data["tests"])
        rule_data = _without_tests(rule_data)
    models = patterns_in(rule_data)
    model: type[Rule] = models[0] if len(models) == 1 else Rule
    if model is Rule:
        what = _several(rule_data)
        source.problem(loc, what, _PATTERN_WANTED)
        rule_data = {key: value for key, value in rule_data.items() if key in _keys(Rule) or key not in _EVERY_KEY}
    try:
        rule = model.model_validate(rule_data, context={TABLE: table})
    except ValidationError as error:
        for found in error.errors(include_url=False):
            _note(source, model, loc, found)
        return []
    return [rule] if type(rule) is not Rule else []


def _without_tests(rule_data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in rule_data.items() if key != "tests"}


def _several(rule_data: Mapping[str, Any]) -> str:
    """Return the problem of a rule with several patterns, or with none."""
    keys = [key for key in PATTERNS if key in rule_data]
    # `of` makes a rule with `then` another one, and is no pattern alone.
    others = " nor ".join(key for key in PATTERNS if key != "of")
    what = f"both {' and '.join(keys)} are" if keys else f"neither {others} is"
    return f"{what} in this rule"


def _note(source: YamlSource, model: type[Rule], rule: Loc, found: ErrorDetails) -> None:
    """Add one error of pydantic about the rule at *rule*, with its place in the file."""
    loc, key = (*rule, *found["loc"]), str(found["loc"][-1]) if found["loc"] else ""
    loc = (*loc, *found.get("ctx", {}).get("at", ()))
    match found["type"]:
        case "rule":
            source.problem(loc, found["ctx"]["what"], found["ctx"]["wanted"])
        case "rule_key":
            source.key_problem(loc, found["ctx"]["what"], found["ctx"]["wanted"])
        case "placeholder":
            for index, (what, wanted) in found["ctx"]["strange"].items():
                source.token_problem(loc, TOKEN, index, what, wanted)
        case "missing":
            source.problem(loc, f"{key} is missing", WANTED[key])
        case "extra_forbidden":
            part = str(found["loc"][-2]) if len(found["loc"]) > 1 else ""
            known = _keys(_PARTS[part]) if part else (*(_EVERY_KEY if model is Rule else _keys(model)), "tests")
            stray = not part and key in _EVERY_KEY
            what = f"{key} belongs to another pattern" if stray else f'unknown key "{key}"'
            source.key_problem(loc, what, _PATTERN_KEYS if stray else nearest(key, known, f"one of {', '.join(known)}"))
        case _:
            source.problem(loc, f"{quote_briefly(found['input'])} is not what {key} takes", WANTED[key])


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    if issubclass(model, Rule):
        return model.keys()
    return tuple(field.alias or name for name, field in model.model_fields.items())


_PARTS: Final[Mapping[str, type[BaseModel]]] = {
    **dict.fromkeys(("when", "unless", "still"), Conditions),
    "open_cases": CaseCount,
    "count": CountOf,
    **dict.fromkeys(SENTENCES, Sentences),
    "while": Lasting,
}
_EVERY_KEY: Final = tuple(dict.fromkeys(key for pattern in PATTERNS.values() for key in _keys(pattern)))
