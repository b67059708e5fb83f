"""The silence after a fact: its deadline passes without a follow-up (docs/design.md, 4.3)."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from events.edtf import possibly_before
from events.facts import Fact
from projections.history.history import History
from projections.rules.conditions.clauses import Truth

from .deadline import is_in_time, visible_in_time
from .pattern import Finding, Visible

Accepts = Callable[[Fact], Truth]
"""Whether a fact fulfils the conditions on a follow-up; None: its source says too little to decide."""


def accepts_all(fact: Fact) -> Truth:
    """Return True: there are no conditions."""
    del fact
    return True


def silence_follows(absent: frozenset[str], starts: Collection[str]) -> frozenset[str]:
    """Return the fact types that end a silence after one of *starts*. Death is one, unless the silence starts there."""
    return absent if "Died" in starts else absent | {"Died"}


def silence_after(  # noqa: PLR0913, PLR0917 - the parts of a silence
    silence: Finding,
    start: Fact,
    facts: Iterable[Fact],
    history: History,
    accepts: Accepts,
    ahead: Callable[[Fact], bool] | None = None,
) -> Finding:
    """
    Return *silence* after *facts*: void, ended or as it was.

    Args:
        silence: a finding with a deadline.
        start: the fact with which the silence begins.
        facts: facts of the types that end it.
        history: the facts that count. Of several that end it, the first in world order is named.
        accepts: the conditions on them.
        ahead: returns whether a fact lies in a time before the start in which none may lie; None: there is none.
    """
    assert silence.deadline is not None, "a silence has a deadline"
    ended_by = silence.ended_by
    for fact in facts:
        is_ahead = ahead is not None and ahead(fact)
        if not is_ahead and not possibly_before(start.occurred, fact.occurred):
            continue
        in_time = is_ahead or is_in_time(fact, silence.deadline, exact=silence.exact)
        if not in_time and ended_by is not None and history.place(ended_by) < history.place(fact):
            # The silence is over already. In a long case most facts are such, and the conditions cost the most.
            continue
        accepted = accepts(fact)
        if accepted is False:
            continue
        if in_time:
            # Where the source does not say enough to decide, nothing is said of a silence.
            return silence._replace(value="void", final=True)
        if accepted:
            ended_by = fact
    return silence if ended_by is silence.ended_by else silence._replace(value="ended", ended_by=ended_by)


def visible_silence(
    finding: Finding, history: History, clock: datetime, follow: Collection[str], accepts: Accepts
) -> Visible:
    """
    Return the value that an alert may state at *clock* of the silence *finding*, which is not void.

    A silence is not stated before its time, nor while an undated fact may have ended it.
    """
    undated = (fact.type in follow and accepts(fact) is not False for fact in history.undated)
    return visible_in_time(finding, clock, undated)
