"""
The facts of one person at a moment, each with its place and its state.

A moment is two instants. ``known_at`` selects the facts that had been recorded, and ``as_of`` those that had happened.
Both are the same fold over fewer facts.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from events.facts import Fact
from projections.history.history import History

from .relations import asserted
from .status import Status


class AsOf(NamedTuple):
    """
    A moment.

    Attributes:
        as_of: the world at this instant, aware UTC: a fact counts from its latest instant on. None: every known fact.
        known_at: the knowledge at this instant, aware UTC: facts recorded by then. None: everything.
    """

    as_of: datetime | None = None
    known_at: datetime | None = None


NOW = AsOf()


class LedgerFact(NamedTuple):
    """A fact and its row in the ledger: position, place in the chain, hash in hex, and its JSON form in bytes."""

    fact: Fact
    partition: int
    offset: int
    seq: int
    hash: str
    value: bytes


class SubjectView(NamedTuple):
    """
    One person at a moment.

    Attributes:
        subject_id: the person.
        facts: the facts known then, as they were published, by fact id, in the order of the ledger.
        history: the same with corrections and retractions applied, as far as they had happened.
        world: the facts that count, in world order, every report of an event among them.
    """

    subject_id: str
    facts: Mapping[str, LedgerFact]
    history: History
    world: tuple[Fact, ...]


def view_at(subject_id: str, facts: Iterable[LedgerFact], moment: AsOf, clock: datetime) -> SubjectView | None:
    """
    Return the facts of one person as they stood at *moment*; None if nothing was known about the person.

    Args:
        subject_id: the person.
        facts: all facts of the person in the order of the ledger.
        moment: the moment.
        clock: the log's clock, aware UTC; announced facts count up to there if *moment* names no instant.
    """
    by = moment.known_at
    known = {row.fact.id: row for row in facts if by is None or row.fact.recorded <= by}
    if not known:
        return None
    history = History((row.fact for row in known.values()), moment.as_of or by or clock, moment.as_of)
    return SubjectView(subject_id, known, history, tuple(history.world))


def status_at(view: SubjectView) -> Status:
    """Return the status that follows from *view*."""
    history = view.history
    return Status(frozenset(), history.events, history.placing, history.stands_for)


def relations(view: SubjectView) -> dict[tuple[str, str], Fact]:
    """Return the relations of other people to the person, by (subject_id, relation), with the fact that states each."""
    return asserted(view.history)


def replies(view: SubjectView) -> dict[str, list[Fact]]:
    """Return the person's own answers by the fact they answer, in world order, undated ones last."""
    answers: dict[str, list[Fact]] = {}
    for fact in (*view.world, *view.history.undated):
        if fact.type == "ReplyRecorded":
            answers.setdefault(fact.data["fact_id"], []).append(fact)
    return answers


def data_in_force(view: SubjectView, fact_id: str) -> Mapping[str, Any] | None:
    """Return the data of a known fact after all corrections; None if the fact was retracted."""
    corrections = view.history.corrections
    if fact_id in corrections.retracted_by:
        return None
    if fact_id in corrections.replaced_by:
        correction = data_in_force(view, corrections.replaced_by[fact_id])
        assert correction is not None, "a correction in force was not retracted"
        corrected: Mapping[str, Any] = correction["data"]
        return corrected
    return view.facts[fact_id].fact.data
