"""What a correction or a retraction would do, worked out before it is published."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json, to_json
from sqlalchemy import Engine, select

from events.decode import complete
from events.edtf import format_instant
from events.errors import BadInput, Unreadable
from events.facts import Fact
from events.record import again
from events.vocabulary import EVENT, data_problem
from projections.history.history import settle
from projections.ledger.chain import read
from projections.tables.schema import APPLIED, ledger
from services.log.base import Tail

"""How many records of the log are looked at in one query."""

Data = Mapping[str, Any]


class Known(NamedTuple):
    """
    A fact, and what is known about its subject.

    Attributes:
        target: the fact as it was published.
        facts: the subject's facts by id, of the ledger and of what is still to be projected.
        data: the target's data in force.
    """

    target: Fact
    facts: Mapping[str, Fact]
    data: Data


def look_up(engine: Engine, tail: Tail, fact_id: str) -> Known:
    """
    Return the fact *fact_id*, as corrected so far.

    What is in the log and not projected yet counts, so that of two corrections in a row neither undoes the other.

    Args:
        engine: the database.
        tail: of the log, taken before the ledger is read: what is projected meanwhile is met twice, and not missed.
        fact_id: which.

    Raises:
        BadInput: if the ledger does not hold it, or it was retracted.
    """
    with engine.connect() as conn:
        of_fact = (APPLIED, ledger.c.fact_id == fact_id)
        subject = conn.scalar(select(ledger.c.subject_id).where(*of_fact))
        of_subject = (APPLIED, ledger.c.subject_id == subject)
        rows = conn.execute(select(ledger.c.headers, ledger.c.value, ledger.c.recorded).where(*of_subject)).all()
    if subject is None:
        raise _unknown(fact_id, tail.count())
    facts = {fact.id: fact for fact in (again(*row) for row in rows)}
    for record in tail.of(subject):
        with suppress(Unreadable):
            coming = read(record)
            facts.setdefault(coming.id, coming)
    settled = settle(facts)
    if by := settled.retracted_by.get(fact_id):
        raise BadInput(
            f"the fact {fact_id} was retracted by {by}", f"a fact in force; `casetrail retract {by}` revives it"
        )
    return Known(facts[fact_id], facts, _data_in_force(facts, settled.replaced_by, fact_id))


def changed(
    type_: str,
    data: Data,
    assigned: Iterable[str],
    removed: Iterable[str],
    facts: Mapping[str, Fact] = MappingProxyType({}),
) -> Data:
    """
    Return *data* with some fields changed.

    Args:
        type_: of the fact whose data it is; a value is read as JSON where that fits its field, else as text.
        data: validated; it stays as it is.
        assigned: ``FIELD=VALUE`` each; a field within a field as ``charges.0.title``, one past a list's end adds to it.
        removed: fields to leave out.
        facts: by id, those that *data* can speak of: the data within a correction is that of another type.

    Raises:
        BadInput: if one names no such place. Whether the outcome fits the type is for `make` to say.
    """
    for assignment in assigned:
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            raise BadInput(f'"{assignment}" is no assignment', "FIELD=VALUE, such as occurred=2022-04-25", "--set")
        names = path.split(".")
        data = _fitting(facts, type_, names, [_put(data, names, value) for value in _readings(text)])
    for path in removed:
        data = _drop(data, path.split("."), path)
    return data


def make(type_: str, known: Known, said: Mapping[str, Any], source: str, clock: datetime) -> tuple[Fact, bytes]:
    """
    Return the fact that corrects or retracts the target of *known*, and the bytes to publish.

    Args:
        type_: Corrected or Retracted.
        known: what `look_up` returned.
        said: its data without `fact_id`; `published` is the clock's second where not given, `occurred` as published.
        source: who states it, a URI.
        clock: the publisher's, aware UTC.

    Raises:
        BadInput: if it is not readable, if its data does not fit the target's type, or if it would have no effect.
    """
    # An instant and not the day: of two corrections of one day the later must win, and have an id of its own.
    published = said.get("published") or format_instant(clock.replace(microsecond=0))
    data = {"occurred": published, **said, "published": published, "fact_id": known.target.id}
    event = {"type": type_, "source": source, "subject": known.target.subject, "data": data}
    fact, value = complete(to_json(event), clock)
    if "data" in said and (misfit := _misfit(known.facts, known.target.type, said["data"])):
        raise BadInput(misfit, "")
    if fact.id in known.facts:
        raise BadInput(f"there is such a {fact.type} already: {fact.id}", "another --occurred, or none for the present")
    _see_effect(fact, known)
    return fact, value


def difference(before: Data, after: Data) -> Iterator[str]:
    """Yield a line for each field of *before* that goes (-) and of *after* that comes (+)."""
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
    """Follow the corrections, which may have been corrected themselves; a cycle of them replaces nothing."""
    if fact_id not in replaced_by:
        return facts[fact_id].data
    data: Data = _data_in_force(facts, replaced_by, replaced_by[fact_id])["data"]
    return data


def _see_effect(fact: Fact, known: Known) -> None:
    """
    See that *fact* changes what holds of the target.

    Raises:
        BadInput: naming the correction that outweighs it.
    """
    target = known.target
    settled = settle({**known.facts, fact.id: fact})
    if fact.id in {settled.replaced_by.get(target.id), settled.retracted_by.get(target.id)}:
        return
    winner = settled.replaced_by.get(target.id)
    if fact.type == "Corrected" and winner is not None:
        since = known.facts[winner].data["published"]
        raise BadInput(
            f"the correction {winner}, published {since}, outweighs this one",
            f"--published after {since}, or that one retracted first",
        )
    raise BadInput(
        f"this {fact.type} would have no effect on {target.type} {target.id}",
        "a fact outside of a cycle, and its fact_id kept",
    )


def _readings(text: str) -> list[Any]:
    """Return what the *text* of an assignment can mean: JSON that is not a string, and itself."""
    with suppress(ValueError):
        value = from_json(text, allow_inf_nan=False)
        if value is not None and not isinstance(value, str):
            return [value, text]
    return [text]


def _fitting(facts: Mapping[str, Fact], type_: str, path: Sequence[str], outcomes: Sequence[Data]) -> Data:
    """
    Return the one of *outcomes* whose value at *path* fits its field.

    The other fields count only as far as they can: they may be mended by the assignments that follow. Where no value
    fits and the field holds text, the text is returned, so that the refusal says what the text has to be.
    """
    for outcome in outcomes:
        if _misfit(facts, type_, outcome) is None:
            return outcome
    text_wanted = _error_at(facts, type_, outcomes[0], path) == "string_type"
    return outcomes[-1] if text_wanted else outcomes[0]


def _misfit(facts: Mapping[str, Fact], type_: str, data: Any) -> str | None:  # noqa: ANN401 - JSON
    """Say why *data* does not fit *type_*, or the data within it not the fact that it corrects."""
    inner = None if (problem := data_problem(type_, data)) or type_ != "Corrected" else facts.get(data["fact_id"])
    return _misfit(facts, inner.type, data["data"]) if inner else problem


def _error_at(facts: Mapping[str, Fact], type_: str, data: Any, path: Sequence[str]) -> str | None:  # noqa: ANN401 - JSON
    """Return the kind of the error at *path* in *data*, as pydantic names it; None: there is none at that place."""
    if type_ == "Corrected" and path[:1] == ["data"] and (inner := facts.get(data.get("fact_id"))):
        return _error_at(facts, inner.type, data["data"], path[1:])
    event = {"specversion": "1.0", "id": "-", "source": "-", "subject": "-", "type": type_, "data": data}
    try:
        EVENT.validate_python(event)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            place = [str(part) for part in each["loc"][2:]]
            if place == path:
                return each["type"]
    return None


def _put(node: Any, path: Sequence[str], value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return *node* with *value* at *path*; what is not there on the way is made."""
    name, *rest = path
    if isinstance(node, list) or (node is None and name.isdecimal()):
        items = list(node or ())
        index = _index(name, len(items))
        items[index : index + 1] = [_put(items[index] if index < len(items) else None, rest, value) if rest else value]
        return items
    if isinstance(node, Mapping) or node is None:
        fields = dict(node or {})
        return fields | {name: _put(fields.get(name), rest, value) if rest else value}
    raise BadInput(f"{json.dumps(node)} has no field {name}", "a field within an object or a list", "--set")


def _drop(node: Any, path: Sequence[str], whole: str) -> Any:  # noqa: ANN401 - JSON
    """Return *node* without what is at *path*."""
    name, *rest = path
    if isinstance(node, list) and name.isdecimal() and int(name) < len(node):
        index = int(name)
        return [*node[:index], *([_drop(node[index], rest, whole)] if rest else []), *node[index + 1 :]]
    if isinstance(node, Mapping) and name in node:
        others = {key: value for key, value in node.items() if key != name}
        return {**others, name: _drop(node[name], rest, whole)} if rest else others
    raise BadInput(f"there is no {whole}", "a field of the fact's data", "--unset")


def _index(name: str, length: int) -> int:
    if not name.isdecimal() or int(name) > length:
        raise BadInput(f'"{name}" is no place in a list of {length}', f"a number from 0 to {length}", "--set")
    return int(name)
