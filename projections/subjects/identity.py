"""The descriptions of one subject_id: names, latest description, and whether they can be about one person."""

from collections.abc import Callable
from datetime import MAXYEAR, MINYEAR, timedelta

from events.edtf import parse
from events.facts import Fact
from events.text import comparison_form


class Descriptions:
    """
    The fold of the subject track.

    Args:
        flag: receives the code of each anomaly and its fact.

    Attributes:
        names: every spelling of the name, in the order in which they became known.
        latest: the latest fact that gives a name, that names a post, agency or region, and that names a jurisdiction,
            by ``name``, ``post`` and ``jurisdiction``.
    """

    def __init__(self, flag: Callable[[str, Fact], None]) -> None:
        self.names: dict[str, None] = {}
        self.latest: dict[str, Fact] = {}
        self._born: list[Fact] = []
        self._flag = flag

    def advance(self, fact: Fact) -> None:
        """Apply the next fact of the subject track."""
        if fact.type == "SubjectDescribed":
            self._describe(fact)
        elif fact.type in {"RelationAsserted", "RelationWithdrawn"} and fact.data["other"] == fact.subject:
            self._flag("relation_to_self", fact)

    def _describe(self, fact: Fact) -> None:
        data = fact.data
        if "name" in data:
            self.latest["name"] = fact
        if any(name in data for name in ("post", "agency", "region")):
            self.latest["post"] = fact
        if "jurisdiction" in data:
            self.latest["jurisdiction"] = fact
        self.names.update(dict.fromkeys(spellings(fact)))
        if "born" in data:
            born = parse(data["born"])
            published = fact.published
            if born.earliest is not None and published.latest is not None and born.earliest >= published.latest:
                self._flag("born_ahead", fact)
            if any(differ(fact, other) for other in self._born):
                self._flag("identity_differs", fact)
            self._born.append(fact)


def spellings(fact: Fact) -> list[str]:
    """Return the name and the aliases in a description."""
    names = [fact.data["name"]] if "name" in fact.data else []
    return [*names, *fact.data.get("aliases", [])]


def differ(one: Fact, other: Fact) -> bool:
    """Return whether two descriptions are about two people: no name in common, and other years of birth."""
    names, others = ({comparison_form(name) for name in spellings(fact)} for fact in (one, other))
    if not names or not others or names & others:
        return False
    (first, last), (start, end) = _birth_years(one), _birth_years(other)
    return last < start or end < first


def _birth_years(fact: Fact) -> tuple[int, int]:
    """Return the first and the last year in which the described person can have been born."""
    born = parse(fact.data["born"])
    last = (born.latest - timedelta(microseconds=1)).year if born.latest else MAXYEAR
    return (born.earliest.year if born.earliest else MINYEAR), last
