"""`delivery.yaml`: read as YAML, checked, and every problem reported with its file, line and column."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from events.errors import BadInput
from events.text import printable_bytes, quote, quote_briefly
from projections.rules.files.yaml_source import LARGEST_BYTES, Loc, Problem, YamlSource, nearest, read
from services.values import is_template

from .keys import KINDS, PARTS, RECEIVER_KEYS, TOP_KEYS, WANTED, HeartbeatKeys, Keys, OperatorKeys, RouteKeys
from .model import DeliveryConfig, Feed, KafkaTopic, Receiver, Route
from .values import NAME, NAME_WANTED, OUTSIDE_WANTED, looks_secret
from .watchlists import read_watchlist

K = TypeVar("K", bound=Keys)

_WORD: Final = re.compile("[a-z][a-z_-]{0,30}", re.IGNORECASE)
_NODE: Final = re.compile(r"[*&!].* is an? (alias|anchor|tag)", re.DOTALL)
_KIND_WANTED: Final = f"one of {', '.join(KINDS)}"


class DeliveryError(BadInput):
    """The problems of `delivery.yaml` and its watchlists, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)), "")


def load_delivery(path: Path) -> DeliveryConfig:
    """
    Read the receivers, routes and watchlists. Files of watchlists are named from the folder of *path*.

    Raises:
        DeliveryError: with every problem of every file. No problem repeats a secret.
    """
    source = _source(path)
    data = _top(source)
    lists, problems = _watchlists(source, data, path.parent)
    receivers = _receivers(source, data)
    topics = [name for name, receiver in receivers.items() if isinstance(receiver.target, KafkaTopic)]
    names = {**{key: _names(data, key) for key in ("receivers", "watchlists")}, "topics": topics}
    routes = _routes(source, data, names)
    operators = _operators(source, data, names)
    heartbeat = _heartbeat(source, data)
    problems += source.problems
    if problems:
        raise DeliveryError(map(_without_secrets, problems))
    url, allow = (heartbeat.url, heartbeat.allow) if heartbeat else (None, ())
    return DeliveryConfig(receivers, routes, lists, operators, url, allow)


def _source(path: Path) -> YamlSource:
    """Read the file, with the problems of its YAML and the secrets in it."""
    try:
        with path.open("rb") as opened:
            content = opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        what = f"not readable: {error.strerror}"
        raise DeliveryError([Problem(str(path), 1, 1, what, "a file with receivers and routes")]) from error
    source = read(str(path), content)
    _refuse_secrets(source, (), source.data)
    return source


def _refuse_secrets(source: YamlSource, loc: Loc, value: object) -> None:
    """Refuse each text of the file that has the form of a secret."""
    if isinstance(value, str) and looks_secret(value):
        _, line, column = source.place(loc).rsplit(":", 2)
        source.refuse((int(line), int(column)), "a secret is here", OUTSIDE_WANTED)
    for step, part in _parts(value):
        _refuse_secrets(source, (*loc, step), part)


