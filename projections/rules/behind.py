"""The facts behind a word of the status at an anchor."""

from collections.abc import Collection, Iterator

from events.edtf import possibly_before
from events.facts import Fact
from projections.subjects.fold import Step
from projections.subjects.status import Status


def facts_behind(step: Step, anchor: Fact, condition: str, words: Collection[str]) -> list[Fact]:
    """
    Return the facts on which *words* of the status at *anchor* rest, in world order; empty if none is known.

    Args:
        step: the history.
        anchor: the event at which the status is judged.
        condition: service, custody, wanted, stage, presumption or open_cases.
        words: the words; for open_cases none.
    """
    history = step.history
    placed = [event for event in history.events if history.place(event) < history.place(anchor)]
    possible = [event for event in history.events if event is not anchor]
    possible = [event for event in possible if possibly_before(event.occurred, anchor.occurred)]
    for events in (placed, possible):
        status = Status(frozenset(), events, history.placing, history.stands_for)
        if found := {fact.id: fact for fact in _behind(status, condition, words)}:
            return sorted(found.values(), key=history.place)
    return []


def _behind(status: Status, condition: str, words: Collection[str]) -> Iterator[Fact]:
    row = status.summary()
    cells = {"service": row.service, "custody": row.custody, "wanted": row.wanted, "stage": row.stage}
    cell = cells.get(condition)
    if cell is not None and cell.status in words and cell.fact is not None:
        yield cell.fact
    match condition:
        case "custody":
            yield from (hold.fact for hold in status.custody.holds.values() if hold.status in words and hold.fact)
        case "wanted":
            yield from (search.fact for search in status.custody.searches if search.scope in words)
        case "stage":
            stages = (case.stage for case in status.cases.values())
            yield from (stage.fact for stage in stages if stage and stage.status in words and stage.fact)
        case "presumption" | "open_cases":
            ends = (case.ended or case.stage for case in status.cases.values() if case.is_open or words)
            yield from (end.fact for end in ends if end and end.fact)
