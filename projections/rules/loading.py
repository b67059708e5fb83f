"""Rule files: read as YAML, checked, and every problem reported with its file, line and column."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from events.errors import BadInput
from events.text import quote_briefly

from .conditions import CaseCount, Unless
from .pattern import Rule
from .rulebook import PATTERNS, Rulebook
from .values import TOKEN, WANTED
from .yaml_source import LARGEST_BYTES, Loc, Problem, YamlSource, nearest, read

_PATTERN_KEYS: Final = "absent, for and settle, or then, within and certainty"
_FILE_WANTED: Final = "a rule file, or a folder with *.yaml files"


class RulesError(BadInput):
    """The problems of rule files, in the order of files and lines."""

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
    """Return *file*, cut just above the size limit; it may be a pipe, which has no size."""
    with file.open("rb") as opened:
        return opened.read(LARGEST_BYTES + 1)


def _bound(pages: Iterable[YamlSource]) -> Rulebook:
    """Return the rules of all *pages* as one book, or raise all their problems."""
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
    """Yield each rule of *page* as it is written, with its place, and add the problems around the rules."""
    if page.data is None and page.problems:
        return
    if not isinstance(page.data, dict):
        what = "the file is empty" if page.data is None else f"{quote_briefly(page.data)} is here"
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
            page.problem(("rules", index), f"{quote_briefly(given)} is not a rule", "keys such as id, title and on")


def _rule(page: YamlSource, loc: Loc, given: dict[str, Any]) -> list[Rule]:
    """Return the rule that *given* describes, or no rule, with its problems added to *page*."""
    models = [model for key, model in PATTERNS.items() if key in given]
    model: type[Rule] = models[0] if len(models) == 1 else Rule
    if model is Rule:
        what = "both absent and then are in this rule" if models else "neither absent nor then is in this rule"
        page.problem(loc, what, "one of them: absent for silence after a fact, then for what follows it")
        given = {key: value for key, value in given.items() if key in _keys(Rule) or key not in _EVERY_KEY}
    try:
        rule = model.model_validate(given)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            _note(page, model, loc, found)
        return []
    return [rule] if type(rule) is not Rule else []


def _note(page: YamlSource, model: type[Rule], rule: Loc, found: ErrorDetails) -> None:
    """Add one error of pydantic about the rule at *rule*, with its place in the file."""
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
            known = _keys(_PARTS[part]) if part else _EVERY_KEY if model is Rule else _keys(model)
            stray = not part and key in _EVERY_KEY
            what = f"{key} belongs to the other pattern" if stray else f'unknown key "{key}"'
            page.key_problem(loc, what, _PATTERN_KEYS if stray else nearest(key, known, f"one of {', '.join(known)}"))
        case _:
            page.problem(loc, f"{quote_briefly(found['input'])} is not what {key} takes", WANTED[key])


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


_PARTS: Final[Mapping[str, type[BaseModel]]] = {"unless": Unless, "open_cases": CaseCount}
_EVERY_KEY: Final = tuple(dict.fromkeys(key for pattern in PATTERNS.values() for key in _keys(pattern)))
