"""Corrections and retractions, built and checked before they are published (docs/design.md, 2.2)."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json
from sqlalchemy import Engine

from events.decode import complete
from events.edtf import format_instant
from events.errors import BadInput, Unreadable
from events.facts import Fact
from events.record import again
from projections.history.corrections import apply_corrections
from projections.ledger.chain import read
from projections.tables.ledger_rows import facts_of_subjects, subject_of_fact
from services.log.base import Tail

from .assignments import Data, misfit


class Target(NamedTuple):
    """
    A fact to correct or to retract, with the facts about its subject.

    Attributes:
        fact: the fact as it was published.
        facts: the subject's facts by id, from the ledger and from the records that are not projected yet.
        data: the data of the fact that is in force.
    """

    fact: Fact
    facts: Mapping[str, Fact]
    data: Data


def find_target(engine: Engine, tail: Tail, fact_id: str) -> Target:
    """
    Return the fact *fact_id*, as corrected so far.

    Records of the log that are not projected yet count, so that of two corrections in a row neither undoes the other.

    Args:
        engine: the database.
        tail: the records of the log that are not projected yet, taken before the ledger is read. A record that is
            projected in between is then read twice, and not missed.
        fact_id: the id of the fact.

    Raises:
        BadInput: if the ledger does not hold it, or it was retracted.
    """
    with engine.connect() as conn:
        subject = subject_of_fact(conn, fact_id)
        rows = [] if subject is None else list(facts_of_subjects(conn, [subject]))
    if subject is None:
        raise _unknown(fact_id, tail.count())
    facts = {fact.id: fact for fact in (again(headers, value, recorded) for _, headers, value, recorded in rows)}
    for record in tail.of(subject):
        with suppress(Unreadable):
            coming = read(record)
            facts.setdefault(coming.id, coming)
    settled = apply_corrections(facts)
    if by := settled.retracted_by.get(fact_id):
        raise BadInput(
            f"the fact {fact_id} was retracted by {by}", f"a fact in force; `casetrail retract {by}` revives it"
        )
    return Target(facts[fact_id], facts, _data_in_force(facts, settled.replaced_by, fact_id))


def build_correction(
    type_: str, target: Target, fields: Mapping[str, Any], source: str, clock: datetime
) -> tuple[Fact, bytes]:
    """
    Return the fact that corrects or retracts *target*, and the bytes to publish.

    Args:
        type_: Corrected or Retracted.
        target: as `find_target` returned it.
        fields: its data without `fact_id`. The default of `published` is the second of the clock, and the default of
            `occurred` is `published`.
        source: the URI of the publisher that states it.
        clock: the publisher's, aware UTC.

    Raises:
        BadInput: if it is not readable, if its data does not fit the target's type, or if it would have no effect.
    """
    # An instant and not the day: of two corrections of one day the later must win, and have an id of its own.
    published = fields.get("published") or format_instant(clock.replace(microsecond=0))
    data = {"occurred": published, **fields, "published": published, "fact_id": target.fact.id}
    event = {"type": type_, "source": source, "subject": target.fact.subject, "data": data}
    fact, value = complete(to_json(event), clock)
    if "data" in fields and (problem := misfit(target.facts, target.fact.type, fields["data"])):
        raise BadInput(problem)
    if fact.id in target.facts:
        raise BadInput(f"this {fact.type} was published already: {fact.id}", "another --occurred, or none for now")
    _check_effect(fact, target)
    return fact, value


def difference_lines(before: Data, after: Data) -> Iterator[str]:
    """Yield a line for each field that differs: its value in *before* after a minus, in *after* after a plus sign."""
    for name in dict.fromkeys((*before, *after)):
        if name in before and name in after and before[name] == after[name]:
            continue
        for sign, data in (("-", before), ("+", after)):
            if name in data:
                yield f"{sign} {name}: {json.dumps(data[name], ensure_ascii=False)}"


def _unknown(fact_id: str, behind: int) -> BadInput:
    waiting = "1 record of the log is" if behind == 1 else f"{behind} records of the log are"
    hint = f"; {waiting} not projected yet, run `casetrail project`" if behind else ""
    return BadInput(f"the ledger holds no fact {fact_id}", f"the id of a fact that `casetrail history` shows{hint}")


def _data_in_force(facts: Mapping[str, Fact], replaced_by: Mapping[str, str], fact_id: str) -> Data:
    """Follow the corrections, which may have been corrected themselves; a circle of corrections replaces nothing."""
    if fact_id not in replaced_by:
        return facts[fact_id].data
    data: Data = _data_in_force(facts, replaced_by, replaced_by[fact_id])["data"]
    return data


def _check_effect(fact: Fact, target: Target) -> None:
    """
    Check that *fact* changes the data in force of the target.

    Raises:
        BadInput: naming the correction that outweighs it.
    """
    corrected = target.fact
    settled = apply_corrections({**target.facts, fact.id: fact})
    if fact.id in {settled.replaced_by.get(corrected.id), settled.retracted_by.get(corrected.id)}:
        return
    winner = settled.replaced_by.get(corrected.id)
    if fact.type == "Corrected" and winner is not None:
        since = target.facts[winner].data["published"]
        raise BadInput(
            f"the correction {winner}, published {since}, outweighs this one",
            f"--published after {since}, or retract that one first",
        )
    raise BadInput(
        f"this {fact.type} would have no effect on {corrected.type} {corrected.id}",
        "a fact outside of a circle of corrections, with its fact_id unchanged",
    )
