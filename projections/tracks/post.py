"""One post of a person (docs/design.md, 3.3): a stay in office from its beginning to its end."""

from typing import Final

from events.facts import Fact

from .cell import Cell
from .post_words import Words

HELD: Final = frozenset({"in_office", "suspended"})


class Post:
    """
    One stay in office.

    Attributes:
        words: the words of one fact for it.
        status: in_office, suspended, moved, deceased, or the word of its end.
        fact: the fact that set the status.
        began: the fact that began it; None if only a later step is known.
        acting: whether it is held for the time being only, and `acting_by`, the fact that says so.
        until: the fact that last named the end of its suspension; None: no fact did.
        place: the number of the step in which its status last changed.
        begun: the number of the step in which it became known, and its number among the posts.
        course: its statuses so far, each with the fact that set it.
    """

    __slots__ = ("acting", "acting_by", "began", "begun", "course", "fact", "place", "status", "until", "words")

    def __init__(self, words: Words, status: str, fact: Fact, place: int, *, began: bool) -> None:
        self.words = words
        self.status = status
        self.fact = fact
        self.began = fact if began else None
        self.acting: bool = bool(fact.data.get("acting", False)) if began else False
        self.acting_by = fact if self.acting else None
        self.place = place
        self.begun = (0, 0)
        self.course = [Cell(status, fact)]
        self.until = fact if status == "suspended" and "until" in fact.data else None

    @property
    def is_held(self) -> bool:
        """Whether the person holds the post, suspended or not."""
        return self.status in HELD

    def move(self, status: str, fact: Fact, place: int) -> None:
        """Change the status, as *fact* says."""
        self.status, self.fact, self.place = status, fact, place
        self.course.append(Cell(status, fact))

    def suspend(self, fact: Fact, place: int) -> None:
        """Suspend; a suspended post stays suspended since the first fact, with the later end if *fact* names one."""
        if self.status != "suspended":
            self.until = None
            self.move("suspended", fact, place)
        if "until" in fact.data:
            self.until = fact

    def name(self, words: Words) -> None:
        """Replace the words by *words*, if these repeat all that are known and add more."""
        pairs = list(zip(self.words.compared, words.compared, strict=True))
        if all(known in (None, new) for known, new in pairs) and any(known != new for known, new in pairs):
            self.words = words
