"""The shape of a history, as programs read it (docs/reading.md). It changes only by addition."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NotRequired, TypeAlias

from pydantic import ConfigDict, with_config
from pydantic_core import from_json
from typing_extensions import TypedDict

from events.edtf import format_instant
from events.facts import Fact
from projections.history.ahead import has_passed
from projections.history.corrections import ABOUT_FACTS, CORRECTED
from projections.history.history import world_order

from .shapes import EXACT, FactId, Instant, PositionJson, StatusJson
from .view import AsOf, SubjectView, data_in_force

Section: TypeAlias = Literal["world", "announced", "undated", "about_facts"]
State: TypeAlias = Literal["in_force", "corrected", "retracted", "no_effect"]

WITH_EXTENSIONS: Final = ConfigDict(extra="allow", strict=True)


@with_config(WITH_EXTENSIONS)
class HistoryFactJson(TypedDict):
    """A fact of a history: the CloudEvent as it was published, extensions included, with its place and its state."""

    specversion: str
    id: FactId
    type: str
    source: str
    subject: str
    data: Mapping[str, Any]
    dataversion: NotRequired[str | None]
    time: NotRequired[str | None]
    datacontenttype: NotRequired[str | None]
    dataschema: NotRequired[str | None]
    recorded: Instant
    position: PositionJson
    seq: int
    hash: str
    state: State
    because: str | None
    data_in_force: Mapping[str, Any] | None
    corrected_by: FactId | None
    retracted_by: FactId | None
    report_of: FactId | None
    section: Section
    anomalies: list[str]


@with_config(EXACT)
class HistoryJson(TypedDict):
    """The history of one person at a moment: the status, and the facts in four sections."""

    subject_id: str
    name: str | None
    as_of: Instant | None
    known_at: Instant | None
    status: StatusJson
    facts: list[HistoryFactJson]


def history_json(view: SubjectView, moment: AsOf, status: StatusJson) -> HistoryJson:
    """
    Return the history of one person: ``status`` and ``facts``, each fact a CloudEvent with its place and its state.

    The facts come in four sections, in this order: ``world`` in world order, ``announced`` (their time has not
    come), ``undated``, ``about_facts``.

    Args:
        view: the facts of the person as they stood at *moment*.
        moment: the moment.
        status: the status that follows from *view*.
    """
    codes: dict[str, list[str]] = {}
    for flag in status["anomalies"]:
        codes.setdefault(flag["fact_id"], []).append(flag["code"])
    return {
        "subject_id": view.subject_id,
        "name": status["name"],
        "as_of": format_instant(moment.as_of) if moment.as_of else None,
        "known_at": format_instant(moment.known_at) if moment.known_at else None,
        "status": status,
        "facts": [_fact_json(view, fact, section, codes.get(fact.id, [])) for section, fact in _sections(view, moment)],
    }


def _sections(view: SubjectView, moment: AsOf) -> Iterator[tuple[Section, Fact]]:
    in_force = {fact.id: fact for fact in view.history.corrections.facts}
    pending = {fact.id for fact in view.history.announced}
    about_world = [row.fact for row in view.facts.values() if row.fact.type not in ABOUT_FACTS]
    ordered = sorted((in_force.get(fact.id, fact) for fact in about_world), key=view.history.placing.place)
    as_of = moment.as_of
    for fact in ordered:
        if fact.occurred.dated and fact.id not in pending and (as_of is None or has_passed(fact, as_of)):
            yield "world", fact
    for fact in view.history.announced:
        yield "announced", fact
    for fact in ordered:
        if not fact.occurred.dated:
            yield "undated", fact
    about_facts = (row.fact for row in view.facts.values() if row.fact.type in ABOUT_FACTS)
    for fact in sorted(about_facts, key=world_order):
        yield "about_facts", fact


def _fact_json(view: SubjectView, fact: Fact, section: Section, anomalies: list[str]) -> HistoryFactJson:
    row, corrections = view.facts[fact.id], view.history.corrections
    state, because = _state(view, row.fact)
    event: HistoryFactJson = from_json(row.value)
    return {
        **event,
        "recorded": format_instant(row.fact.recorded),
        "position": {"partition": row.partition, "offset": row.offset},
        "seq": row.seq,
        "hash": row.hash,
        "state": state,
        "because": because,
        "data_in_force": data_in_force(view, fact.id) if state in {"in_force", "corrected"} else None,
        "corrected_by": corrections.replaced_by.get(fact.id),
        "retracted_by": corrections.retracted_by.get(fact.id),
        "report_of": view.history.stands_for.get(fact.id),
        "section": section,
        "anomalies": anomalies,
    }


def _state(view: SubjectView, fact: Fact) -> tuple[State, str | None]:
    """Return the state of a fact, and for ``no_effect`` the reason in one word."""
    corrections = view.history.corrections
    if fact.id in corrections.retracted_by:
        return "retracted", None
    without_effect = next((flag.code for flag in corrections.flags if flag.fact_id == fact.id), None)
    if without_effect:
        return "no_effect", without_effect
    if fact.type == CORRECTED:
        target = fact.data["fact_id"]
        if corrections.replaced_by.get(target) != fact.id:
            return "no_effect", "target_retracted" if target in corrections.retracted_by else "superseded"
    return ("corrected" if fact.id in corrections.replaced_by else "in_force"), None
