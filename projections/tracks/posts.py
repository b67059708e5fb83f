"""
The posts of one person (docs/design.md, 3.3).

A fact concerns the post that its words mean, which need not be the latest. Words of two posts are never combined: post,
agency and region of a post are always those of one fact.
"""

from collections.abc import Callable, Sequence
from typing import Final

from events.edtf import overlaps
from events.facts import Fact

from .cell import NO_WORD, UNKNOWN, Cell
from .post import Post
from .post_matching import (
    held,
    held_posts_concerned,
    held_posts_meant,
    last_changed,
    last_ended,
    meant_posts,
    only_held_post,
)
from .post_words import Words, appointed, named, score

ENDS: Final = {
    "Removed": "removed",
    "Dismissed": "dismissed",
    "Resigned": "resigned",
    "Retired": "retired",
    "TermEnded": "term_ended",
    "LeftOffice": "left_office",
}
"""The status that each end of a post leaves."""
APPOINTMENTS: Final = frozenset({"Elected", "Appointed", "Transferred"})


class Posts:
    """
    The fold of the service track.

    Args:
        flag: receives the code of each anomaly and its fact.
        behind: returns whether a source says that the first fact comes behind the second.

    Attributes:
        all: the posts, in the order in which they became known.
        died: the fact of the death; None: the person lives.
        steps: the number of changes so far.
    """

    def __init__(self, flag: Callable[[str, Fact], None], behind: Callable[[Fact, Fact], bool]) -> None:
        self.all: list[Post] = []
        self.died: Fact | None = None
        self.flag = flag
        self.steps = 0
        self._behind = behind

    def advance(self, fact: Fact) -> None:
        """Apply the next fact of the service track."""
        self.steps += 1
        kind = fact.type
        if self.died is not None:
            if kind != "Died":
                self.flag("after_death", fact)
        elif kind in ENDS:
            self._end(fact)
        elif kind == "Suspended":
            self._suspend(fact)
        elif kind in APPOINTMENTS:
            self._appoint(fact)
        elif kind == "Died":
            self.died = fact
            for post in self.all:
                if post.is_held:
                    post.move("deceased", fact, self.steps)
                else:
                    post.course.append(Cell(NO_WORD, fact))
        else:
            self._return(fact)

    def _add(self, words: Words, status: str, fact: Fact, *, began: bool) -> None:
        post = Post(words, status, fact, self.steps, began=began)
        post.begun = (self.steps, len(self.all))
        self.all.append(post)

    def _end(self, fact: Fact) -> None:
        words, status = named(fact), ENDS[fact.type]
        if fact.type == "LeftOffice" and fact.occurred.earliest is None and words.is_blank and self.all:
            # "The former official" by then: no source says of which post.
            return
        meant = held_posts_meant(words, fact, self.all, self.flag)
        if meant is None:
            return
        ending = meant or last_ended(words, self.all)
        if ending and not meant and fact.type == "LeftOffice":
            return
        ending = ending or only_held_post(words, fact, self.all, self.flag)
        for post in ending:
            post.move(status, fact, self.steps)
            post.name(words)
        if not ending:
            self._add(words, status, fact, began=False)

    def _suspend(self, fact: Fact) -> None:
        words = named(fact)
        concerned = held_posts_concerned(words, fact, self.all, self.flag)
        if concerned is None:
            return
        for post in concerned:
            post.suspend(fact, self.steps)
            post.name(words)
        if not concerned:
            if last_ended(words, self.all):
                self.flag("not_in_office", fact)
            self._add(words, "suspended", fact, began=False)

    def _appoint(self, fact: Fact) -> None:
        words = appointed(fact)
        if fact.type == "Transferred":
            self._leave(fact)
        elif words.is_blank and held(self.all):
            held_posts_meant(words, fact, self.all, self.flag)
            return
        confirmed = [] if words.is_blank else meant_posts(words, fact, held(self.all), self.flag)
        if confirmed is None:
            return
        for post in confirmed:
            post.acting = bool(fact.data.get("acting", False))
            post.acting_by = fact if post.acting else None
            post.name(words)
        if confirmed:
            return
        if any(_may_precede_end(fact, post, words, self._behind) for post in self.all):
            self.flag("order_unknown", fact)
            return
        if words.agency is not None and not fact.data.get("concurrent", False):
            for post in held(self.all):
                if post.words.compared_agency == words.compared_agency:
                    post.move("moved", fact, self.steps)
        self._add(words, "in_office", fact, began=True)

    def _leave(self, fact: Fact) -> None:
        """End the post from which *fact* transfers the person."""
        words = named(fact)
        concerned = held_posts_concerned(words, fact, self.all, self.flag)
        if concerned is None:
            return
        for post in concerned:
            post.move("moved", fact, self.steps)
            post.name(words)
        if not concerned and not words.is_blank:
            self._add(words, "moved", fact, began=False)

    def _return(self, fact: Fact) -> None:
        """Apply SuspensionLifted, Reinstated and DismissalAnnulled."""
        words = named(fact)
        meant = [post for post in self.all if words.is_blank or score(post.words, words)]
        match fact.type:
            case "SuspensionLifted":
                back = [post for post in meant if post.status == "suspended"]
                if len(back) > 1 and (words.is_blank or words.post or words.post_id):
                    self.flag("post_unknown", fact)
                    return
                code = "not_suspended"
            case "DismissalAnnulled":
                back, code = last_changed([post for post in meant if post.status == "dismissed"]), "not_dismissed"
            case _:
                # The post to which the person returned last is not out of office. A post left by a transfer is not one
                # to return to.
                back, code = last_changed([post for post in meant if post.status != "moved"]), "not_out_of_office"
                back = [post for post in back if post.status != "in_office"]
        back = [post for post in back if not _is_held_again(post, self.all)]
        for post in back:
            post.move("in_office", fact, self.steps)
            post.name(words)
        if not back:
            self.flag(code, fact)
            if fact.type == "Reinstated" and not any(post.is_held for post in meant):
                self._add(words, "in_office", fact, began=True)


