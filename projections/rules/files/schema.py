"""The JSON Schema of a rule file, with which editors complete keys and words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from events.schemas import DIALECT
from events.vocabulary import DATA
from projections.rules.languages import LANGUAGES
from projections.rules.limits import WANTED_OF_ENTRY
from projections.rules.patterns.chain_steps import MOST_STEPS, NAME, RESERVED
from projections.rules.patterns.pattern import SENTENCES, Rule
from projections.rules.rulebook import PATTERNS
from projections.rules.values import (
    CERTAINTIES,
    ENABLED,
    FACT_WORDS,
    GROUPS,
    LASTING,
    ONCE,
    RELATED,
    RELATIONS,
    SEVERITIES,
    STATUSES,
    WANTED,
)

from .limit_table import WANTED as LIMITS_WANTED
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
            },
            "limits": {"type": "array", "minItems": 1, "description": LIMITS_WANTED, "items": _limit_entry()},
        },
        "anyOf": [{"required": ["rules"]}, {"required": ["limits"]}],
        "additionalProperties": False,
    }


def _pattern(key: str, pattern: type[Rule]) -> Schema:
    fields = {field.alias or name: field for name, field in pattern.model_fields.items()}
    keys = pattern.keys()
    return {
        "type": "object",
        "title": (pattern.__doc__ or "").strip().splitlines()[0],
        "properties": {name: _STEPS if name == "steps" else _KEYS[name] for name in keys} | {"tests": _TESTS},
        "required": [name for name in keys if fields[name].is_required()],
        "additionalProperties": False,
        **({"anyOf": [{"required": ["for"]}, {"required": ["before"]}]} if key == "absent" else {}),
    }


def _limit_entry() -> Schema:
    """Return the schema of one entry of the table of limits."""
    day = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
    place, text = {"type": "string", "minLength": 1, "maxLength": 100}, {**_text("why")}
    forms: Mapping[str, Schema] = {
        "name": _KEYS["id"], "jurisdiction": place, "from": day, "until": day,
        "value": _TIME, "longest": _TIME, "source": text,
    }  # fmt: skip
    return {
        "type": "object",
        "properties": {key: form | {"description": WANTED_OF_ENTRY[key]} for key, form in forms.items()},
        "required": ["name", "jurisdiction", "from", "value", "source"],
        "additionalProperties": False,
    }


def _words(words: Iterable[str], description: str) -> Schema:
    """Return the schema of one word, or a list of words."""
    word = {"enum": [*words]}
    return {"description": description, "anyOf": [word, {"type": "array", "minItems": 1, "items": word}]}


def _text(name: str) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": 1000, "description": WANTED[name]}


def _sentence(name: str) -> Schema:
    """Return the schema of a sentence, or of sentences by language."""
    text = _text(name)
    languages = dict.fromkeys(LANGUAGES, text)
    mapping = {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": languages}
    return {"description": WANTED[name], "anyOf": [text, mapping]}


def _conditions(name: str) -> Schema:
    """Return the schema of conditions on the status."""
    number = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,6}$"}]}
    open_cases = {
        "type": "object",
        "description": WANTED["open_cases"],
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {"at_least": number, "at_most": number},
    }
    words = {name: _words(words, f"words of {name}") for name, words in STATUSES.items()}
    return {
        "type": "object",
        "description": WANTED[name],
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {**words, "open_cases": open_cases},
    }


_TIME: Final[Schema] = {
    "type": "string",
    "pattern": "^P(?=[0-9T])([0-9]+W)?([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$",
    "description": WANTED["for"],
}
_TIME_OR_LIMIT: Final[Schema] = {
    "description": WANTED["for"],
    "anyOf": [
        _TIME,
        {
            "type": "object",
            "properties": {"limit": {"type": "string", "description": "a name of the table of limits"}},
            "required": ["limit"],
            "additionalProperties": False,
        },
    ],
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
    **{name: _text(name) for name in ("title", "why", "wrong_when")},
    **{name: _sentence(name) for name in SENTENCES},
    **{name: _words(FACT_WORDS, WANTED[name]) for name in ("on", "absent", "then", "over")},
    **dict.fromkeys(("for", "before", "settle", "within"), _TIME_OR_LIMIT),
    "severity": {"enum": [*SEVERITIES]},
    "certainty": {"enum": [*CERTAINTIES]},
    "enabled": {"description": WANTED["enabled"], "enum": [*ENABLED, True, False]},
    "from": {"enum": ["until"], "description": WANTED["from"]},
    "where": {"type": "object", "minProperties": 1, "description": WANTED["where"]},
    **{name: _words(RELATED, WANTED[name]) for name in ("same", "new")},
    "count": {
        "type": "object",
        "description": WANTED["count"],
        "properties": {
            "distinct": {"enum": ["subject"], "description": WANTED["distinct"]},
            "at_least": {
                "description": WANTED["at_least"],
                "anyOf": [
                    {"type": "integer", "minimum": 2, "maximum": 999_999},
                    {"type": "string", "pattern": "^(?!0*[01]?$)[0-9]{1,6}$"},
                ],
            },
            "by": {"enum": [*GROUPS], "description": WANTED["by"]},
            "within": _TIME_OR_LIMIT,
        },
        "required": ["distinct", "at_least", "by", "within"],
        "additionalProperties": False,
    },
    "of": {"description": WANTED["of"], "anyOf": [{"enum": ["by", ["by"]]}, _words(RELATIONS, "relations")]},
    "jurisdiction": {
        "description": WANTED["jurisdiction"],
        "anyOf": [
            {"type": "string", "minLength": 1, "maxLength": 100},
            {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1, "maxLength": 100}},
        ],
    },
    "while": {
        "type": "object",
        "description": WANTED["while"],
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {name: _words(words, f"words of {name}") for name, words in LASTING.items()},
    },
    **{name: _conditions(name) for name in ("when", "unless", "still")},
    "once": {"enum": [*ONCE], "description": WANTED["once"]},
}

_STEP_KEYS: Final[Mapping[str, Schema]] = {
    **{name: _KEYS[name] for name in ("then", "absent", "within", "for", "settle", "where", "same", "new")},
    "as": {"type": "string", "pattern": f"^{NAME}$", "not": {"enum": [*RESERVED]}, "description": WANTED["as"]},
}


def _step(needed: Sequence[str], others: Sequence[str]) -> Schema:
    return {
        "type": "object",
        "properties": {name: _STEP_KEYS[name] for name in (*needed, *others)},
        "required": [*needed],
        "additionalProperties": False,
    }


_STEPS: Final[Schema] = {
    "type": "array",
    "minItems": 1,
    "maxItems": MOST_STEPS,
    "description": WANTED["steps"],
    "items": {
        "oneOf": [
            _step(("then", "within"), ("as", "where", "same", "new")),
            _step(("absent", "for"), ("settle", "where", "same", "new")),
        ]
    },
}
