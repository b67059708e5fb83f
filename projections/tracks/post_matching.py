"""The posts that a fact concerns, by its words (docs/design.md, 3.3)."""

from collections.abc import Callable, Sequence

from events.facts import Fact

from .post import Post
from .post_words import Words, contradicts, score

Flagging = Callable[[str, Fact], None]


def matching(words: Words, posts: Sequence[Post]) -> list[Post]:
    """Return those of *posts* that agree with *words* on most of them; an empty list if none agrees."""
    points = [score(post.words, words) for post in posts]
    best = max(points, default=0)
    return [post for post, own in zip(posts, points, strict=True) if own == best] if best else []


def held(posts: Sequence[Post]) -> list[Post]:
    """Return those of *posts* that are held."""
    return [post for post in posts if post.is_held]


def last_changed(posts: Sequence[Post]) -> list[Post]:
    """Return those of *posts* that changed their status last; one fact may have changed several."""
    place = max((post.place for post in posts), default=0)
    return [post for post in posts if post.place == place]


def last_ended(words: Words, posts: Sequence[Post]) -> list[Post]:
    """Return the post that ended last among those of *posts* that *words* mean, if there is one."""
    ended = [post for post in posts if not post.is_held]
    meant = ended if words.is_blank else matching(words, ended)
    return [max(meant, key=lambda post: (post.place, post.begun))] if meant else []


def meant_posts(words: Words, fact: Fact, posts: Sequence[Post], flag: Flagging) -> list[Post] | None:
    """Return those of *posts* that *words* mean; None, with a flag, if *words* fit several and do not say which."""
    meant = matching(words, posts)
    if len(meant) > 1 and not words.is_agency_alone:
        flag("post_unknown", fact)
        return None
    return meant


def held_posts_meant(words: Words, fact: Fact, posts: Sequence[Post], flag: Flagging) -> list[Post] | None:
    """
    Return the held ones of *posts* that *fact* concerns, perhaps none.

    None, with a flag, if *fact* may concern several and does not say which.
    """
    candidates = held(posts)
    if not words.is_blank:
        return meant_posts(words, fact, candidates, flag)
    if len(candidates) > 1:
        flag("post_unknown", fact)
        return None
    return candidates


def held_posts_concerned(words: Words, fact: Fact, posts: Sequence[Post], flag: Flagging) -> list[Post] | None:
    """Return the held ones of *posts* that *fact* concerns, also if it words them otherwise; None as before."""
    meant = held_posts_meant(words, fact, posts, flag)
    return meant if meant is None or meant else only_held_post(words, fact, posts, flag)


def only_held_post(words: Words, fact: Fact, posts: Sequence[Post], flag: Flagging) -> list[Post]:
    """Return the only held one of *posts* that *words* do not contradict, though they call it by another name."""
    if fact.type == "LeftOffice" or words.is_blank:
        return []
    candidates = [post for post in held(posts) if not contradicts(post.words, words)]
    if len(candidates) != 1:
        return []
    if not candidates[0].words.is_blank:
        flag("post_worded_otherwise", fact)
    return candidates
