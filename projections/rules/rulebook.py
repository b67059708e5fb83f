"""The rules in force together, and their form in the ledger."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from events.canonical import canonical
from events.errors import BadInput
from events.vocabulary import TRACK_OF
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.pattern import Rule
from projections.rules.patterns.sequence import SequenceRule

PATTERNS: Final[dict[str, type[Rule]]] = {"absent": AbsenceRule, "then": SequenceRule}
"""Each pattern by the key that makes a rule one of it."""


@dataclass(frozen=True)
class Rulebook:
    """
    The rules in force together, sorted by id; ids are unique.

    More than eight methods: each is one question that a projector asks of the rules, answered once.
    """

    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(sorted(self.rules, key=lambda rule: rule.id)))

    @cached_property
    def version(self) -> str:
        """Twelve hex digits over the ids and versions of all rules."""
        return hashlib.sha256(canonical([[rule.id, rule.version] for rule in self.rules])).hexdigest()[:12]

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The fact types from which any rule starts."""
        return frozenset().union(*(rule.on for rule in self.rules))

    @cached_property
    def waiting(self) -> tuple[Rule, ...]:
        """The rules with answers that time alone can change, by id."""
        return tuple(rule for rule in self.rules if rule.waits)

    @cached_property
    def ended_when_cleared(self) -> frozenset[str]:
        """The ids of the rules with patterns that count as ended while the person is cleared."""
        return frozenset(rule.id for rule in self.rules if rule.ends_when_cleared)

    @cached_property
    def by_type(self) -> dict[str, tuple[Rule, ...]]:
        """By type of fact, the rules that read facts of this type, by id."""
        return {kind: tuple(rule for rule in self.rules if kind in rule.types) for kind in TRACK_OF}

    @cached_property
    def continued_by(self) -> dict[str, tuple[Rule, ...]]:
        """By type of fact, the rules that such a fact at the end of the world order concerns, by id."""
        return {kind: tuple(rule for rule in self.rules if kind in rule.on | rule.follow) for kind in TRACK_OF}

    @cached_property
    def reread_by(self) -> dict[str, frozenset[str]]:
        """By type of fact, the ids of the rules that ask every anchor again, for a value that may not be new."""
        return {kind: frozenset(rule.id for rule in self.rules if kind in rule.read_before) for kind in TRACK_OF}

    def as_json(self) -> str:
        """Return the canonical JSON text that the ledger keeps; `from_json` returns an equal rulebook."""
        return canonical({"rules": [rule.normal() for rule in self.rules]}).decode()

    @classmethod
    def from_json(cls, text: str) -> "Rulebook":
        """
        Read the text of `as_json`, of this release or an earlier one.

        Raises:
            BadInput: if it is another text.
        """
        try:
            rules = json.loads(text)["rules"]
            return cls(tuple(_pattern_of(rule).model_validate(rule) for rule in rules))
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"the stored rulebook is not readable: {error}", "a text that casetrail wrote") from error


def every_rule(book: Rulebook) -> tuple[Rule, ...]:
    """Return all rules of *book*, those across people included, by id."""
    return tuple(sorted((*book.rules, *getattr(book, "across", ())), key=lambda rule: rule.id))


def as_in_force(book: Rulebook, rules: Iterable[Rule]) -> Rulebook:
    """Return *book* with *rules* in place of its own, each enabled: the rest of the book, such as limits, stays."""
    enabled = (
        rule.model_copy(update={"enabled": "true"}) if "enabled" in type(rule).model_fields else rule for rule in rules
    )
    others: dict[str, Any] = {"across": ()} if hasattr(book, "across") else {}
    return replace(book, rules=tuple(enabled), **others)


def _pattern_of(rule: dict[str, object]) -> type[Rule]:
    return next(pattern for key, pattern in PATTERNS.items() if key in rule or key == "then")
