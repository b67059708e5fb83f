"""Whether two descriptions of one subject_id can be about one person (MODEL 1)."""

from datetime import MAXYEAR, MINYEAR, timedelta

from events.edtf import parse
from events.facts import Fact
from events.text import folded


def spellings(fact: Fact) -> list[str]:
    """Return the name and the aliases that a description gives."""
    names = [fact.data["name"]] if "name" in fact.data else []
    return [*names, *fact.data.get("aliases", [])]


def differ(one: Fact, other: Fact) -> bool:
    """Whether two descriptions speak of two people: no name in common, and other years of birth."""
    names, others = ({folded(name) for name in spellings(fact)} for fact in (one, other))
    if not names or not others or names & others:
        return False
    (first, last), (start, end) = _birth_years(one), _birth_years(other)
    return last < start or end < first


def _birth_years(fact: Fact) -> tuple[int, int]:
    """Return the first and the last year in which somebody can have been born."""
    born = parse(fact.data["born"])
    last = (born.latest - timedelta(microseconds=1)).year if born.latest else MAXYEAR
    return (born.earliest.year if born.earliest else MINYEAR), last
