"""The rule file of a chain, and the chain that is read from a file."""

from typing import Any

from projections.rules.patterns.chain import ChainRule
from projections.rules.rulebook import Rulebook
from tests.support.rules import book

DAY = 86400
"""The seconds of a day, as a stored rule has them."""
ACCUSED = """\
rules:
  - id: accused-then-arrested
    title: Accused, and then arrested
    on: Accused
    steps:
      - {then: [MaterialsReferred, InvestigationOpened], within: P90D}
      - {then: [Detained, Arrested], within: P30D, as: arrest}
    within: P100D
    explain: "{name} was accused ({anchor.occurred}), and {arrest.type} ({arrest.occurred}) after {step1.type}."
"""
QUIET = """\
rules:
  - id: case-that-stopped
    title: Accused, investigated, and nothing more
    on: Accused
    steps:
      - {then: InvestigationOpened, within: P90D, as: case}
      - {absent: [Charged, Detained], for: P30D, settle: P7D}
    explain: "{name}: {anchor.type}, then {case.type} ({case.occurred}); no charge is known in the 30 days after."
"""


def chain(text: str = ACCUSED) -> ChainRule:
    """Return the one chain rule of *text*."""
    (read,) = book(text).rules
    assert isinstance(read, ChainRule)
    return read


def rule(*steps: dict[str, Any], **keys: Any) -> Rulebook:
    """Return a rule that starts from an accusation, with *steps*."""
    data = {"id": "a-chain", "title": "A chain", "on": "Accused", "explain": "{name}: {anchor.type}."}
    return Rulebook((ChainRule.model_validate(data | {"steps": list(steps)} | keys),))


def then(kind: str, days: int, **keys: Any) -> dict[str, Any]:
    """Return a step with the type *kind* within *days*."""
    return {"then": kind, "within": days * DAY, **keys}
