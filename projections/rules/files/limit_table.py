"""The table of limits in rule files: read, checked, and every problem reported with its place."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from events.text import quote_briefly
from projections.rules.limits import WANTED_OF_ENTRY, LimitEntry
from projections.rules.patterns.across import CountRule
from projections.rules.rulebook import Rulebook
from projections.rules.values import Id

from .yaml_source import Loc, YamlSource, nearest

Table = Mapping[str, tuple[LimitEntry, ...]]
"""The entries of each limit by its name. A name without entries has problems."""
WANTED: Final = "a list of limits, at least one"


class NamedEntry(LimitEntry):
    """An entry of the table of limits."""

    name: Id


_KEYS: Final = ("name", *(key for key in WANTED_OF_ENTRY if key != "name"))


class Note(NamedTuple):
    """A remark about a rule that is correct; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    what: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: note: {self.what} (want {self.wanted})"


def read_table(sources: Iterable[YamlSource]) -> Table:
    """Return the limits of all *sources*, with the problems of the entries added to each source."""
    table: dict[str, tuple[LimitEntry, ...]] = {}
    places: dict[str, list[tuple[LimitEntry, str]]] = {}
    for source in sources:
        for loc, written in _written(source):
            name = written.get("name")
            if isinstance(name, str):
                table.setdefault(name, ())
            entry = _entry(source, loc, written)
            if entry is None:
                continue
            for other, place in places.setdefault(entry.name, []):
                if other.overlaps(entry):
                    what = f"{entry.name} of {entry.jurisdiction} is in force here and at {place} on the same days"
                    source.problem(loc, what, "days that do not overlap: from, and until as the last day in force")
            places[entry.name].append((entry, source.place(loc)))
            own = LimitEntry.model_construct(**{key: getattr(entry, key) for key in LimitEntry.model_fields})
            table[entry.name] = (*table[entry.name], own)
    return table


def notes_of(source: YamlSource, rulebook: Rulebook) -> Iterator[Note]:
    """Yield, for each limit in the rules of *source*, the jurisdictions in which it has no entry."""
    rules = {rule.id: rule for rule in rulebook.every}
    for index, written in enumerate(source.data.get("rules", ())):
        rule = rules[written["id"]]
        limits = {limit.name: limit for limit in rule.limits}
        for loc, name in _uses(written, ("rules", index)):
            limit = limits[name]
            known = ", ".join(sorted(limit.places.values()))
            if not rule.jurisdiction:
                what = f"{rule.id} speaks in {known} alone, since the limit {name} has no other entry"
                wanted = "entries of other jurisdictions, if it should speak there"
            elif missing := sorted(place for place in rule.jurisdiction if place.casefold() not in limit.places):
                what = f"{rule.id} is silent in {', '.join(missing)}: the limit {name} has no entry there"
                wanted = f"an entry in limits, or jurisdiction without {', '.join(missing)}"
            else:
                continue
            file, line, column = source.place(loc).rsplit(":", 2)
            yield Note(file, int(line), int(column), what, wanted)


def unused_words(source: YamlSource, rulebook: Rulebook) -> Iterator[Note]:
    """Yield each sentence in the rules of *source* that no alert can have: a count is retracted, and never resolved."""
    counts = {rule.id for rule in rulebook.across if isinstance(rule, CountRule)}
    for index, written in enumerate(source.data.get("rules", ())):
        if written["id"] in counts and "ended_explain" in written:
            file, line, column = source.place(("rules", index, "ended_explain")).rsplit(":", 2)
            what = f"no alert of {written['id']} is ever resolved, so that none has the sentence of ended_explain"
            yield Note(file, int(line), int(column), what, "retracted_explain, for a count that is not upheld")


def _uses(written: object, loc: Loc) -> Iterator[tuple[Loc, str]]:
    """Yield the place and the name of each limit in a rule as it is written."""
    if isinstance(written, dict):
        if written.keys() == {"limit"}:
            yield loc, written["limit"]
            return
        for key, value in written.items():
            if key != "where":
                yield from _uses(value, (*loc, key))
    elif isinstance(written, list):
        for index, value in enumerate(written):
            yield from _uses(value, (*loc, index))


def _written(source: YamlSource) -> Iterator[tuple[Loc, dict[str, Any]]]:
    """Yield each entry of *source* as it is written, with its place, and add the problems around the entries."""
    if not isinstance(source.data, dict) or "limits" not in source.data:
        return
    limits = source.data["limits"]
    if not isinstance(limits, list) or not limits:
        return source.problem(("limits",), "no limits are here", WANTED)
    for index, written in enumerate(limits):
        if isinstance(written, dict):
            yield ("limits", index), written
        else:
            what = f"{quote_briefly(written)} is not a limit"
            source.problem(("limits", index), what, "keys such as name, jurisdiction, from, value and source")


def _entry(source: YamlSource, loc: Loc, written: dict[str, Any]) -> NamedEntry | None:
    """Return the entry that *written* describes; None, with its problems added to *source*, if it is wrong."""
    try:
        return NamedEntry.model_validate(written)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            at, key = (*loc, *found["loc"]), str(found["loc"][-1])
            match found["type"]:
                case "rule":
                    source.problem(at, found["ctx"]["what"], found["ctx"]["wanted"])
                case "missing":
                    source.problem(loc, f"{key} is missing", WANTED_OF_ENTRY[key])
                case _:
                    wanted = nearest(key, _KEYS, f"one of {', '.join(_KEYS)}")
                    source.key_problem(at, f'unknown key "{key}"', wanted)
    return None
