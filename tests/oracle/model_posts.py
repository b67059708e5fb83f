"""A literal reading of docs/design.md, 3.3: the posts of one person after the events in world order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.model_time import LAST, Event, contradicts_order, folded

ENDS = {
    "Removed": "removed", "Dismissed": "dismissed", "Resigned": "resigned", "Retired": "retired",
    "TermEnded": "term_ended", "LeftOffice": "left_office",
}  # fmt: skip
ENDING = {*ENDS, "Suspended"}
RETURNING = {"Reinstated", "SuspensionLifted"}
ANNULLED = ("DismissalAnnulled", "Dismissed")
BEGINNING = {"Elected", "Appointed", "Transferred", "DismissalAnnulled", *RETURNING}
HELD = {"in_office", "suspended"}
OF_A_POST = ("post", "agency", "region", "post_id")

Words = Mapping[str, str | None]
Flag = Callable[[str, Event], None]


@dataclass
class Occupancy:
    """One post, held or ended."""

    words: Words
    words_event: Event | None
    status: str
    since: Event
    first: Event
    began: Event | None = None
    acting: Event | None = None
    ground: str | None = None
    until: str | None = None

    @property
    def held(self) -> bool:
        """Return whether the person is in office or suspended."""
        return self.status in HELD


def own_words(event: Event) -> Words:
    """Return the words of *event* for the post."""
    return {name: event.data.get(name) for name in OF_A_POST}


def new_words(event: Event) -> Words:
    """Return the words of the post that begins: those with `to_` for a transfer, else the own words."""
    if event.type != "Transferred":
        return own_words(event)
    return {"region": None} | {name: event.data.get(f"to_{name}") for name in ("post", "agency", "post_id")}


def unnamed(words: Words) -> bool:
    """Return whether *words* name neither a post nor an agency."""
    return not (words["post"] or words["agency"] or words["post_id"])


def agency_alone(words: Words) -> bool:
    """Return whether *words* name an agency and no post."""
    return bool(words["agency"]) and not (words["post"] or words["post_id"])


def same(a: str | None, b: str | None) -> bool | None:
    """Return whether two texts are equal; None if one of them is missing."""
    return folded(a) == folded(b) if a and b else None


def score(a: Words, b: Words) -> int:
    """Return the number of fields in which two posts are the same; 0 if they do not match."""
    if a["post_id"] and b["post_id"]:
        return 3 if a["post_id"] == b["post_id"] else 0
    if same(a["region"], b["region"]) is False and same(a["agency"], b["agency"]) is not True:
        return 0
    equal = [same(a[name], b[name]) for name in ("post", "agency")]
    return 0 if False in equal else equal.count(True)


def best(words: Words, posts: Iterable[Occupancy]) -> list[Occupancy]:
    """Return those of *posts* that match *words* best."""
    scored = [(score(words, post.words), post) for post in posts]
    top = max((points for points, _ in scored), default=0)
    return [post for points, post in scored if points == top > 0]


@dataclass
class Posts:
    """All posts of one person, in the order in which they became known."""

    flag: Flag
    known: list[Occupancy] = field(default_factory=list)
    died: Event | None = None
    read_before: dict[str, int] = field(default_factory=dict)

    def held(self) -> list[Occupancy]:
        """Return the held posts."""
        return [post for post in self.known if post.held]

    def ended(self) -> list[Occupancy]:
        """Return the ended posts."""
        return [post for post in self.known if not post.held]

    def read(self, event: Event) -> None:
        """Apply one event of the service track."""
        self.read_before[event.id] = len(self.read_before)
        if self.died:
            if event.type != "Died":
                self.flag("after_death", event)
        elif event.type == "Died":
            self.died = event
            for post in self.held():
                _end(post, "deceased", event)
        elif event.type in ENDING:
            self._end(event)
        elif event.type in {"Elected", "Appointed"}:
            self._appoint(event)
        elif event.type == "Transferred":
            self._transfer(event)
        elif event.type == "SuspensionLifted":
            self._lift(event)
        elif event.type == "Reinstated":
            self._reinstate(event)
        else:
            self._annul(event)

    def pick(self, event: Event, words: Words, posts: Sequence[Occupancy]) -> list[Occupancy] | None:
        """Return those of *posts* that *words* fit; None, with a flag, if several are possible."""
        if unnamed(words):
            matches, several = list(posts), len(posts) > 1
        else:
            matches = best(words, posts)
            several = len(matches) > 1 and not agency_alone(words)
        if several:
            self.flag("post_unknown", event)
            return None
        return matches

    def _end(self, event: Event) -> None:
        words = own_words(event)
        status = ENDS.get(event.type, "suspended")
        weak = event.type == "LeftOffice"
        bound = _upper_bound(event)
        held = [] if bound else self.held()
        matches = self.pick(event, words, held)
        if matches is None:
            return
        if matches:
            for post in matches:
                _end(post, status, event)
            return
        ended = self._ended_before(words) if event.type in ENDS else []
        if ended:
            if not weak:
                _end(max(ended, key=self._turn), status, event)
            return
        only = [] if weak or unnamed(words) else self._not_contradicted(event, words)
        if only:
            _end(only[0], status, event)
        elif not (bound and self.known):
            self._own(event, words, status)

    def _ended_before(self, words: Words) -> list[Occupancy]:
        return self.ended()[::-1] if unnamed(words) else best(words, self.ended()[::-1])

    def _not_contradicted(self, event: Event, words: Words) -> list[Occupancy]:
        """Return the only held post that *words* can mean in other wording, with a flag."""
        left = [
            post
            for post in self.held()
            if all(same(words[name], post.words[name]) is not False for name in ("agency", "region"))
            and not (words["post_id"] and post.words["post_id"] and words["post_id"] != post.words["post_id"])
        ]
        if len(left) != 1:
            return []
        if not unnamed(left[0].words):
            self.flag("post_worded_otherwise", event)
        return left

    def _own(self, event: Event, words: Words, status: str) -> Occupancy:
        """Add a post that is known from *event* alone."""
        words = dict(words) | {"jurisdiction": event.data.get("jurisdiction")}
        post = Occupancy(words, event, status, event, event)
        post.ground, post.until = event.data.get("ground"), event.data.get("until")
        self.known.append(post)
        return post

    def _appoint(self, event: Event) -> None:
        words = new_words(event)
        matches = self.pick(event, words, self.held())
        if matches is None:
            return
        if not matches:
            self._begin(event, words)
        elif not unnamed(words):
            for post in matches:
                post.acting = event if event.data.get("acting") else None
                _reword(post, event, words)

    def _begin(self, event: Event, words: Words) -> None:
        """Begin a post, unless it may have ended since."""
        if any(score(words, post.words) and contradicts_order(event, post.since) for post in self.ended()):
            self.flag("order_unknown", event)
            return
        if not event.data.get("concurrent"):
            for post in self.held():
                if same(words["agency"], post.words["agency"]):
                    _end(post, "moved", event, reword=False)
        post = self._own(event, words, "in_office")
        post.began, post.acting = event, event if event.data.get("acting") else None

    def _transfer(self, event: Event) -> None:
        words = own_words(event)
        matches = self.pick(event, words, self.held())
        if matches == [] and not unnamed(words):
            matches = self._not_contradicted(event, words) or [self._own(event, words, "moved")]
        for post in matches or []:
            _end(post, "moved", event)
        to = new_words(event)
        if unnamed(to):
            self._begin(event, to)
        else:
            self._appoint(event)

    def _lift(self, event: Event) -> None:
        words = own_words(event)
        matches = self.pick(event, words, [post for post in self.held() if post.status == "suspended"])
        if matches == []:
            self.flag("not_suspended", event)
        for post in matches or []:
            _return(post, event)

    def _reinstate(self, event: Event) -> None:
        words = own_words(event)
        matching = [post for post in self.known if unnamed(words) or score(words, post.words)]
        last = self._last([post for post in matching if post.status != "moved"])
        out = [post for post in last if post.status != "in_office" and not self._held_again(post)]
        for post in out:
            _return(post, event)
        if not out:
            self.flag("not_out_of_office", event)
            if not any(post.held for post in matching):
                self._own(event, words, "in_office").began = event

    def _annul(self, event: Event) -> None:
        words = own_words(event)
        dismissals = [
            post for post in self.known if post.status == "dismissed" and (unnamed(words) or score(words, post.words))
        ]
        back = [post for post in self._last(dismissals) if not self._held_again(post)]
        for post in back:
            _return(post, event)
        if not back:
            self.flag("not_dismissed", event)

    def _held_again(self, post: Occupancy) -> bool:
        """Return whether another post with the same words is held."""
        return any(other is not post and score(other.words, post.words) for other in self.held())

    def phases(self, batch: Sequence[Event]) -> dict[str, int]:
        """Return the group in which each event of one span is read; flag those of unknown order."""
        held = self.held()
        begins = [event for event in batch if event.type in BEGINNING]
        phases = {event.id: 3 if event.type == "Died" else 1 for event in batch}
        for end in (event for event in batch if event.type in ENDING):
            words = own_words(end)
            means = held if unnamed(words) else best(words, held)
            same_post = [b for b in begins if unnamed(words) or score(words, new_words(b))]
            phases[end.id] = 0 if means or not same_post else 2
            if not means and same_post:
                self.flag("order_unknown", end)
            if _upper_bound(end) or (len(means) > 1 and not agency_alone(words)):
                continue
            for begin in begins:
                to = new_words(begin)
                returns = unnamed(to) and (begin.type in RETURNING or (begin.type, end.type) == ANNULLED)
                if means and (returns or any(score(to, post.words) for post in means)):
                    self.flag("order_unknown", begin)
        return phases

    def shown(self) -> tuple[str, Event | None, Occupancy | None]:
        """Return the service status of the row, its fact, and the post that is shown."""
        for status in ("in_office", "suspended"):
            posts = [post for post in self.known if post.status == status]
            if posts:
                post = _begun_last(posts)
                return status, post.since, post
        if self.died:
            ended_so = [post for post in self.known if post.status == "deceased"]
            return "deceased", self.died, _begun_last(ended_so) if ended_so else self._end_shown()
        last = self._end_shown()
        if last is None or last.status == "moved":
            return "unknown", None, last
        return last.status, last.since, last

    def _end_shown(self) -> Occupancy | None:
        """Return the post with the latest end."""
        ended = [post for post in self.known if post.status != "moved"] or self.known
        strong = [post for post in ended if post.status != "left_office"]
        weak = [post for post in ended if post.status == "left_office"]
        if strong:
            last = max(strong, key=self._turn)
            end = last.since.span.latest or LAST
            behind = [post for post in weak if self._turn(post) > self._turn(last)]
            weak = [post for post in behind if post.since.span.earliest and post.since.span.earliest >= end]
        pool = weak or strong
        return _begun_last(self._last(pool)) if pool else None

    def _turn(self, post: Occupancy) -> int:
        """Return the reading number of the latest event that changed *post*."""
        return self.read_before[post.since.id]

    def _last(self, posts: Sequence[Occupancy]) -> list[Occupancy]:
        """Return the posts with the latest change."""
        last = max(map(self._turn, posts), default=None)
        return [post for post in posts if self._turn(post) == last]


def _upper_bound(event: Event) -> bool:
    """Return whether *event* only says that the person had left some post by then."""
    return event.type == "LeftOffice" and event.span.earliest is None and unnamed(own_words(event))


def _end(post: Occupancy, status: str, event: Event, *, reword: bool = True) -> None:
    """End or suspend *post*; a suspension that is reported again keeps its cell."""
    if status == post.status == "suspended":
        post.until = event.data.get("until", post.until)
    else:
        post.status, post.since = status, event
        post.ground, post.until = event.data.get("ground"), event.data.get("until")
    if reword and status != "deceased":
        _reword(post, event, own_words(event))


def _return(post: Occupancy, event: Event) -> None:
    """Return the person to *post*."""
    post.status, post.since, post.ground, post.until = "in_office", event, None, None
    _reword(post, event, own_words(event))


def _reword(post: Occupancy, event: Event, words: Words) -> None:
    """Replace the words of *post* by those of *event*, if these name all that *post* names, and more."""
    kept = all(same(words[name], post.words[name]) for name in OF_A_POST if post.words[name])
    if kept and any(words[name] and not post.words[name] for name in OF_A_POST):
        post.words = dict(words) | {"jurisdiction": event.data.get("jurisdiction")}
        post.words_event = event


def _begun_last(posts: Sequence[Occupancy]) -> Occupancy:
    """Return the post that began last, or became known last if no beginning is known."""
    return max(enumerate(posts), key=lambda pair: ((pair[1].began or pair[1].first).pos, pair[0]))[1]


def post_row(post: Occupancy) -> dict[str, Any]:
    """Return one post in the form that programs read; the caller adds `began` and the cell."""
    worded = post.words_event if any(post.words[name] for name in (*OF_A_POST, "jurisdiction")) else None
    return {
        **{name: post.words[name] for name in (*OF_A_POST, "jurisdiction")},
        "words_fact_id": worded.id if worded else None,
        "acting": bool(post.acting),
        "acting_fact_id": post.acting.id if post.acting else None,
        "ground": post.ground,
        "until": post.until,
    }