def service_of(posts: Posts) -> tuple[Cell, Post | None]:
    """Return the status of the person's service, and the post on which it rests."""
    if posts.died is not None:
        return Cell("deceased", posts.died), _ended_last(posts.all)
    for status in ("in_office", "suspended"):
        if candidates := [post for post in posts.all if post.status == status]:
            latest = max(candidates, key=lambda post: post.begun)
            return Cell(status, latest.fact), latest
    ended = _ended_last([post for post in posts.all if post.status != "moved"])
    return (Cell(ended.status, ended.fact), ended) if ended else (UNKNOWN, None)


def _ended_last(posts: Sequence[Post]) -> Post | None:
    """Return, of *posts* that ended, the one with the latest end; of those with one end, the post begun last."""
    ordered = sorted(posts, key=lambda post: (post.place, post.begun))
    if not ordered:
        return None
    last = ordered[-1]
    if last.status == "left_office":
        # "The former minister" says that an end lies behind, not that it came after the ends that have a date.
        earliest = last.fact.occurred.earliest
        for other in reversed(ordered):
            latest = other.fact.occurred.latest
            after = earliest is not None and latest is not None and earliest >= latest
            if other.status != "left_office" and not after:
                return other
    return last


def _may_precede_end(fact: Fact, post: Post, words: Words, behind: Callable[[Fact, Fact], bool]) -> bool:
    """Return whether *post* is meant and has ended, *fact* may precede its end, and no source orders the two."""
    return bool(
        not post.is_held
        and score(post.words, words)
        and post.fact.occurred[:2] != fact.occurred[:2]
        and overlaps(fact.occurred, post.fact.occurred)
        and not behind(fact, post.fact)
    )


def _is_held_again(post: Post, posts: Sequence[Post]) -> bool:
    """Return whether the person holds the same post by a later beginning."""
    return any(other is not post and score(other.words, post.words) for other in held(posts))
