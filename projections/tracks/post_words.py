"""The words of one fact for a post, and whether two facts mean the same post (MODEL 3)."""

from typing import NamedTuple

from events.facts import Fact
from events.text import folded


class Words(NamedTuple):
    """The words of one fact for a post, and the same folded for comparison."""

    post_id: str | None
    post: str | None
    agency: str | None
    region: str | None
    fact: Fact
    folded_post: str | None
    folded_agency: str | None
    folded_region: str | None

    @property
    def compared(self) -> tuple[str | None, ...]:
        """The words in the form in which they are compared."""
        return (self.post_id, self.folded_post, self.folded_agency, self.folded_region)

    @property
    def is_blank(self) -> bool:
        """Whether the fact names no post at all."""
        return self.post_id is None and self.post is None and self.agency is None

    @property
    def is_agency_alone(self) -> bool:
        """Whether the fact names an agency and no post of it: it concerns all posts there."""
        return self.agency is not None and self.post is None and self.post_id is None


def named(fact: Fact) -> Words:
    """Return the words of *fact* for the post it is about."""
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
        folded(post) if post is not None else None,
        folded(agency) if agency is not None else None,
        folded(region) if region is not None else None,
    )


def score(one: Words, other: Words) -> int:
    """Return on how many words of a post two facts agree; 0 where they do not mean the same post."""
    if one.post_id is not None and other.post_id is not None:
        return 3 if one.post_id == other.post_id else 0
    points = 0
    same_agency = one.folded_agency is not None and one.folded_agency == other.folded_agency
    regions = {one.folded_region, other.folded_region} - {None}
    if len(regions) > 1 and not same_agency:
        # Governors and prosecutors of two regions hold two posts of one name.
        return 0
    for mine, theirs in ((one.folded_post, other.folded_post), (one.folded_agency, other.folded_agency)):
        if mine is not None and theirs is not None:
            if mine != theirs:
                return 0
            points += 1
    return points


def contradicts(one: Words, other: Words) -> bool:
    """Whether two facts cannot mean one post: another id, agency or region."""
    pairs = (
        (one.post_id, other.post_id),
        (one.folded_agency, other.folded_agency),
        (one.folded_region, other.folded_region),
    )
    return any(a is not None and b is not None and a != b for a, b in pairs)
