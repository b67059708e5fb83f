"""
The order in which facts of one span are read (docs/design.md, 3.1).

Facts of one span can contradict each other. The state before them then decides: an end is read first if the hold or the
post stood before, and a beginning is read first if not. The fact that is read second is flagged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from events.facts import Fact
from events.vocabulary import TRACK_OF
from projections.history.placing import Place

from .custody import RELEASES, Custody, hold_key, is_general_release, is_seizure
from .post import Post
from .post_matching import held, matching
from .post_words import Words, appointed, named, score
from .posts import APPOINTMENTS, ENDS, Posts

Step = tuple[Fact, frozenset[str | None] | None]
"""A fact to apply; for a release without a case also the cases in which it ends a hold. None: all of them."""

_POST_ENDS: Final = frozenset({"Suspended", *ENDS})
_RETURNS: Final = frozenset({"SuspensionLifted", "Reinstated", "DismissalAnnulled"})
_POST_BEGINNINGS: Final = APPOINTMENTS | _RETURNS


def reading_steps(facts: Sequence[Fact], places: Mapping[str, Place], posts: Posts, custody: Custody) -> Iterator[Step]:
    """
    Yield *facts* in the order in which they are read.

    The caller applies each step before it asks for the next one, because the order depends on *posts* and *custody* as
    they stand then.

    Args:
        facts: events in world order.
        places: the places of facts that a source puts behind others, by id.
        posts: the posts after the steps before.
        custody: the custody after the steps before.
    """
    start, count = 0, len(facts)
    while start < count:
        # Facts of one span are read together, and with each those that a source places right behind it. The span, not
        # `order`: there an open beginning is the year 1, and the history, which compares spans, would disagree.
        end, head = start + 1, facts[start]
        while end < count:
            fact = facts[end]
            place = places.get(fact.id) if places else None
            if place is None and fact.occurred[:2] == head.occurred[:2] and head.id not in places:
                head = fact
            elif place is None or place[0] != head.order:
                break
            end += 1
        if end == start + 1:
            yield head, None
        else:
            yield from _steps_together(facts[start:end], places, posts, custody)
        start = end


def _steps_together(
    facts: Sequence[Fact], places: Mapping[str, Place], posts: Posts, custody: Custody
) -> Iterator[Step]:
    """Yield the steps of facts of one span, and of those that a source places right behind one of them."""
    followers: dict[str, list[Fact]] = {}
    heads: list[Fact] = []
    for fact in facts:
        if heads and places.get(fact.id):
            followers.setdefault(heads[-1].id, []).append(fact)
        else:
            heads.append(fact)
    tracks: dict[str, list[Fact]] = {}
    for fact in heads:
        tracks.setdefault(TRACK_OF[fact.type], []).append(fact)
    for track, of_track in tracks.items():
        is_reordered = len(of_track) > 1 and posts.died is None
        if track == "custody" and is_reordered:
            steps = custody_steps(custody, of_track)
        else:
            in_order = service_facts(posts, of_track) if track == "service" and is_reordered else of_track
            steps = [(fact, None) for fact in in_order]
        for step in steps:
            yield step
            if followers:
                for follower in followers.pop(step[0].id, ()):
                    yield follower, None


def custody_steps(custody: Custody, facts: Sequence[Fact]) -> list[Step]:
    """
    Return *facts* of one span in the order that the state before them requires.

    In a hold that stands, the releases come first; in any other, the seizures do. A fact that comes second in one
    hold, behind one that says the opposite, is flagged. A release without a case is read for each hold by itself.
    """
    keys = {fact.id: hold_key(custody.holds, fact) for fact in facts}
    held = frozenset(case_id for case_id, hold in custody.holds.items() if hold.is_seized)
    begun = frozenset(keys[fact.id] for fact in facts if is_seizure(fact))
    ended = {keys[fact.id] for fact in facts if fact.type in RELEASES and not is_general_release(fact)}
    if any(map(is_general_release, facts)):
        ended |= begun
    first: list[Step] = []
    second: list[Step] = []
    comes_second: Step | None
    for fact in facts:
        key = keys[fact.id]
        if is_general_release(fact):
            new = begun - held
            before = held | (custody.holds.keys() - begun)
            first.append((fact, frozenset(before) if new else None))
            comes_second = (fact, new) if new else None
        else:
            opposed = key in begun and key in ended and (is_seizure(fact) or fact.type in RELEASES)
            comes_second = (fact, None) if opposed and is_seizure(fact) == (key in held) else None
            if comes_second is None:
                first.append((fact, None))
        if comes_second is not None:
            second.append(comes_second)
            custody.flag("order_unknown", fact)
    return [*first, *second]


def service_facts(posts: Posts, facts: Sequence[Fact]) -> list[Fact]:
    """
    Return *facts* of one span in the order that the state before them requires.

    An end of a post that is held comes before a beginning. If the post is not held, the beginning comes first. A fact
    that comes second in one post, behind one that says the opposite, is flagged.
    """
    held_before = held(posts.all)
    begun = [(fact, appointed(fact)) for fact in facts if fact.type in _POST_BEGINNINGS]
    first: list[Fact] = []
    late: list[Fact] = []
    for end in (fact for fact in facts if fact.type in _POST_ENDS):
        words = named(end)
        ended = held_before if words.is_blank else matching(words, held_before)
        if not ended and any(words.is_blank or score(words, other) for _, other in begun):
            late.append(end)
            posts.flag("order_unknown", end)
            continue
        first.append(end)
        if len(ended) == 1 or (ended and words.is_agency_alone):
            _flag_returns(posts, begun, end, ended)
    deaths = [fact for fact in facts if fact.type == "Died"]
    return [*first, *(fact for fact, _ in begun), *late, *deaths]


def _flag_returns(posts: Posts, begun: Iterable[tuple[Fact, Words]], end: Fact, ended: Sequence[Post]) -> None:
    """Flag the beginnings that say the opposite of *end* about one of the posts that it *ended*."""
    for fact, words in begun:
        undoes = fact.type in _RETURNS and (fact.type != "DismissalAnnulled" or end.type == "Dismissed")
        if (words.is_blank and undoes) or any(score(post.words, words) for post in ended):
            posts.flag("order_unknown", fact)
