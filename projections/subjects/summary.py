"""The summary of a person's parts (docs/design.md, 3.4 and 3.6). It never says more than the parts do."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from projections.history.flag import Flag
from projections.tracks.cases import CRIMINAL, Case, furthest
from projections.tracks.cell import UNKNOWN, Cell
from projections.tracks.counts import Count, tally
from projections.tracks.custody import STRICTEST_FIRST, Custody
from projections.tracks.post import Post
from projections.tracks.posts import Posts, service_of

NOT_HEADLINES: Final = frozenset({"unknown", "released", "sentence_served"})
"""The words of custody that are not the headline."""

_NO_COUNTS: Final[Mapping[str, int]] = tally(())

Cases = Mapping[str, Case]
"""The cases of one person, by case_id."""


class Summary(NamedTuple):
    """
    The person's row.

    Attributes:
        service, custody: a cell each.
        shown: the post on which the service rests; None: no post is known.
        wanted: the widest search; None: not wanted.
        stage: the furthest of an open criminal case, else the end of the one that ended last; None: no stage is known.
        open_cases, convicted_cases: numbers of criminal cases.
        counts: the numbers of counts in criminal cases: undecided, convicted, acquitted, and ended in another way.
        presumption: presumed_innocent, convicted_not_final, convicted or cleared.
        headline: one word for lists.
        flags: the anomalies: facts that do not follow from the state before them, holds that outlast their case.
    """

    service: Cell
    shown: Post | None
    custody: Cell
    wanted: Cell | None
    stage: Cell | None
    open_cases: int
    convicted_cases: int
    counts: Mapping[str, int]
    presumption: str
    headline: str
    flags: tuple[Flag, ...]


def summarize(posts: Posts, cases: Cases, custody: Custody, flags: Iterable[Flag] = ()) -> Summary:
    """Return the person's row, computed from the parts; *flags* are those of the fold."""
    service, shown = service_of(posts)
    dead = posts.died is not None
    held = _custody_cell(posts, cases, custody) if custody.holds or dead else UNKNOWN
    wanted = _wanted_cell(cases, custody) if custody.searches else None
    # Numbers of cases that are known from custody alone.
    held_only = 0
    for case_id, hold in custody.holds.items():
        held_only += case_id is not None and case_id not in cases and hold.is_active
    if not cases:
        open_cases = 0 if dead else held_only
        headline = _headline(service, held, wanted, None, is_open=False)
        parts = (service, shown, held, wanted, None, open_cases, 0, _NO_COUNTS, "presumed_innocent", headline)
        return Summary(*parts, flags=tuple(sorted({*flags})))
    criminal = [case for case in cases.values() if case.kind == CRIMINAL]
    under_way = [case for case in criminal if case.ended is None]
    open_case = furthest(under_way)
    stage = open_case.stage if open_case else _last_end(criminal)
    open_cases = 0 if dead else len(under_way) + held_only
    return Summary(
        service=service,
        shown=shown,
        custody=held,
        wanted=wanted,
        stage=stage,
        open_cases=open_cases,
        convicted_cases=sum(case.is_finally_convicted for case in criminal),
        counts=tally(count for case in criminal for count in case.counts.all),
        presumption=_presumption(criminal, is_open=bool(open_cases) or _is_sought_since(criminal, custody), dead=dead),
        headline=_headline(service, held, wanted, stage, is_open=open_case is not None and not dead),
        flags=tuple(sorted({*flags, *_held_after_end(cases, custody)})),
    )


def is_counted(cases: Cases, case_id: str | None) -> bool:
    """Return whether a hold or search in the case counts for the row: not if the case ended without a conviction."""
    case = cases.get(case_id) if case_id is not None else None
    return case is None or case.is_open or case.stands_convicted


def _held_after_end(cases: Cases, custody: Custody) -> Iterator[Flag]:
    """Yield a flag for each hold and search that outlasts its case."""
    for case_id, hold in custody.holds.items():
        if hold.is_active and hold.fact and _has_ended(cases, case_id):
            yield Flag("held_after_end", hold.fact.id)
    for search in custody.searches:
        if _has_ended(cases, search.case_id):
            yield Flag("held_after_end", search.fact.id)


def _has_ended(cases: Cases, case_id: str | None) -> bool:
    """Return whether the case ended, and not in a final conviction."""
    case = cases.get(case_id) if case_id is not None else None
    return case is not None and case.ended is not None and case.ended.status != "final"


def _custody_cell(posts: Posts, cases: Cases, custody: Custody) -> Cell:
    """Return the strictest custody that counts, of equals the latest."""
    if posts.died is not None:
        return Cell("deceased", posts.died)
    holds = [(case_id, hold) for case_id, hold in custody.holds.items() if hold.fact is not None]
    counted = [hold for case_id, hold in holds if not hold.is_active or is_counted(cases, case_id)]
    if not counted:
        return UNKNOWN
    strictest = min(counted, key=lambda hold: (STRICTEST_FIRST.index(hold.status), -hold.place))
    return Cell(strictest.status, strictest.fact)


def _wanted_cell(cases: Cases, custody: Custody) -> Cell | None:
    counted = [search for search in custody.searches if is_counted(cases, search.case_id)]
    # "international" comes before "national", and of equals the first stands.
    widest = min(counted, key=lambda search: search.scope, default=None)
    return Cell(widest.scope, widest.fact) if widest else None


def _is_sought_since(criminal: Sequence[Case], custody: Custody) -> bool:
    """Return whether custody or a search began after the last case had ended: there may be an unknown case."""
    end = _last_end(criminal)
    ended = end.fact.occurred.latest if end and end.fact else None
    facts = [hold.fact for hold in custody.holds.values() if hold.is_active and hold.fact]
    facts += [search.fact for search in custody.searches]
    begun = (fact.occurred.earliest for fact in facts)
    return ended is not None and any(earliest is not None and earliest >= ended for earliest in begun)


def _last_end(criminal: Sequence[Case]) -> Cell | None:
    """Return the end of the case that ended last, if one did."""
    ended = [case for case in criminal if case.ended is not None]
    last = max(ended, key=lambda case: case.place, default=None)
    return last.ended if last else None


def _presumption(criminal: Sequence[Case], *, is_open: bool, dead: bool) -> str:
    if any(case.is_finally_convicted for case in criminal):
        # It stands until a court sets it aside: a later pardon does not undo it.
        return "convicted"
    counts: list[Count] = [count for case in criminal for count in case.counts.all if count.status != "replaced"]
    if not dead and any(count.stands_convicted and count.is_open for count in counts):
        return "convicted_not_final"
    if is_open:
        return "presumed_innocent"
    cleared = [count for count in counts if count.status != "withdrawn"]
    return "cleared" if cleared and all(count.clears for count in cleared) else "presumed_innocent"


def _headline(service: Cell, custody: Cell, wanted: Cell | None, stage: Cell | None, *, is_open: bool) -> str:
    if service.status == "deceased":
        return "deceased"
    if custody.status not in NOT_HEADLINES:
        return custody.status
    if stage and is_open:
        return stage.status
    if wanted:
        return "wanted"
    return stage.status if stage else service.status
