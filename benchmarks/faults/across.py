"""Rules across people for the faults: the rules that ship, and two that find something in invented facts."""

from pathlib import Path

_SHIPPED = Path(__file__).parent.parent.parent / "projections" / "rules" / "pack" / "dismissals.yaml"

ACROSS = """
  - id: officials-of-one-agency
    title: Officials of one agency
    on: [Detained, Arrested, Charged]
    count: {distinct: subject, at_least: 3, by: agency, within: P60D}
    explain: "{count} officials of {group} between {first.occurred} and {last.occurred}."
  - id: relatives
    title: Relatives
    on: [Detained, Arrested, Charged]
    then: [Wanted, Detained, Arrested, Charged]
    of: [sibling, spouse, parent, child, relative]
    within: P1000D
    explain: "{name} was {anchor.type} ({anchor.occurred}); {then.relation} {then.name} was {then.type}."
"""


def write(folder: Path) -> Path:
    """Write the rules into *folder* and return their file."""
    rules = folder / "rules.yaml"
    rules.write_text(_SHIPPED.read_text(encoding="utf-8") + ACROSS, encoding="utf-8")
    return rules
