"""
The posts of one person: each occupancy from its beginning to its end (MODEL 3).

A fact concerns one occupancy, found by the words of the post and not by being the latest. Two posts never lend each
other words: post, agency and region of an occupancy are always those of one fact.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from events.edtf import overlaps
from events.facts import Fact

from .agreeing import folded
from .cells import UNKNOWN, Cell

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
HELD: Final = frozenset({"in_office", "suspended"})
WORDS: Final = ("post", "agency", "region")

_OUT: Final = frozenset({"Suspended", *ENDS})


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
    def is_blank(self) -> bool:
        """Whether the fact names no post at all."""
        return self.post_id is None and self.post is None and self.agency is None


class Post:
    """
    One occupancy.

    Attributes:
        words: how one fact names it.
        status: in_office, suspended, moved, deceased, or the word of its end.
        fact: the fact that set the status.
        began: the fact that began it; None where only a later step is known.
        acting: whether it is held for the time being only, and `acting_by`, the fact that says so.
        place: the number of the step in which its status last changed.
        begun: the number of the step in which it became known.
    """

    __slots__ = ("acting", "acting_by", "began", "begun", "fact", "place", "status", "words")

    def __init__(self, words: Words, status: str, fact: Fact, place: int, *, began: bool) -> None:
        self.words = words
        self.status = status
        self.fact = fact
        self.began = fact if began else None
        self.acting: bool = bool(fact.data.get("acting", False)) if began else False
        self.acting_by = fact if self.acting else None
        self.place = place
        self.begun = place

    @property
    def is_held(self) -> bool:
        """Whether the person holds the post, suspended or not."""
        return self.status in HELD

    def move(self, status: str, fact: Fact, place: int) -> None:
        """Change the status, as *fact* says."""
        self.status, self.fact, self.place = status, fact, place

    def name(self, words: Words) -> None:
        """Take *words* whole, if they name all that is named so far and more."""
        own, other = self.words[:4], words[:4]
        if own.count(None) > other.count(None) and all(
            theirs is not None for mine, theirs in zip(own, other, strict=True) if mine is not None
        ):
            self.words = words


class Posts:
    """
    The fold of the service track.

    Args:
        flag: takes what is to be said of a fact.
        behind: whether a source says that the first fact comes behind the second.
    """

    def __init__(self, flag: Callable[[str, Fact], None], behind: Callable[[Fact, Fact], bool]) -> None:
        self.all: list[Post] = []
        self.died: Fact | None = None
        self._flag = flag
        self._behind = behind
        self._step = 0

    def advance(self, fact: Fact) -> None:
        """Apply the next fact of the service track."""
        self._step += 1
        kind = fact.type
        if self.died is not None:
            if kind != "Died":
                self._flag("after_death", fact)
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
                    post.move("deceased", fact, self._step)
        else:
            self._return(fact)

    def service(self) -> tuple[Cell, Post | None]:
        """Return the status of the person's service, and the occupancy that it rests on."""
        if self.died is not None:
            return Cell("deceased", self.died), self._shown(self.all)
        for status in ("in_office", "suspended"):
            if posts := [post for post in self.all if post.status == status]:
                shown = max(posts, key=lambda post: post.begun)
                return Cell(status, shown.fact), shown
        ended = [post for post in self.all if post.status != "moved"]
        shown_end = self._shown(ended)
        return (Cell(shown_end.status, shown_end.fact), shown_end) if shown_end else (UNKNOWN, None)

    def in_reading_order(self, facts: Sequence[Fact]) -> list[Fact]:
        """
        Return *facts* of one span as the state before them has it read: MODEL 2.

        An end of a post that is held comes before a beginning; where the post is not held, the beginning comes
        first. A fact that comes second in one post, behind one that says the opposite, is flagged.
        """
        begun = [(fact, appointed(fact)) for fact in facts if fact.type not in _OUT]
        late: list[Fact] = []
        for fact in facts:
            if fact.type in _OUT and self._comes_late(fact, [words for _, words in begun]):
                late.append(fact)
                self._flag("order_unknown", fact)
        held_again: list[Fact] = []
        out = [fact for fact in facts if fact.type in _OUT and fact not in late]
        for fact, words in begun:
            if any(score(post.words, words) for post in self._held()) and fact.type in APPOINTMENTS:
                held_again.append(fact)
                if any(score(words, named(end)) for end in out):
                    self._flag("order_unknown", fact)
        first = [fact for fact in facts if fact not in late and fact not in held_again]
        return [*first, *(fact for fact in facts if fact in late), *held_again]

    def _comes_late(self, end: Fact, begun: Iterable[Words]) -> bool:
        words, held = named(end), self._held()
        if words.is_blank:
            return not held and any(True for _ in begun)
        if any(score(post.words, words) for post in held):
            return False
        return any(score(other, words) for other in begun)

    def _held(self) -> list[Post]:
        return [post for post in self.all if post.is_held]

    def _shown(self, posts: Sequence[Post]) -> Post | None:
        """Return, of *posts* that ended, the one whose end came last; of one end, the post begun last."""
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

    def _find(self, words: Words, fact: Fact, posts: Sequence[Post]) -> list[Post] | None:
        """Return those of *posts* that *words* mean; None, with a flag, where they do not say which."""
        best, found = 0, list[Post]()
        for post in posts:
            points = score(post.words, words)
            if points > best:
                best, found = points, []
            if points and points == best:
                found.append(post)
        whole_agency = words.post is None and words.post_id is None
        if len(found) > 1 and not whole_agency:
            self._flag("post_unknown", fact)
            return None
        return found

    def _held_by(self, words: Words, fact: Fact) -> list[Post] | None:
        """Return the posts held that *fact* concerns, perhaps none; None where it does not say which of several."""
        held = self._held()
        if not words.is_blank:
            return self._find(words, fact, held)
        if len(held) > 1:
            self._flag("post_unknown", fact)
            return None
        return held

    def _otherwise(self, words: Words, fact: Fact) -> list[Post]:
        """Return the only post held that *words* do not contradict, though they call it by another name."""
        if fact.type == "LeftOffice" or words.is_blank:
            return []
        held = [post for post in self._held() if not _contradicts(post.words, words)]
        if len(held) != 1:
            return []
        if not held[0].words.is_blank:
            self._flag("post_worded_otherwise", fact)
        return held

    def _end(self, fact: Fact) -> None:
        words, status = named(fact), ENDS[fact.type]
        upper_bound = fact.type == "LeftOffice" and fact.occurred.earliest is None
        held = [] if words.is_blank and upper_bound else self._held_by(words, fact)
        if held is None:
            return
        found = held or self._ended(words)
        if found and not held and fact.type == "LeftOffice":
            return
        found = found or self._otherwise(words, fact)
        for post in found:
            post.move(status, fact, self._step)
            post.name(words)
        if not found:
            self.all.append(Post(words, status, fact, self._step, began=False))

    def _ended(self, words: Words) -> list[Post]:
        """Return the occupancy that ended last among those that *words* mean."""
        ended = [post for post in self.all if not post.is_held]
        found = ended if words.is_blank else [post for post in ended if score(post.words, words)]
        best = max((score(post.words, words) for post in found), default=0)
        found = [post for post in found if score(post.words, words) == best]
        return [max(found, key=lambda post: (post.place, post.begun))] if found else []

    def _suspend(self, fact: Fact) -> None:
        words = named(fact)
        held = self._held_by(words, fact)
        if held is None:
            return
        found = held or self._otherwise(words, fact)
        for post in found:
            post.move("suspended", fact, self._step)
            post.name(words)
        if not found:
            if self._ended(words):
                self._flag("not_in_office", fact)
            self.all.append(Post(words, "suspended", fact, self._step, began=False))

    def _appoint(self, fact: Fact) -> None:
        words = appointed(fact)
        if fact.type == "Transferred":
            self._leave(fact)
        elif words.is_blank and self._held():
            self._held_by(words, fact)
            return
        held = [] if words.is_blank else [post for post in self._held() if score(post.words, words)]
        if held:
            post = max(held, key=lambda post: (score(post.words, words), post.begun))
            post.acting, post.acting_by = bool(fact.data.get("acting", False)), fact
            post.name(words)
            return
        if self._undone(words, fact):
            self._flag("order_unknown", fact)
            return
        if words.agency is not None and not fact.data.get("concurrent", False):
            for post in self._held():
                if post.words.folded_agency == words.folded_agency:
                    post.move("moved", fact, self._step)
        self.all.append(Post(words, "in_office", fact, self._step, began=True))

    def _undone(self, words: Words, fact: Fact) -> bool:
        """Whether the post ended at a time that *fact* may lie before, and no source says which came first."""
        return any(
            not post.is_held
            and score(post.words, words)
            and post.fact.occurred[:2] != fact.occurred[:2]
            and overlaps(fact.occurred, post.fact.occurred)
            and not self._behind(fact, post.fact)
            for post in self.all
        )

    def _leave(self, fact: Fact) -> None:
        """End the post from which somebody is transferred."""
        words = named(fact)
        found = self._held_by(words, fact)
        if found is None:
            return
        found = found or self._otherwise(words, fact)
        for post in found:
            post.move("moved", fact, self._step)
            post.name(words)
        if not found and not words.is_blank:
            self.all.append(Post(words, "moved", fact, self._step, began=False))

    def _return(self, fact: Fact) -> None:
        """Apply SuspensionLifted, Reinstated and DismissalAnnulled."""
        words = named(fact)
        found = [post for post in self.all if words.is_blank or score(post.words, words)]
        match fact.type:
            case "SuspensionLifted":
                back = [post for post in found if post.status == "suspended"]
                if len(back) > 1 and (words.is_blank or words.post or words.post_id):
                    self._flag("post_unknown", fact)
                    return
                code = "not_suspended"
            case "DismissalAnnulled":
                back, code = _last([post for post in found if post.status == "dismissed"]), "not_dismissed"
            case _:
                back, code = _last([post for post in found if post.status != "in_office"]), "not_out_of_office"
        for post in back:
            post.move("in_office", fact, self._step)
            post.name(words)
        if not back:
            self._flag(code, fact)
            if fact.type == "Reinstated" and not any(post.is_held for post in found):
                self.all.append(Post(words, "in_office", fact, self._step, began=True))


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
    for mine, theirs in ((one.folded_post, other.folded_post), (one.folded_agency, other.folded_agency)):
        if mine is not None and theirs is not None:
            if mine != theirs:
                return 0
            points += 1
    return points


def _contradicts(one: Words, other: Words) -> bool:
    pairs = (
        (one.post_id, other.post_id),
        (one.folded_agency, other.folded_agency),
        (one.folded_region, other.folded_region),
    )
    return any(a is not None and b is not None and a != b for a, b in pairs)


def _last(posts: Sequence[Post]) -> list[Post]:
    """Return those of *posts* whose status changed last; one fact may have changed several."""
    place = max((post.place for post in posts), default=0)
    return [post for post in posts if post.place == place]
