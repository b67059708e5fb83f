"""The rule file of a chain, and the chain that is read from a file."""

from projections.rules.patterns.chain import ChainRule
from tests.support.rules import book

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
    (rule,) = book(text).rules
    assert isinstance(rule, ChainRule)
    return rule
