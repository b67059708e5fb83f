"""The status of a person in sets of words, as the conditions of a rule read it (docs/design.md, 4.1)."""

from typing import NamedTuple

from projections.tracks.cases import CRIMINAL
from projections.tracks.custody import Custody
from projections.tracks.posts import Posts

from .summary import Cases, Summary, is_counted


class Words(NamedTuple):
    """
    The words of all parts of one person's status.

    Attributes:
        service: the words of all posts, and that of the row.
        custody: the words of all holds that count for the row, and that of the row.
        wanted: the scopes of all searches that count for the row.
        stage: the stages of all open criminal cases, and that of the row: the last end, if no case is open.
        presumption: that of the row alone.
        open_cases: the number of the row.
    """

    service: frozenset[str]
    custody: frozenset[str]
    wanted: frozenset[str]
    stage: frozenset[str]
    presumption: frozenset[str]
    open_cases: int


class Judged(NamedTuple):
    """The status at an anchor, judged twice: from the events certainly before it, and from those possibly before it."""

    certain: Words
    possible: Words


def words_of(posts: Posts, cases: Cases, custody: Custody, row: Summary) -> Words:
    """Return the words of the parts and of their summary, *row*."""
    holds = custody.holds.items()
    open_cases = [case for case in cases.values() if case.kind == CRIMINAL and case.ended is None]
    return Words(
        service=_known({row.service.status, *(post.status for post in posts.all)}),
        custody=_known(
            {row.custody.status}
            | {hold.status for case_id, hold in holds if not hold.is_active or is_counted(cases, case_id)}
        ),
        wanted=frozenset(search.scope for search in custody.searches if is_counted(cases, search.case_id)),
        stage=frozenset(cell.status for cell in (row.stage, *(case.reached for case in open_cases)) if cell),
        presumption=frozenset((row.presumption,)),
        open_cases=row.open_cases,
    )


def _known(words: set[str]) -> frozenset[str]:
    """Return *words*; `unknown` is one of them only if nothing else is known."""
    return frozenset(words - {"unknown"} or words)
