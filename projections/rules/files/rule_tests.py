"""
The key `tests` of a rule: stories as a person writes them, each with the alerts that the rule should raise.

Tests are read beside the rule and not into it. So they are no part of its version, nor of the stored rules.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from events.decode import complete
from events.edtf import Span, format_instant, parse, parse_instant
from events.errors import BadDate, Unreadable
from events.text import quote_briefly
from events.vocabulary import DATA, data_problem, nearest_type
from projections.history.corrections import CORRECTED
from projections.rules.conditions.clauses import Kind
from projections.rules.conditions.fact_fields import FIELDS, fields_of

from .yaml_source import Loc, YamlSource, nearest

KEYS: Final = ("name", "facts", "until", "expect")
EXPECTED_KEYS: Final = ("anchor", "life", "explain")
ENVELOPE: Final = ("type", "id", "subject", "source", "recorded")
"""The keys of a fact that are not its data."""
STATES: Final = ("open", "resolved", "retracted", "superseded")
CAUSES: Final = (
    *("followed", "deadline", "world_changed", "late_knowledge", "corrected", "retracted", "rule_changed"),
    "same_event",
)
MOST: Final = 200
"""The most tests of a rule, and the most facts of a test."""

_SUBJECT: Final = "somebody"
_SOURCE: Final = "urn:casetrail:test"
_SOURCES: Final = ({"title": "a test of a rule"},)
_CLOCK: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LONGEST: Final = 1000
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_PART: Final = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
TESTS_WANTED: Final = "a list of tests, each with name, facts, until and expect"
_EXPECT_WANTED: Final = "[] for silence, or a list of alerts, such as {anchor: d, life: [open 2022-07-03]}"
LIFE_WANTED: Final = "STATE DATE CAUSE, the cause if you like, such as open 2022-07-03 deadline"
DATE_WANTED: Final = "a date or an instant, such as 2022-12-31"
WANTED_OF_TEST: Final = {
    "name": "a short text: the story in a few words",
    "facts": "a list of facts, such as {type: Dismissed, id: d, occurred: 2022-03-27}",
    "until": f"the day on which the clock stops: {DATE_WANTED}",
    "expect": _EXPECT_WANTED,
}


class ExpectedChange(NamedTuple):
    """A change in the life of an expected alert. Its instant lies in the span `at`; no `cause`: any."""

    state: str
    at: Span
    cause: str | None
    text: str


class ExpectedAlert(NamedTuple):
    """An alert that a test expects. A part that is None is not compared; `*` in `explain` stands for any text."""

    anchor: str | None
    life: tuple[ExpectedChange, ...] | None
    explain: str | None


class RuleTest(NamedTuple):
    """
    One test of a rule.

    Attributes:
        name: unique within the rule.
        facts: complete facts as lines of NDJSON, which the publisher would accept.
        until: the end of the log's clock, aware UTC.
        expect: the alerts; none: the rule stays silent.
        loc: the place in its file.
    """

    name: str
    facts: tuple[bytes, ...]
    until: datetime
    expect: tuple[ExpectedAlert, ...]
    loc: Loc


class Problems(NamedTuple):
    """The place below which values are read, and the file that collects their problems."""

    source: YamlSource
    loc: Loc

    def at(self, *steps: int | str) -> "Problems":
        """Return the same at a deeper place."""
        return self._replace(loc=(*self.loc, *steps))

    def add(self, what: str, wanted: str) -> None:
        """Add a problem of the value."""
        self.source.problem(self.loc, what, wanted)

    def unknown(self, written: Mapping[str, Any], known: Sequence[str]) -> None:
        """Add a problem for each key of *written* that is not *known*."""
        for key in [key for key in written if key not in known]:
            wanted = nearest(key, known, f"one of {', '.join(known)}")
            self.source.key_problem((*self.loc, key), f'unknown key "{key}"', wanted)


def read_tests(source: YamlSource, loc: Loc, value: object) -> tuple[RuleTest, ...]:
    """
    Return the tests in *value*, the key `tests` of a rule, and add every problem to *source*.

    Args:
        source: the file.
        loc: the place of *value* in it.
        value: as parsed from YAML, where every scalar is a text.
    """
    problems = Problems(source, loc)
    tests, names = [], set[str]()
    for index, written in enumerate(_list(problems, value, TESTS_WANTED)):
        test = _test(problems.at(index), written)
        if test is not None:
            if test.name in names:
                problems.at(index, "name").add(f'"{test.name}" is the name of another test of this rule', "another")
            names.add(test.name)
            tests.append(test)
    return tuple(tests)


def _list(problems: Problems, value: object, wanted: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        problems.add(f"{quote_briefly(value) if value else 'nothing'} is here", wanted)
        return []
    if len(value) > MOST:
        problems.add(f"{len(value)} items are here", f"at most {MOST}")
        return []
    return value


def _test(problems: Problems, written: object) -> RuleTest | None:
    if not isinstance(written, dict):
        problems.add(f"{quote_briefly(written)} is not a test", "name, facts, until and expect")
        return None
    problems.unknown(written, KEYS)
    missing = [key for key in KEYS if key not in written]
    for key in missing:
        problems.add(f"{key} is missing", WANTED_OF_TEST[key])
    if missing:
        return None
    name = _text(problems.at("name"), written["name"])
    until = _until(problems.at("until"), written["until"])
    facts = _facts(problems.at("facts"), written["facts"], until)
    # The id of a fact that was refused is known too: a second problem would help no reader.
    ids = {str(fact.get("id")) for fact in written["facts"] if isinstance(fact, dict)} if written["facts"] else set()
    expect = _expected(problems.at("expect"), written["expect"], {*facts, *ids} - {"None"})
    if name is None or until is None or expect is None:
        return None
    return RuleTest(name, tuple(facts.values()), until, expect, problems.loc)


def _text(problems: Problems, value: object) -> str | None:
    if isinstance(value, str) and value.strip() and len(value) <= _LONGEST:
        return " ".join(value.split())
    problems.add(f"{quote_briefly(value)} is not a text for this", f"1 to {_LONGEST} characters")
    return None


def _until(problems: Problems, value: object) -> datetime | None:
    try:
        return parse_instant(value) if isinstance(value, str) else None
    except BadDate as bad:
        problems.add(bad.what, bad.wanted)
        return None
    finally:
        if not isinstance(value, str):
            problems.add(f"{quote_briefly(value)} is not a date", DATE_WANTED)


def _facts(problems: Problems, value: object, until: datetime | None) -> dict[str, bytes]:
    """Return the facts of a test as lines, by their ids."""
    facts: dict[str, bytes] = {}
    written = _list(problems, value, WANTED_OF_TEST["facts"])
    kinds = {str(fact.get("id")): str(fact.get("type")) for fact in written if isinstance(fact, dict)}
    for index, fact in enumerate(written):
        place = problems.at(index)
        if not isinstance(fact, dict):
            place.add(f"{quote_briefly(fact)} is not a fact", WANTED_OF_TEST["facts"])
        elif (line := _line(place, fact, kinds, until)) is not None:
            if line[0] in facts:
                place.at("id").add(f'"{line[0]}" is the id of another fact of this test', "another id")
            facts[line[0]] = line[1]
    return facts


def _line(
    problems: Problems, fact: Mapping[str, Any], kinds: Mapping[str, str], until: datetime | None
) -> tuple[str, bytes] | None:
    """Return the id and the line of one *fact*; *kinds* are the types of the facts of the test, by id."""
    type_ = fact.get("type", "")
    if not isinstance(type_, str) or type_ not in DATA:
        what = f"{quote_briefly(type_)} is not a type" if "type" in fact else "type is missing"
        problems.at("type").add(what, nearest_type(str(type_)) if type_ else "a type of fact, such as Dismissed")
        return None
    known = fields_of(type_)
    unknown = set(fact) - {*ENVELOPE, *known}
    problems.unknown(fact, (*ENVELOPE, *known))
    data = {name: _typed(value, known[name]) for name, value in fact.items() if name in known}
    if type_ == CORRECTED and isinstance(data.get("data"), dict):
        target = kinds.get(str(data.get("fact_id")), "")
        inner = fields_of(target) if target in DATA else FIELDS
        data["data"] = _filled(_typed(data["data"], Kind("mapping", inner=inner)))
        if target in DATA and (misfit := data_problem(target, data["data"])):
            problems.at("data").add(f"the publisher refuses it: {misfit}", f"the whole new data of a {target}")
            return None
    envelope = {"subject": _SUBJECT, "source": _SOURCE} | {name: fact[name] for name in ENVELOPE if name in fact}
    recorded = envelope.pop("recorded", None)
    try:
        read, line = complete(_encoded(envelope | {"data": _filled(data)}), _CLOCK)
    except Unreadable as refusal:
        if not unknown:
            _note(problems, refusal)
        return None
    if recorded is not None:
        instant = _until(problems.at("recorded"), recorded)
        if instant is None:
            return None
        line = _encoded(json.loads(line) | {"recorded": format_instant(instant)})
    else:
        instant = read.published.latest
    if instant is not None and until is not None and instant > until:
        when = format_instant(instant)
        problems.at("recorded").add(f"recorded at {when}, after until", "a later until, or an earlier fact")
        return None
    return (read.id, line) if not unknown else None


def _typed(value: Any, kind: Kind | None) -> Any:  # noqa: ANN401 - any value of a YAML file
    """Return *value* with the numbers and booleans that *kind* wants; YAML has them as texts here."""
    match value:
        case dict():
            inner = kind.inner if kind else {}
            return {name: _typed(held, inner.get(name)) for name, held in value.items()}
        case list():
            element = Kind("mapping", inner=kind.inner) if kind else None
            return [_typed(held, element) for held in value]
        case "true" | "false" if kind and kind.base == "boolean":
            return value == "true"
        case str() if kind and kind.base == "number" and _NUMBER.fullmatch(value):
            return int(value) if value.lstrip("-").isdecimal() else float(value)
        case _:
            return value


def _filled(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return *data* with the parts that a test may leave out: sources, and the day on which it was published."""
    filled = {"sources": [*_SOURCES], **data}
    occurred = filled.get("occurred")
    if "published" not in filled and isinstance(occurred, str):
        try:
            end = parse(occurred)
        except BadDate:
            return filled  # the publisher refuses it
        if end.latest is not None:
            day = (end.latest - timedelta(microseconds=1)).date().isoformat()
            filled["published"] = format_instant(end.latest) if end.latest_exact else day
    return filled


