"""Rules across people, and contributions to them, as tests write them."""

from typing import Any

from events.edtf import parse, parse_instant
from projections.across.contribution import Contribution
from projections.rules.patterns.across import CountRule, OfRule
from projections.subjects.fold import Fold, Step
from tests.support.builders import Line, history

DISTINCT = {"distinct": "subject"}


def counting(
    at_least: int = 3, hours: int = 90 * 24, by: str = "agency", limit: dict[str, Any] | None = None, **keys: Any
) -> CountRule:
    """Return a rule that counts people who are detained or arrested, within some *hours* or a *limit*."""
    return CountRule.model_validate(
        {
            "id": "many",
            "title": "Many",
            "on": ["Detained", "Arrested"],
            "count": {**DISTINCT, "at_least": at_least, "by": by, "within": limit or hours * 3600},
            "explain": "{count} officials of {group} were {first.type} from {first.occurred} to {last.occurred}.",
            **keys,
        }
    )


def relating(of: object = ("sibling", "parent", "superior"), days: int = 180, **keys: Any) -> OfRule:
    """Return a rule about somebody who is detained, and a related person who is wanted or detained later."""
    return OfRule.model_validate(
        {
            "id": "related",
            "title": "Related",
            "on": ["Detained"],
            "then": ["Wanted", "Detained"],
            "of": of,
            "within": days * 86400,
            "explain": "{name} was {anchor.type}; {then.relation} {then.name} ({subject}) was {then.type}.",
            **keys,
        }
    )


def contribution(  # noqa: PLR0913, PLR0917 - the parts of a contribution
    number: int,
    subject: str,
    occurred: str,
    group: str = "g",
    reports: tuple[str, ...] = (),
    places: tuple[str, ...] = (),
) -> Contribution:
    """Return a contribution to a count, of the fact with this number, with the law of *places*."""
    fact_id, at = f"f{number}", parse_instant("2022-04-01")
    return Contribution("many", "count", subject, fact_id, group, "G", parse(occurred), at, (fact_id, *reports), places)


def step(rule: CountRule | OfRule, *lines: Line, clock: str = "2030") -> Step:
    """Return the state of one person after *lines*, as *rule* reads it."""
    known = history(*lines, clock=clock)
    return Step(known, Fold(known, rule.on).status, known.next_due)
