"""The words of one fact for a post, and whether two facts mean the same post (docs/design.md, 3.3)."""

from typing import NamedTuple

from events.facts import Fact
from events.text import comparison_form


class Words(NamedTuple):
    """The words of one fact for a post, and the same in the form for comparison."""

    post_id: str | None
    post: str | None
    agency: str | None
    region: str | None
    fact: Fact
    compared_post: str | None
    compared_agency: str | None
    compared_region: str | None
    is_blank: bool
    """Whether the fact names no post at all."""

    @property
    def compared(self) -> tuple[str | None, ...]:
        """The words in the form for comparison."""
        return (self.post_id, self.compared_post, self.compared_agency, self.compared_region)

    @property
    def is_agency_alone(self) -> bool:
        """Whether the fact names an agency and no post there: it concerns all posts of the agency."""
        return self.agency is not None and self.post is None and self.post_id is None


def named(fact: Fact) -> Words:
    """Return the words of *fact* for the post that it is about."""
    data = fact.data
    return _words(data.get("post_id"), data.get("post"), data.get("agency"), data.get("region"), fact)


def appointed(fact: Fact) -> Words:
    """Return the words of *fact* for the post that it begins."""
    if fact.type != "Transferred":
        return named(fact)
    data = fact.data
    return _words(data.get("to_post_id"), data.get("to_post"), data.get("to_agency"), None, fact)


def _words(post_id: str | None, post: str | None, agency: str | None, region: str | None, fact: Fact) -> Words:
    return Words(
        post_id,
        post,
        agency,
        region,
        fact,
        comparison_form(post) if post is not None else None,
        comparison_form(agency) if agency is not None else None,
        comparison_form(region) if region is not None else None,
        post_id is None and post is None and agency is None,
    )


def score(one: Words, other: Words) -> int:
    """Return the number of words of a post on which two facts agree; 0 if they do not mean the same post."""
    if one.post_id is not None and other.post_id is not None:
        return 3 if one.post_id == other.post_id else 0
    points = 0
    same_agency = one.compared_agency is not None and one.compared_agency == other.compared_agency
    regions = {one.compared_region, other.compared_region} - {None}
    if len(regions) > 1 and not same_agency:
        # Governors of two regions, like prosecutors of two regions, hold two posts of one name.
        return 0
    for word, other_word in ((one.compared_post, other.compared_post), (one.compared_agency, other.compared_agency)):
        if word is not None and other_word is not None:
            if word != other_word:
                return 0
            points += 1
    return points


def contradicts(one: Words, other: Words) -> bool:
    """Return whether two facts cannot mean one post: their ids, agencies or regions differ."""
    pairs = (
        (one.post_id, other.post_id),
        (one.compared_agency, other.compared_agency),
        (one.compared_region, other.compared_region),
    )
    return any(a is not None and b is not None and a != b for a, b in pairs)
