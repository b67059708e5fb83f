"""
The posts of one person: each occupancy from its beginning to its end (MODEL 3).

A fact concerns one occupancy, found by the words of the post and not by being the latest. Two posts never lend each
other words: post, agency and region of an occupancy are always those of one fact.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from events.edtf import overlaps
from events.facts import Fact

from .cell import UNKNOWN, Cell
from .post_words import Words, appointed, contradicts, named, score

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

_OUT: Final = frozenset({"Suspended", *ENDS})
_RETURNS: Final = frozenset({"SuspensionLifted", "Reinstated", "DismissalAnnulled"})
_IN: Final = APPOINTMENTS | _RETURNS


class Post:
    """
    One occupancy.

    Attributes:
        words: how one fact names it.
        status: in_office, suspended, moved, deceased, or the word of its end.
        fact: the fact that set the status.
        began: the fact that began it; None where only a later step is known.
        acting: whether it is held for the time being only, and `acting_by`, the fact that says so.
        until: the fact that last said until when it is suspended; None: none did.
        place: the number of the step in which its status last changed.
        begun: the number of the step in which it became known, and its number among the posts.
    """

    __slots__ = ("acting", "acting_by", "began", "begun", "fact", "place", "status", "until", "words")

    def __init__(self, words: Words, status: str, fact: Fact, place: int, *, began: bool) -> None:
        self.words = words
        self.status = status
        self.fact = fact
        self.began = fact if began else None
        self.acting: bool = bool(fact.data.get("acting", False)) if began else False
        self.acting_by = fact if self.acting else None
        self.place = place
        self.begun = (0, 0)
        self.until = fact if status == "suspended" and "until" in fact.data else None

    @property
    def is_held(self) -> bool:
        """Whether the person holds the post, suspended or not."""
        return self.status in HELD

    def move(self, status: str, fact: Fact, place: int) -> None:
        """Change the status, as *fact* says."""
        self.status, self.fact, self.place = status, fact, place

    def suspend(self, fact: Fact, place: int) -> None:
        """Suspend; one that is suspended already stays so since the first fact, with the later end if one is named."""
        if self.status != "suspended":
            self.until = None
            self.move("suspended", fact, place)
        if "until" in fact.data:
            self.until = fact

    def name(self, words: Words) -> None:
        """Take *words* whole, if they name all that is named so far in the same words, and more."""
        pairs = list(zip(self.words.compared, words.compared, strict=True))
        if all(mine in (None, theirs) for mine, theirs in pairs) and any(mine != theirs for mine, theirs in pairs):
            self.words = words


class Posts:
    """
    The fold of the service track.

    Args:
        flag: takes what is to be said of a fact.
        behind: whether a source says that the first fact comes behind the second.

    Attributes:
        all: the posts, in the order in which they became known.
        died: the fact of the death; None: the person lives.
        steps: the number of changes so far.
    """

    def __init__(self, flag: Callable[[str, Fact], None], behind: Callable[[Fact, Fact], bool]) -> None:
        self.all: list[Post] = []
        self.died: Fact | None = None
        self._flag = flag
        self._behind = behind
        self.steps = 0

    def advance(self, fact: Fact) -> None:
        """Apply the next fact of the service track."""
        self.steps += 1
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
                    post.move("deceased", fact, self.steps)
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
        held = self._held()
        begun = [(fact, appointed(fact)) for fact in facts if fact.type in _IN]
        first: list[Fact] = []
        late: list[Fact] = []
        for end in (fact for fact in facts if fact.type in _OUT):
            words = named(end)
            ended = held if words.is_blank else _matching(words, held)
            if not ended and any(words.is_blank or score(words, other) for _, other in begun):
                late.append(end)
                self._flag("order_unknown", end)
                continue
            first.append(end)
            if len(ended) == 1 or (ended and words.is_agency_alone):
                self._flag_returns(begun, end, ended)
        deaths = [fact for fact in facts if fact.type == "Died"]
        return [*first, *(fact for fact, _ in begun), *late, *deaths]

    def _flag_returns(self, begun: Iterable[tuple[Fact, Words]], end: Fact, ended: Sequence[Post]) -> None:
        """Flag the beginnings that say the opposite of *end* about one of the posts that it *ended*."""
        for fact, words in begun:
            undoes = fact.type in _RETURNS and (fact.type != "DismissalAnnulled" or end.type == "Dismissed")
            if (words.is_blank and undoes) or any(score(post.words, words) for post in ended):
                self._flag("order_unknown", fact)

    def _add(self, words: Words, status: str, fact: Fact, *, began: bool) -> None:
        post = Post(words, status, fact, self.steps, began=began)
        post.begun = (self.steps, len(self.all))
        self.all.append(post)

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

    def _is_held_again(self, post: Post) -> bool:
        """Whether the person holds the same post by a later beginning."""
        return any(other is not post and score(other.words, post.words) for other in self._held())

    def _find(self, words: Words, fact: Fact, posts: Sequence[Post]) -> list[Post] | None:
        """Return those of *posts* that *words* mean; None, with a flag, where they do not say which."""
        found = _matching(words, posts)
        if len(found) > 1 and not words.is_agency_alone:
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

    def _concerned(self, words: Words, fact: Fact) -> list[Post] | None:
        """Return the posts held that *fact* concerns, in other words if need be; None as for `_held_by`."""
        held = self._held_by(words, fact)
        return held if held is None or held else self._otherwise(words, fact)

    def _otherwise(self, words: Words, fact: Fact) -> list[Post]:
        """Return the only post held that *words* do not contradict, though they call it by another name."""
        if fact.type == "LeftOffice" or words.is_blank:
            return []
        held = [post for post in self._held() if not contradicts(post.words, words)]
        if len(held) != 1:
            return []
        if not held[0].words.is_blank:
            self._flag("post_worded_otherwise", fact)
        return held

    def _end(self, fact: Fact) -> None:
        words, status = named(fact), ENDS[fact.type]
        if fact.type == "LeftOffice" and fact.occurred.earliest is None and words.is_blank and self.all:
            # "The former official" by then: of which post, nobody says.
            return
        held = self._held_by(words, fact)
        if held is None:
            return
        found = held or self._ended(words)
        if found and not held and fact.type == "LeftOffice":
            return
        found = found or self._otherwise(words, fact)
        for post in found:
            post.move(status, fact, self.steps)
            post.name(words)
        if not found:
            self._add(words, status, fact, began=False)

    def _ended(self, words: Words) -> list[Post]:
        """Return the occupancy that ended last among those that *words* mean."""
        ended = [post for post in self.all if not post.is_held]
        found = ended if words.is_blank else _matching(words, ended)
        return [max(found, key=lambda post: (post.place, post.begun))] if found else []

    def _suspend(self, fact: Fact) -> None:
        words = named(fact)
        found = self._concerned(words, fact)
        if found is None:
            return
        for post in found:
            post.suspend(fact, self.steps)
            post.name(words)
        if not found:
            if self._ended(words):
                self._flag("not_in_office", fact)
            self._add(words, "suspended", fact, began=False)

    def _appoint(self, fact: Fact) -> None:
        words = appointed(fact)
        if fact.type == "Transferred":
            self._leave(fact)
        elif words.is_blank and self._held():
            self._held_by(words, fact)
            return
        held = [] if words.is_blank else self._find(words, fact, self._held())
        if held is None:
            return
        for post in held:
            post.acting = bool(fact.data.get("acting", False))
            post.acting_by = fact if post.acting else None
            post.name(words)
        if held:
            return
        if self._undone(words, fact):
            self._flag("order_unknown", fact)
            return
        if words.agency is not None and not fact.data.get("concurrent", False):
            for post in self._held():
                if post.words.folded_agency == words.folded_agency:
                    post.move("moved", fact, self.steps)
        self._add(words, "in_office", fact, began=True)

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
        found = self._concerned(words, fact)
        if found is None:
            return
        for post in found:
            post.move("moved", fact, self.steps)
            post.name(words)
        if not found and not words.is_blank:
            self._add(words, "moved", fact, began=False)

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
                # Who came back last is not out of office; a post left for another is not one to come back to.
                back, code = _last([post for post in found if post.status != "moved"]), "not_out_of_office"
                back = [post for post in back if post.status != "in_office"]
        back = [post for post in back if not self._is_held_again(post)]
        for post in back:
            post.move("in_office", fact, self.steps)
            post.name(words)
        if not back:
            self._flag(code, fact)
            if fact.type == "Reinstated" and not any(post.is_held for post in found):
                self._add(words, "in_office", fact, began=True)


def _matching(words: Words, posts: Sequence[Post]) -> list[Post]:
    """Return those of *posts* that agree with *words* on most of them; none where none agrees."""
    points = [score(post.words, words) for post in posts]
    best = max(points, default=0)
    return [post for post, own in zip(posts, points, strict=True) if own == best] if best else []


def _last(posts: Sequence[Post]) -> list[Post]:
    """Return those of *posts* whose status changed last; one fact may have changed several."""
    place = max((post.place for post in posts), default=0)
    return [post for post in posts if post.place == place]
