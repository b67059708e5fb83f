"""The JSON Schema of a rule file, with which editors complete keys and words."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from events.schemas import DIALECT
from events.vocabulary import DATA
from projections.rules.patterns.pattern import Rule
from projections.rules.rulebook import PATTERNS
from projections.rules.values import CERTAINTIES, FACT_WORDS, RELATED, SEVERITIES, STATUSES, WANTED

from .rule_tests import CAUSES, KEYS, MOST, STATES, WANTED_OF_TEST

Schema = dict[str, Any]


def schema() -> Schema:
    """Return the JSON Schema (2020-12) of a rule file, as parsed from YAML: every scalar is a text."""
    return {
        "$schema": DIALECT,
        "$id": "urn:casetrail:schema:rules",
        "title": "Rules of casetrail",
        "type": "object",
        "properties": {
            "rules": {
                "type": "array",
                "minItems": 1,
                "description": WANTED["rules"],
                "items": {"oneOf": [_pattern(key, pattern) for key, pattern in PATTERNS.items()]},
            }
        },
        "required": ["rules"],
        "additionalProperties": False,
    }


def _pattern(key: str, pattern: type[Rule]) -> Schema:
    fields = {field.alias or name: field for name, field in pattern.model_fields.items()}
    return {
        "type": "object",
        "title": (pattern.__doc__ or "").strip().splitlines()[0],
        "properties": {name: _KEYS[name] for name in fields} | {"tests": _TESTS},
        "required": [name for name, field in fields.items() if field.is_required()],
        "additionalProperties": False,
        **({"anyOf": [{"required": ["for"]}, {"required": ["before"]}]} if key == "absent" else {}),
    }


def _words(words: Iterable[str], description: str) -> Schema:
    """Return the schema of one word, or a list of words."""
    word = {"enum": [*words]}
    return {"description": description, "anyOf": [word, {"type": "array", "minItems": 1, "items": word}]}


def _text(name: str) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": 1000, "description": WANTED[name]}


_TIME: Final[Schema] = {
    "type": "string",
    "pattern": "^P(?=[0-9T])([0-9]+W)?([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$",
    "description": WANTED["for"],
}
_ALERT: Final[Schema] = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": False,
    "properties": {
        "anchor": {"type": "string", "minLength": 1, "description": "the id of a fact of the test"},
        "life": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "pattern": rf"^({'|'.join(STATES)}) +[^ ]+( +({'|'.join(CAUSES)}))?$"},
        },
        "explain": {"type": "string", "minLength": 1, "description": "the sentence; * stands for any text"},
    },
}
_TESTS: Final[Schema] = {
    "type": "array",
    "minItems": 1,
    "maxItems": MOST,
    "description": "stories, each with the alerts that the rule should raise",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": [*KEYS],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 1000, "description": WANTED_OF_TEST["name"]},
            "until": {"type": "string", "description": WANTED_OF_TEST["until"]},
            "facts": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST,
                "description": WANTED_OF_TEST["facts"],
                "items": {"type": "object", "required": ["type"], "properties": {"type": {"enum": [*DATA]}}},
            },
            "expect": {"type": "array", "maxItems": MOST, "items": _ALERT, "description": WANTED_OF_TEST["expect"]},
        },
    },
}
_NUMBER: Final[Schema] = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,6}$"}]}
_KEYS: Final[Mapping[str, Schema]] = {
    "id": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 100, "description": WANTED["id"]},
    **{name: _text(name) for name in ("title", "explain", "why", "wrong_when")},
    **{name: _words(FACT_WORDS, WANTED[name]) for name in ("on", "absent", "then", "over")},
    **dict.fromkeys(("for", "before", "settle", "within"), _TIME),
    "severity": {"enum": [*SEVERITIES]},
    "certainty": {"enum": [*CERTAINTIES]},
    "from": {"enum": ["until"], "description": WANTED["from"]},
    "where": {"type": "object", "minProperties": 1, "description": WANTED["where"]},
    **{name: _words(RELATED, WANTED[name]) for name in ("same", "new")},
    "jurisdiction": {
        "description": WANTED["jurisdiction"],
        "anyOf": [
            {"type": "string", "minLength": 1, "maxLength": 100},
            {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1, "maxLength": 100}},
        ],
    },
    "unless": {
        "type": "object",
        "description": WANTED["unless"],
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            **{name: _words(words, f"words of {name}") for name, words in STATUSES.items()},
            "open_cases": {
                "type": "object",
                "description": WANTED["open_cases"],
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {"at_least": _NUMBER, "at_most": _NUMBER},
            },
        },
    },
}
