"""A change of the rules in force: the rules with alerts to conclude again, and the openings to tell of."""

from typing import NamedTuple

from projections.rules.patterns.pattern import Rule
from projections.rules.rulebook import Rulebook


class RulesChange(NamedTuple):
    """
    A change of the rules in force.

    Attributes:
        rulebook: the rules after it.
        changed: the ids of rules that are new, gone, or another version, enabled, disabled or on trial since.
        tells_backfilled: whether an alert that a new rule finds in old history is told.
        in_one_step: whether an alert that continues under another version does so in this step, and quietly. Earlier
            releases told of it, lost its acknowledgement, and opened a silence again only once time had passed.
    """

    rulebook: Rulebook
    changed: frozenset[str]
    tells_backfilled: bool
    in_one_step: bool


def rules_change(before: Rulebook, after: Rulebook, *, tells_backfilled: bool | None = False) -> RulesChange:
    """
    Return the change from the rules *before* to those *after*.

    Args:
        before: the rules in force until now.
        after: the rules in force from now on.
        tells_backfilled: as the ledger states it; None: an earlier release wrote the entry. Its changes are concluded
            as that release did. Otherwise a rebuild would number the notices of later changes like earlier ones.
    """
    in_one_step = tells_backfilled is not None
    old, new = ({rule.id: rule for rule in book.asked} for book in (before, after))
    if in_one_step:
        same = {id_ for id_ in old.keys() & new.keys() if _meaning(old[id_]) == _meaning(new[id_])}
    else:
        same = {id_ for id_ in old.keys() & new.keys() if old[id_].normal() == new[id_].normal()}
    return RulesChange(after, frozenset(old.keys() | new.keys()) - same, tells_backfilled is not False, in_one_step)


def _meaning(rule: Rule) -> tuple[str, bool]:
    return rule.version, rule.is_trial
