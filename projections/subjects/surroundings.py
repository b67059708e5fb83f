"""The posts around an event: those that it concerns, and the one that the person's row showed before it."""

from collections.abc import Mapping
from typing import NamedTuple

from events.facts import Fact
from events.vocabulary import TRACK_OF
from projections.tracks.post import Post
from projections.tracks.post_matching import held, matching
from projections.tracks.post_words import Words, named
from projections.tracks.posts import APPOINTMENTS, Posts


class Surroundings(NamedTuple):
    """
    The posts around one event.

    Attributes:
        shown: the words of the post that the row showed before it; None: no post was known.
        described: the latest description before it with a post, agency or region; None: there was none.
        placed: the latest description before it with a jurisdiction; None: there was none.
        concerned: the words of each post that it concerns, as they are after it.
    """

    shown: Words | None
    described: Fact | None
    placed: Fact | None
    concerned: tuple[Words, ...] = ()


def surroundings(shown: Post | None, described: Mapping[str, Fact]) -> Surroundings:
    """
    Return the posts around an event, as they are before it.

    Args:
        shown: the post on which the row rests.
        described: the latest descriptions, as a status keeps them.
    """
    words = shown.words if shown is not None else None
    return Surroundings(words, described.get("post"), described.get("jurisdiction"))


def concerned_by(fact: Fact, posts: Posts) -> tuple[Words, ...]:
    """Return the words of each post that *fact*, the last step of *posts*, concerns; a death concerns none."""
    if TRACK_OF[fact.type] != "service" or fact.type == "Died":
        return ()
    changed = [post for post in posts.all if post.fact is fact]
    if fact.type in APPOINTMENTS:
        # An appointment also ends another post of the agency. A transfer is about the post that the person leaves.
        status = "moved" if fact.type == "Transferred" else "in_office"
        changed = [post for post in changed if post.status == status]
    if not changed and not (words := named(fact)).is_blank:
        changed = matching(words, held(posts.all))
    return tuple(post.words for post in changed)
