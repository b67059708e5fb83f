"""The rules in force together, and their form in the ledger."""

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from events.canonical import canonical
from events.errors import BadInput
from events.vocabulary import TRACK_OF
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.patterns.chain import ChainRule
from projections.rules.patterns.lasting import LastingRule
from projections.rules.patterns.pattern import Rule
from projections.rules.patterns.sequence import SequenceRule

PATTERNS: Final[dict[str, type[Rule]]] = {
    "absent": AbsenceRule, "count": CountRule, "while": LastingRule,
    "of": OfRule, "then": SequenceRule, "steps": ChainRule,
}  # fmt: skip
"""Each pattern by the key that makes a rule one of it. `of` stands beside `then`, and is asked first."""


def patterns_in(keys: Collection[str]) -> list[type[Rule]]:
    """Return the patterns of which *keys* of a rule make it one; `of` makes a rule with `then` another pattern."""
    return [model for key, model in PATTERNS.items() if key in keys and not (key == "then" and "of" in keys)]


@dataclass(frozen=True)
class Rulebook:
    """
    The rules in force together; ids are unique.

    More than eight methods: each is one question that a projector asks of the rules, answered once.

    Attributes:
        rules: those that one history answers, by id. They can be given together with the others.
        across: those that need the histories of several people, by id.
    """

    rules: tuple[Rule, ...]
    across: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        every = sorted((*self.rules, *self.across), key=lambda rule: rule.id)
        object.__setattr__(self, "rules", tuple(rule for rule in every if not rule.across))
        object.__setattr__(self, "across", tuple(rule for rule in every if rule.across))

    @cached_property
    def every(self) -> tuple[Rule, ...]:
        """All rules, by id."""
        return tuple(sorted((*self.rules, *self.across), key=lambda rule: rule.id))

    @cached_property
    def version(self) -> str:
        """Twelve hex digits over the rules in full, with their words: another one is an entry in the ledger."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()[:12]

    @cached_property
    def asked(self) -> tuple[Rule, ...]:
        """The rules that one history answers and that are asked, by id: all that are not disabled."""
        return tuple(rule for rule in self.rules if rule.enabled != "false")

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The fact types from which any rule starts."""
        return frozenset().union(*(rule.on for rule in self.asked))

    @cached_property
    def waiting(self) -> tuple[Rule, ...]:
        """The rules with answers that time alone can change, by id."""
        return tuple(rule for rule in self.asked if rule.waits)

    @cached_property
    def ended_when_cleared(self) -> frozenset[str]:
        """The ids of the rules with patterns that count as ended while the person is cleared."""
        return frozenset(rule.id for rule in self.asked if rule.ends_when_cleared)

    @cached_property
    def by_type(self) -> dict[str, tuple[Rule, ...]]:
        """By type of fact, the rules that read facts of this type, by id."""
        return {kind: tuple(rule for rule in self.asked if kind in rule.types) for kind in TRACK_OF}

    @cached_property
    def continued_by(self) -> dict[str, tuple[Rule, ...]]:
        """By type of fact, the rules that such a fact at the end of the world order concerns, by id."""
        return {kind: tuple(rule for rule in self.asked if kind in rule.on | rule.extended_by) for kind in TRACK_OF}

    @cached_property
    def reread_by(self) -> dict[str, frozenset[str]]:
        """By type of fact, the ids of the rules that ask every anchor again, for a value that may not be new."""
        return {kind: frozenset(rule.id for rule in self.asked if kind in rule.read_before) for kind in TRACK_OF}

    @cached_property
    def judged_by(self) -> dict[str, frozenset[str]]:
        """By type of fact, the ids of the rules with a condition on the status at the anchor that it can change."""
        return {kind: frozenset(rule.id for rule in self.asked if kind in rule.judged_by) for kind in TRACK_OF}

    def as_json(self) -> str:
        """Return the canonical JSON text that the ledger keeps; `from_json` returns an equal rulebook."""
        return canonical({"rules": [rule.normal() for rule in self.every]}).decode()

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


def as_in_force(rules: Iterable[Rule]) -> Rulebook:
    """Return a book of *rules*, each enabled."""
    return Rulebook(tuple(rule.model_copy(update={"enabled": "true"}) for rule in rules))


def _pattern_of(rule: dict[str, object]) -> type[Rule]:
    return next(iter(patterns_in(rule)), SequenceRule)
