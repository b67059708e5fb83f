"""One person in full, for people: what they are said to have done, how far it was proven, and what they answer."""

from collections.abc import Iterator, Mapping
from typing import Any

from events.edtf import format_instant
from events.facts import Fact
from events.vocabulary import TRACK_OF
from projections.story import Moment, Story, data_in_force, relations, replies

from .wording import (
    ANOMALIES,
    charges_words,
    moment_words,
    presumption_words,
    safe,
    source_words,
    stage_words,
    type_words,
    when,
    words,
)

TRACKS = ("service", "custody", "wanted")
CHARGES = {
    "final": "as last stated",
    "acquitted": "of which ACQUITTED",
    "dropped": "dropped",
    "overturned": "the verdict overturned",
}


def person_lines(status: Mapping[str, Any], told: Story, moment: Moment) -> Iterator[str]:
    """Yield the lines that say all of one person at *moment*; every text from outside is safe to print."""
    yield f"{safe(status['name'] or status['subject_id'])}  [{safe(status['subject_id'])}]"
    if described := ", ".join(
        safe(status[name]) for name in ("post", "agency", "region", "jurisdiction") if status[name]
    ):
        yield f"  {described}"
    if asked := moment_words(*(format_instant(instant) if instant else None for instant in moment)):
        yield f"  {asked}"
    yield f"  {presumption_words(status)}"
    yield f"  headline: {words(status['headline'])}"
    answered: set[str] = set()
    for track in TRACKS:
        yield from _track(track, status[track], told, answered)
    for case in status["cases"]:
        yield from _case(case, told, answered)
    yield from _other_replies(told, answered)
    yield from _relations(told)
    yield from _anomalies(status, told)


def fact_words(told: Story, fact_id: str) -> str:
    """Return a fact in a few words, for where another speaks of it."""
    line = told.lines.get(fact_id)
    if line is None:
        return f"a fact that is not known ({safe(fact_id)})"
    data = data_in_force(told, fact_id) or line.fact.data
    return f"{type_words(line.fact.type)}, {when(data)} (fact {safe(fact_id)})"


def correction_lines(told: Story, fact_id: str) -> Iterator[str]:
    """Yield what a statement rests on besides, if it is not as first published: each correction and its source."""
    replaced_by = told.history.settled.replaced_by
    by = replaced_by.get(fact_id)
    while by is not None:
        correction = told.lines[by].fact.data
        yield f"    as corrected, published {safe(correction['published'])}, fact {safe(by)}"
        yield from (f"    source of the correction: {source_words(source)}" for source in correction["sources"])
        by = replaced_by.get(by)


def _track(track: str, cell: Mapping[str, Any] | None, told: Story, answered: set[str]) -> Iterator[str]:
    if cell is None:
        return
    yield ""
    if cell["fact_id"] is None:
        yield f"{track.capitalize()}: {words(cell['status'])}"
        return
    data = data_in_force(told, cell["fact_id"]) or {}
    agreeing = f"; {cell['facts']} facts say so" if cell["facts"] > 1 else ""
    yield f"{track.capitalize()}: {words(cell['status'])}, since {when(data)}{agreeing}"
    yield from _grounds(told, cell["fact_id"], answered)


def _case(case: Mapping[str, Any], told: Story, answered: set[str]) -> Iterator[str]:
    stage = case["stage"]
    yield ""
    yield f"Case {safe(case['case_id'])}: {stage_words(stage['status']) if stage else 'nothing but remarks'}"
    if case["charges"]:
        proven = CHARGES.get(stage["status"] if stage else "", "as alleged")
        yield f"    charges, {proven}: {charges_words(case['charges'])} (fact {safe(case['charges_fact_id'])})"
    if case["authority"]:
        yield f"    authority: {safe(case['authority'])} (fact {safe(case['authority_fact_id'])})"
    for fact in told.world:
        if TRACK_OF[fact.type] == "case" and fact.data["case_id"] == case["case_id"]:
            yield f"  {when(fact.data)}: {type_words(fact.type)}{_detail(fact)}"
            yield from _grounds(told, fact.id, answered)


def _detail(fact: Fact) -> str:
    """Return what a step of a case says beyond its type."""
    accuser = fact.data.get("by", {})
    parts = (
        f"by {accuser.get('name') or accuser['subject_id']}" if accuser else "",
        charges_words(fact.data["charges"]) if fact.data.get("charges") else "",
        fact.data.get("sentence", ""),
        {True: "rehabilitating", False: "not rehabilitating", None: ""}[fact.data.get("rehabilitating")],
    )
    said = "; ".join(filter(None, parts))
    return f": {safe(said)}" if said else ""


def _grounds(told: Story, fact_id: str, answered: set[str]) -> Iterator[str]:
    """Yield what a statement rests on, and right under it what the person answers."""
    data = data_in_force(told, fact_id) or {}
    yield f"    published {safe(data.get('published', ''))}, fact {safe(fact_id)}"
    for source in data.get("sources", ()):
        yield f"    source: {source_words(source)}"
    yield from correction_lines(told, fact_id)
    if fact_id in answered:
        return
    for reply in replies(told).get(fact_id, ()):
        yield from _reply(told, reply)
    answered.add(fact_id)


def _reply(told: Story, reply: Fact) -> Iterator[str]:
    yield f"    THEIR REPLY, {when(reply.data)}: “{safe(reply.data['text'])}” (fact {safe(reply.id)})"
    for source in reply.data["sources"]:
        yield f"      source: {source_words(source)}"
    yield from (f"  {line}" for line in correction_lines(told, reply.id))


def _other_replies(told: Story, answered: set[str]) -> Iterator[str]:
    left = {fact_id: found for fact_id, found in replies(told).items() if fact_id not in answered}
    if left:
        yield ""
        yield "Replies to other facts:"
    for fact_id, found in left.items():
        yield f"  to {fact_words(told, fact_id)}"
        for reply in found:
            yield from _reply(told, reply)


def _relations(told: Story) -> Iterator[str]:
    found = relations(told)
    if found:
        yield ""
        yield "Relations:"
    for (other, relation), fact in found.items():
        yield f"  {relation}: {safe(other)} (fact {safe(fact.id)})"
        for source in fact.data["sources"]:
            yield f"    source: {source_words(source)}"
        yield from correction_lines(told, fact.id)


def _anomalies(status: Mapping[str, Any], told: Story) -> Iterator[str]:
    if status["anomalies"]:
        yield ""
        yield "To be noted:"
    for flag in status["anomalies"]:
        yield f"  {fact_words(told, flag['fact_id'])} {ANOMALIES.get(flag['code'], words(flag['code']))}"