def _encoded(event: object) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()


def _note(problems: Problems, refusal: Unreadable) -> None:
    """Add the problem for which the publisher refuses a fact, at its place in the file."""
    steps = [int(index) if index else name for index, name in _PART.findall(refusal.where)]
    place = problems.at(*(steps[1:] if steps[:1] == ["data"] else steps))
    what, name = refusal.what, steps[-1] if steps else "the fact"
    if what.startswith("unknown field"):
        place.source.key_problem(place.loc, what, refusal.wanted)
    else:
        place.add(f"{name} is missing" if what == "missing" else what, refusal.wanted)


def _expected(problems: Problems, value: object, ids: set[str]) -> tuple[ExpectedAlert, ...] | None:
    if value == []:
        return ()
    written = _list(problems, value, _EXPECT_WANTED)
    alerts = [_alert(problems.at(index), alert, ids) for index, alert in enumerate(written)]
    return tuple(alert for alert in alerts if alert is not None) if alerts and None not in alerts else None


def _alert(problems: Problems, written: object, ids: set[str]) -> ExpectedAlert | None:
    if not isinstance(written, dict) or not written:
        problems.add(f"{quote_briefly(written) if written else 'nothing'} is not an alert", _EXPECT_WANTED)
        return None
    problems.unknown(written, EXPECTED_KEYS)
    anchor = written.get("anchor")
    if anchor is not None and (not isinstance(anchor, str) or anchor not in ids):
        wanted = nearest(str(anchor), ids, f"one of {', '.join(sorted(ids))}" if ids else "facts that can be read")
        problems.at("anchor").add(f"{quote_briefly(anchor)} is not the id of a fact of this test", wanted)
        return None
    life = None
    if "life" in written:
        changes = _list(problems.at("life"), written["life"], f"a list of {LIFE_WANTED}")
        life = tuple(_life(problems.at("life"), changes))
        if len(life) < max(len(changes), 1):
            return None
    explain = _text(problems.at("explain"), written["explain"]) if "explain" in written else None
    return ExpectedAlert(anchor, life, explain)


def _life(problems: Problems, changes: Sequence[object]) -> Iterator[ExpectedChange]:
    for index, text in enumerate(changes):
        place = problems.at(index)
        words = text.split() if isinstance(text, str) else []
        if not 2 <= len(words) <= 3:  # noqa: PLR2004 - a state, a date and perhaps a cause
            place.add(f"{quote_briefly(text)} is not a change of an alert", LIFE_WANTED)
            continue
        state, day, cause = [*words, None][:3]
        if state not in STATES:
            place.add(f'"{state}" is not a state', nearest(str(state), STATES, f"one of {', '.join(STATES)}"))
        elif cause is not None and cause not in CAUSES:
            place.add(f'"{cause}" is not a cause', nearest(cause, CAUSES, f"one of {', '.join(CAUSES)}"))
        else:
            try:
                span = parse(str(day))
                parse_instant(str(day))
            except BadDate as bad:
                place.add(bad.what, bad.wanted)
            else:
                yield ExpectedChange(state, span, cause, " ".join(words))
