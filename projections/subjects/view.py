"""
One person's facts as they stood at a moment, retold: each where it belongs, with what became of it.

A moment is two instants: ``known_at`` says which facts had been recorded, ``as_of`` which of them had happened.
Both are the same fold over fewer facts.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import from_json

from events.edtf import format_instant
from events.facts import Fact
from projections.history.history import ABOUT_FACTS, CORRECTED, RETRACTED, History, counts, world_order

from .status import Status


class AsOf(NamedTuple):
    """
    What is asked for.

    Attributes:
        as_of: the world at this instant, aware UTC: a fact counts from its latest instant on. None: every known fact.
        known_at: what had been recorded by this instant, aware UTC. None: everything.
    """

    as_of: datetime | None = None
    known_at: datetime | None = None


NOW = AsOf()


class Line(NamedTuple):
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
        lines: what was known, by fact id, in the order of the ledger.
        history: the same with corrections and retractions applied, as far as they had happened.
        world: the facts that count, in world order, every report of an event among them.
    """

    subject_id: str
    lines: Mapping[str, Line]
    history: History
    world: tuple[Fact, ...]


def story(subject_id: str, lines: Iterable[Line], moment: AsOf, clock: datetime) -> SubjectView | None:
    """
    Return one person's facts as they stood at *moment*; None if nothing was known of them.

    Args:
        subject_id: the person.
        lines: their facts in the order of the ledger.
        moment: what is asked for.
        clock: the log's, aware UTC; up to there announced facts count where *moment* names no instant.
    """
    by = moment.known_at
    known = {line.fact.id: line for line in lines if by is None or line.fact.recorded <= by}
    if not known:
        return None
    history = History((line.fact for line in known.values()), moment.as_of or by or clock, moment.as_of)
    return SubjectView(subject_id, known, history, tuple(history.world))


def folded(told: SubjectView) -> Status:
    """Return the status that follows from *told*."""
    history = told.history
    return Status(frozenset(), history.events, history.placing, history.stands_for)


def relations(told: SubjectView) -> dict[tuple[str, str], Fact]:
    """Return who else stands to the person how, by (subject_id, relation), with the fact that says so."""
    undated = [fact for fact in told.history.undated if fact.type == "RelationAsserted"]
    standing = {(fact.data["other"], fact.data["relation"]): fact for fact in undated}
    for fact in told.world:
        if fact.type == "RelationAsserted":
            standing[fact.data["other"], fact.data["relation"]] = fact
        elif fact.type == "RelationWithdrawn":
            standing.pop((fact.data["other"], fact.data["relation"]), None)
    return standing


def replies(told: SubjectView) -> dict[str, list[Fact]]:
    """Return the person's own answers by the fact they answer, in world order, undated ones last."""
    answers: dict[str, list[Fact]] = {}
    for fact in (*told.world, *told.history.undated):
        if fact.type == "ReplyRecorded":
            answers.setdefault(fact.data["fact_id"], []).append(fact)
    return answers


def history_json(told: SubjectView, moment: AsOf, status: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the history of one person: ``status`` and ``facts``, each fact a CloudEvent with its place and its state.

    The facts come in four sections, in this order: ``world`` in world order, ``announced`` (their time has not
    come), ``undated``, ``about_facts``.

    Args:
        told: the person's facts as they stood at *moment*.
        moment: what was asked for.
        status: the status that follows, as programs read it.
    """
    codes: dict[str, list[str]] = {}
    for flag in status["anomalies"]:
        codes.setdefault(flag["fact_id"], []).append(flag["code"])
    return {
        "subject_id": told.subject_id,
        "name": status["name"],
        "as_of": format_instant(moment.as_of) if moment.as_of else None,
        "known_at": format_instant(moment.known_at) if moment.known_at else None,
        "status": status,
        "facts": [
            {**_fact_json(told, fact), "section": section, "anomalies": codes.get(fact.id, [])}
            for section, fact in _sections(told, moment)
        ],
    }


def data_in_force(told: SubjectView, fact_id: str) -> Mapping[str, Any] | None:
    """Return the data of a known fact as corrections leave it; None where it was retracted."""
    settled = told.history.settled
    if fact_id in settled.retracted_by:
        return None
    if fact_id in settled.replaced_by:
        correction = data_in_force(told, settled.replaced_by[fact_id])
        assert correction is not None, "a correction in force was not retracted"
        corrected: Mapping[str, Any] = correction["data"]
        return corrected
    return told.lines[fact_id].fact.data


def _sections(told: SubjectView, moment: AsOf) -> Iterator[tuple[str, Fact]]:
    in_force = {fact.id: fact for fact in told.history.settled.facts}
    pending = {fact.id for fact in told.history.announced}
    facts = [line.fact for line in told.lines.values() if line.fact.type not in ABOUT_FACTS]
    shown = sorted((in_force.get(fact.id, fact) for fact in facts), key=told.history.placing.place)
    as_of = moment.as_of
    for fact in shown:
        if fact.occurred.dated and fact.id not in pending and (as_of is None or counts(fact, as_of)):
            yield "world", fact
    yield from (("announced", fact) for fact in told.history.announced)
    yield from (("undated", fact) for fact in shown if not fact.occurred.dated)
    about = (line.fact for line in told.lines.values() if line.fact.type in ABOUT_FACTS)
    yield from (("about_facts", fact) for fact in sorted(about, key=world_order))


def _fact_json(told: SubjectView, fact: Fact) -> dict[str, Any]:
    line, settled = told.lines[fact.id], told.history.settled
    state, because = _state(told, line.fact)
    return {
        **from_json(line.value),
        "recorded": format_instant(line.fact.recorded),
        "position": {"partition": line.partition, "offset": line.offset},
        "seq": line.seq,
        "hash": line.hash,
        "state": state,
        "because": because,
        "data_in_force": data_in_force(told, fact.id) if state in {"in_force", "corrected"} else None,
        "corrected_by": settled.replaced_by.get(fact.id),
        "retracted_by": settled.retracted_by.get(fact.id),
        "report_of": told.history.stands_for.get(fact.id),
    }


def _state(told: SubjectView, fact: Fact) -> tuple[str, str | None]:
    """Return in_force, corrected, retracted or no_effect, and for the last the reason in one word."""
    settled = told.history.settled
    if fact.id in settled.retracted_by:
        return "retracted", None
    without_effect = next((flag.code for flag in settled.flags if flag.fact_id == fact.id), None)
    if without_effect:
        return "no_effect", without_effect
    if fact.type in {CORRECTED, RETRACTED}:
        target = fact.data["fact_id"]
        if fact.type == CORRECTED and settled.replaced_by.get(target) != fact.id:
            return "no_effect", "target_retracted" if target in settled.retracted_by else "superseded"
    return ("corrected" if fact.id in settled.replaced_by else "in_force"), None
