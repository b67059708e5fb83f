"""Corrections and retractions, applied to each other and to the facts they name (docs/design.md, 2.2)."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from events.facts import Fact, replace_data
from events.vocabulary import data_problem

from .flag import Flag

CORRECTED: Final = "Corrected"
RETRACTED: Final = "Retracted"
ABOUT_FACTS: Final = frozenset({CORRECTED, RETRACTED})
"""The types that speak of facts and not of the world."""


class Corrections(NamedTuple):
    """
    The effect of all corrections and retractions of a history.

    Attributes:
        facts: the facts in force about the world, each with its data in force.
        replaced_by: fact id -> id of the correction whose data is in force.
        retracted_by: fact id -> id of the retraction that took it back.
        flags: corrections and retractions without effect, each with its reason.
    """

    facts: tuple[Fact, ...]
    replaced_by: Mapping[str, str]
    retracted_by: Mapping[str, str]
    flags: tuple[Flag, ...]


def apply_corrections(facts: Mapping[str, Fact]) -> Corrections:
    """
    Apply the corrections and retractions among *facts* (by id) to each other and to the rest.

    Among live corrections the greatest (published, id) wins. A circle voids its members. A correction has no effect
    and is flagged if its target is not among *facts*, or if its data does not fit the target. A correction of a
    correction or retraction cannot change its target, since that would be another statement.
    """
    about: dict[str, list[Fact]] = defaultdict(list)
    flags: list[Flag] = []
    replaced_by: dict[str, str] = {}
    retracted_by: dict[str, str] = {}
    in_force: dict[str, Fact] = {}

    def apply_to(fact: Fact) -> None:
        retractions = [meta.id for meta in about[fact.id] if meta.type == RETRACTED]
        if retractions:
            retracted_by[fact.id] = min(retractions)
            return
        fitting = [meta for meta in about[fact.id] if meta.type == CORRECTED and _fits(meta, fact, flags)]
        if fitting:
            winner = max(fitting, key=_precedence)
            replaced_by[fact.id] = winner.id
            fact = replace_data(fact, winner.data["data"], winner.recorded)
        in_force[fact.id] = fact

    metas = {fact.id: fact for fact in facts.values() if fact.type in ABOUT_FACTS}
    for meta_id in _in_order_of_effect(metas, flags):
        apply_to(metas[meta_id])
        meta = in_force.pop(meta_id, None)
        if meta is None:
            continue
        if meta.data["fact_id"] in facts:
            about[meta.data["fact_id"]].append(meta)
        else:
            flags.append(Flag("target_missing", meta_id))
    for fact in facts.values():
        if fact.id not in metas:
            apply_to(fact)
    return Corrections(tuple(in_force.values()), replaced_by, retracted_by, tuple(sorted(flags)))


def _in_order_of_effect(metas: Mapping[str, Fact], flags: list[Flag]) -> list[str]:
    """Return the ids of *metas*, each after all that name it; the members of circles are left out and flagged."""
    waiting: dict[str, int] = dict.fromkeys(metas, 0)
    for meta in metas.values():
        if meta.data["fact_id"] in waiting:
            waiting[meta.data["fact_id"]] += 1
    ready = [meta_id for meta_id, count in waiting.items() if not count]
    for meta_id in ready:
        target = metas[meta_id].data["fact_id"]
        if target in waiting:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    flags.extend(Flag("correction_cycle", meta_id) for meta_id, count in waiting.items() if count)
    return ready


def _fits(correction: Fact, target: Fact, flags: list[Flag]) -> bool:
    data = correction.data["data"]
    fits = data_problem(target.type, data) is None and (
        target.type not in ABOUT_FACTS or data["fact_id"] == target.data["fact_id"]
    )
    if not fits:
        flags.append(Flag("correction_misfit", correction.id))
    return fits


def _precedence(correction: Fact) -> tuple[datetime, datetime, str]:
    published = correction.published
    assert published.latest is not None, "published always has an end"
    return (published.latest, published.earliest or datetime.min.replace(tzinfo=published.latest.tzinfo), correction.id)
