"""One person in full, for people: what they are said to have done, how far it was proven, and what they answer."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from events.edtf import format_instant
from events.facts import Fact
from events.vocabulary import TRACK_OF
from projections.subjects.view import AsOf, SubjectView, relations, replies

from .careers import (
    Statement,
    case_title,
    counts,
    described,
    holds,
    measures,
    posts,
    searches,
    sentence,
    track_words,
    unread_words,
    was_held,
)
from .facts import correction_lines, data_of, detail_words, fact_words, ground_lines
from .terms import ANOMALIES, moment_words, safe, source_words, type_words, when, words
from .verdicts import law_lines

TRACKS = {"service": posts, "custody": holds, "wanted": searches}


def person_lines(status: Mapping[str, Any], told: SubjectView, moment: AsOf) -> Iterator[str]:
    """Yield the lines that say all of one person at *moment*; every text from outside is safe to print."""
    yield f"{safe(status['name'] or status['subject_id'])}  [{safe(status['subject_id'])}]"
    if said := described(status):
        yield f"  {said}"
    if asked := moment_words(*(format_instant(instant) if instant else None for instant in moment)):
        yield f"  {asked}"
    yield from (f"  {line}" for line in law_lines(status, told))
    yield f"  headline: {words(status['headline'])}"
    if waiting := unread_words(status):
        yield f"  {waiting}"
    answered: set[str] = set()
    for track in TRACKS:
        yield from _track(track, status, told, answered)
    yield from _section("Measures:", measures(status, told), told, answered)
    for case in status["cases"]:
        yield from _case(case, status, told, answered)
    yield from _noted(told, answered)
    yield from _other_replies(told, answered)
    yield from _relations(told)
    yield from _anomalies(status, told)


def _track(track: str, status: Mapping[str, Any], told: SubjectView, answered: set[str]) -> Iterator[str]:
    """Yield the cell of a track, then each of its parts; the cell names its own fact where no part rests on it."""
    cell = status[track] if track != "custody" or was_held(status) else None
    parts = list(TRACKS[track](status, told))
    if cell is None and not parts:
        return
    yield ""
    yield track_words(track, cell, told) if cell else f"{track.capitalize()}:"
    if cell and cell["fact_id"] and not any(cell["fact_id"] in part.fact_ids for part in parts):
        yield from _grounds(told, (cell["fact_id"],), answered)
    yield from _statements(parts, told, answered)


def _section(title: str, parts: Iterable[Statement], told: SubjectView, answered: set[str]) -> Iterator[str]:
    lines = list(_statements(parts, told, answered))
    if lines:
        yield from ("", title, *lines)


def _statements(parts: Iterable[Statement], told: SubjectView, answered: set[str]) -> Iterator[str]:
    for part in parts:
        yield f"  {part.text}"
        yield from _grounds(told, part.fact_ids, answered)


def _case(case: Mapping[str, Any], status: Mapping[str, Any], told: SubjectView, answered: set[str]) -> Iterator[str]:
    yield ""
    yield case_title(case, status)
    for said in (*counts(case, told), *sentence(case, told)):
        yield f"    {said.text} ({_facts(said.fact_ids)})" if said.fact_ids else f"    {said.text}"
    if case["authority"]:
        yield f"    authority: {safe(case['authority'])} (fact {safe(case['authority_fact_id'])})"
    for fact in told.world:
        if TRACK_OF[fact.type] == "case" and fact.data["case_id"] == case["case_id"]:
            detail = detail_words(told, fact.type, fact.data)
            yield f"  {when(fact.data)}: {type_words(fact.type)}{f': {detail}' if detail else ''}"
            yield from _grounds(told, (fact.id,), answered)


def _facts(fact_ids: Iterable[str]) -> str:
    return ", ".join(f"fact {safe(fact_id)}" for fact_id in fact_ids)


def _grounds(told: SubjectView, fact_ids: Iterable[str], answered: set[str]) -> Iterator[str]:
    """Yield what a statement rests on, and right under it what the person answers."""
    for at, fact_id in enumerate(fact_ids):
        line = told.lines.get(fact_id)
        yield from ground_lines(told, fact_id, f"{type_words(line.fact.type)}: " if at and line else "")
        if fact_id not in answered:
            for reply in replies(told).get(fact_id, ()):
                yield from _reply(told, reply)
            answered.add(fact_id)


def _reply(told: SubjectView, reply: Fact) -> Iterator[str]:
    yield f"    THEIR REPLY, {when(reply.data)}: “{safe(reply.data['text'])}” (fact {safe(reply.id)})"
    for source in reply.data["sources"]:
        yield f"      source: {source_words(source)}"
    yield from (f"  {line}" for line in correction_lines(told, reply.id))


def _noted(told: SubjectView, answered: set[str]) -> Iterator[str]:
    """Yield what else happened, in the words of the sources: it changes no status."""
    parts = []
    for fact in told.world:
        if fact.type == "Noted":
            more = [f": {safe(fact.data['text'])}" if "text" in fact.data else ""]
            classes = ", ".join(fact.data.get("classes", ()))
            more.append(f" ({safe(classes)})" if classes else "")
            parts.append(Statement(f"{when(fact.data)}: {safe(fact.data['title'])}{''.join(more)}", (fact.id,)))
    yield from _section("Noted:", parts, told, answered)


def _other_replies(told: SubjectView, answered: set[str]) -> Iterator[str]:
    left = {fact_id: found for fact_id, found in replies(told).items() if fact_id not in answered}
    if left:
        yield ""
        yield "Replies to other facts:"
    for fact_id, found in left.items():
        yield f"  to {fact_words(told, fact_id)}"
        for reply in found:
            yield from _reply(told, reply)


def _relations(told: SubjectView) -> Iterator[str]:
    found = relations(told)
    if found:
        yield ""
        yield "Relations:"
    for (other, relation), fact in found.items():
        said = data_of(told, fact.id).get("relation_text")
        yield f"  {relation}{f' (“{safe(said)}”)' if said else ''}: {safe(other)} (fact {safe(fact.id)})"
        for source in fact.data["sources"]:
            yield f"    source: {source_words(source)}"
        yield from correction_lines(told, fact.id)


def _anomalies(status: Mapping[str, Any], told: SubjectView) -> Iterator[str]:
    if status["anomalies"]:
        yield ""
        yield "To be noted:"
    for flag in status["anomalies"]:
        yield f"  {fact_words(told, flag['fact_id'])} {ANOMALIES.get(flag['code'], words(flag['code']))}"
