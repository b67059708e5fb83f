"""Rules about a status that lasts, and the lives of their alerts."""

from typing import Any

from projections.rules.patterns.lasting import LastingRule
from projections.rules.rulebook import Rulebook
from projections.rules.values import LASTING
from tests.support.builders import Line, alerts, states

HOUR, DAY = 3600, 86400


def lasting(wait: int = 90 * DAY, /, **keys: Any) -> Rulebook:
    """Return a rule about a status that lasts for *wait* seconds; the words of the status are in *keys*."""
    words = {kind: keys.pop(kind) for kind in LASTING if kind in keys}
    texts = {"id": "long", "title": "A rule", "explain": "{name}: {anchor.type} ({anchor.occurred})."}
    return Rulebook((LastingRule.model_validate(texts | {"while": words, "for": wait, **keys}),))


def lives(lines: list[Line], rules: Rulebook, until: str = "2030") -> dict[str, list[str]]:
    """Return the states of each alert, by its anchor."""
    return {alert["anchor"]: states([alert]) for alert in alerts(lines, until, rules)}