def _parts(value: object) -> Iterable[tuple[int | str, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()


def _without_secrets(problem: Problem) -> Problem:
    """Return *problem* on one line, and without a word that could be a secret, such as the tag `!word`."""
    file, line, column, what, wanted = problem
    if looks_secret(what) or looks_secret(wanted):
        return Problem(file, line, column, "a secret is here", OUTSIDE_WANTED)
    if node := _NODE.fullmatch(what):
        what = f"{'a' if node[1] == 'tag' else 'an'} {node[1]} is here"
    elif what.startswith("not YAML: ") and "tag handle" in what:
        what = "not YAML: a tag is here"
    return Problem(file, line, column, printable_bytes(what.encode()), printable_bytes(wanted.encode()))


def _top(source: YamlSource) -> Mapping[str, Any]:
    """Return the keys of the file, and add the problems around them."""
    if isinstance(source.data, dict) and source.data:
        for key in source.data.keys() - set(TOP_KEYS):
            _unknown(source, (key,), TOP_KEYS)
        return source.data
    if source.data is not None or not source.problems:
        what = "the file is empty" if source.data in (None, {}) else f"{_kind(source.data)} is here"
        source.problem((), what, f"keys such as receivers and routes; the others are {', '.join(TOP_KEYS[2:])}")
    return {}


def _mapping(source: YamlSource, data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping under *key*, and add the problems of its names. Without the key it is empty."""
    named = data.get(key, {})
    if not isinstance(named, dict):
        source.problem((key,), f"{_kind(named)} is here", WANTED[key])
        return {}
    for name in named:
        if not NAME.fullmatch(name):
            source.key_problem((key, name), f"{quote(name)} is not a name", NAME_WANTED)
    return named


def _names(data: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    """Return the names under *key*; None if they may stand under a key that is misspelt, or are not a mapping."""
    if key not in data:
        return () if data.keys() <= set(TOP_KEYS) else None
    return tuple(data[key]) if isinstance(data[key], dict) else None


def _watchlists(
    source: YamlSource, data: Mapping[str, Any], folder: Path
) -> tuple[dict[str, frozenset[str]], list[Problem]]:
    """Return the people of each watchlist, and the problems in their files."""
    lists: dict[str, frozenset[str]] = {}
    problems: list[Problem] = []
    for name, file in _mapping(source, data, "watchlists").items():
        loc, wanted = ("watchlists", name), "the path of a text file, from the folder of this file"
        if not isinstance(file, str) or not file or is_template(file):
            what = "a template is in this path" if isinstance(file, str) and file else f"{_kind(file)} is here"
            source.problem(loc, what, wanted)
            continue
        try:
            lists[name], of_lines = read_watchlist(folder / file)
        except OSError as error:
            source.problem(loc, f"{quote(file)} is not readable: {error.strerror}", wanted)
        else:
            problems += of_lines
    return lists, problems


def _receivers(source: YamlSource, data: Mapping[str, Any]) -> dict[str, Receiver]:
    receivers: dict[str, Receiver] = {}
    feeds: dict[str, str] = {}
    for name, written in _mapping(source, data, "receivers").items():
        loc = ("receivers", name)
        if not isinstance(written, dict):
            source.problem(loc, f"{_kind(written)} is here", "keys such as {webhook: URL, secret: NAME}")
            continue
        receiver = _receiver(source, loc, written)
        if receiver is None:
            continue
        receivers[name] = receiver
        if isinstance(receiver.target, Feed) and feeds.setdefault(receiver.target.name, name) != name:
            first = feeds[receiver.target.name]
            source.problem((*loc, "feed"), f'"{receiver.target.name}" is the feed of {first} too', "another name")
    return receivers


def _receiver(source: YamlSource, loc: Loc, written: dict[str, Any]) -> Receiver | None:
    """Return the receiver that *written* describes; None, with its problems added, if it is wrong."""
    kinds = [kind for kind in KINDS if kind in written]
    if len(kinds) == 1:
        keys = _validated(source, loc, KINDS[kinds[0]], written)
        return keys.receiver(str(loc[-1])) if keys else None
    what = f"both {' and '.join(kinds)} are in this receiver" if kinds else "no target is in this receiver"
    source.problem(loc, what, f"{_KIND_WANTED}, and one alone")
    for key in written.keys() - set(RECEIVER_KEYS):
        _unknown(source, (*loc, key), RECEIVER_KEYS)
    return None


def _routes(source: YamlSource, data: Mapping[str, Any], names: Mapping[str, Any]) -> tuple[Route, ...]:
    written = data.get("routes", [])
    if not isinstance(written, list):
        source.problem(("routes",), f"{_kind(written)} is here", WANTED["routes"])
        return ()
    routes = []
    for index, route in enumerate(written):
        if not isinstance(route, dict):
            source.problem(("routes", index), f"{_kind(route)} is here", "keys such as {to: desk, severity: critical}")
        elif keys := _validated(source, ("routes", index), RouteKeys, route, names):
            routes.append(keys.route(index + 1))
    return tuple(routes)


def _operators(source: YamlSource, data: Mapping[str, Any], names: Mapping[str, Any]) -> tuple[str, ...]:
    if "operators" not in data:
        return ()
    keys = _validated(source, (), OperatorKeys, {"operators": data["operators"]}, names)
    return keys.operators if keys else ()


def _heartbeat(source: YamlSource, data: Mapping[str, Any]) -> HeartbeatKeys | None:
    written = data.get("heartbeat")
    if isinstance(written, list) or written == {}:
        source.problem(("heartbeat",), f"{_kind(written)} is here", WANTED["heartbeat"])
        return None
    if written is None:
        return None
    return _validated(source, ("heartbeat",), HeartbeatKeys, written if isinstance(written, dict) else {"url": written})


def _validated(
    source: YamlSource, loc: Loc, model: type[K], written: dict[str, Any], names: Mapping[str, Any] | None = None
) -> K | None:
    """Return *written* as *model*; None, with its problems added to *source*, if it does not fit."""
    try:
        return model.model_validate(written, context=names)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            _note(source, model, loc, found)
        return None


def _note(source: YamlSource, model: type[Keys], loc: Loc, found: ErrorDetails) -> None:
    """Add one error of pydantic about the mapping at *loc*, with its place in the file."""
    context = found.get("ctx", {})
    at = (*loc, *found["loc"], *([context["at"]] if "at" in context else ()))
    key = str(found["loc"][-1]) if found["loc"] else ""
    match found["type"]:
        case "rule":
            source.problem(at, context["what"], context["wanted"])
        case "missing":
            source.problem(at[:-1], f"{key} is missing", WANTED[key])
        case "extra_forbidden":
            part = PARTS[str(found["loc"][-2])] if len(found["loc"]) > 1 else model
            _unknown(source, at, part.known())
        case _:
            source.problem(at, f"{_kind(found['input'])} is not what {key} takes", WANTED[key])


def _unknown(source: YamlSource, at: Loc, known: tuple[str, ...]) -> None:
    """Add the problem of a key that is not among *known*. It is quoted only if it is a word, and no secret."""
    key = str(at[-1])
    others = f"one of {', '.join(known)}"
    if key in RECEIVER_KEYS and at[0] == "receivers":
        source.key_problem(at, f"{key} does not go with this receiver", others)
    elif _WORD.fullmatch(key):
        source.key_problem(at, f'unknown key "{key}"', nearest(key, known, others))
    else:
        source.key_problem(at, "unknown key", others)


def _kind(value: object) -> str:
    """Return the kind of *value* in words: a text in this place can be a secret."""
    return quote_briefly(value) if not isinstance(value, str) or not value else "a text"
