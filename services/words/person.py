"""One person in full, for people: the allegations, the extent to which they were proven, and the person's replies."""

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


def person_lines(status: Mapping[str, Any], view: SubjectView, moment: AsOf) -> Iterator[str]:
    """Yield the lines about one person at *moment*. Every text from outside is safe to print."""
    yield f"{safe(status['name'] or status['subject_id'])}  [{safe(status['subject_id'])}]"
    if wording := described(status):
        yield f"  {wording}"
    if asked := moment_words(*(format_instant(instant) if instant else None for instant in moment)):
        yield f"  {asked}"
    yield from (f"  {line}" for line in law_lines(status, view))
    yield f"  headline: {words(status['headline'])}"
    if waiting := unread_words(status):
        yield f"  {waiting}"
    answered: set[str] = set()
    for track in TRACKS:
        yield from _track(track, status, view, answered)
    yield from _section("Measures:", measures(status, view), view, answered)
    for case in status["cases"]:
        yield from _case(case, status, view, answered)
    yield from _noted(view, answered)
    yield from _other_replies(view, answered)
    yield from _relations(view)
    yield from _anomalies(status, view)


def _track(track: str, status: Mapping[str, Any], view: SubjectView, answered: set[str]) -> Iterator[str]:
    """Yield the cell of a track, then each of its parts; the cell has its own grounds if no part has its fact."""
    cell = status[track] if track != "custody" or was_held(status) else None
    parts = list(TRACKS[track](status, view))
    if cell is None and not parts:
        return
    yield ""
    yield track_words(track, cell, view) if cell else f"{track.capitalize()}:"
    if cell and cell["fact_id"] and not any(cell["fact_id"] in part.fact_ids for part in parts):
        yield from _grounds(view, (cell["fact_id"],), answered)
    yield from _statements(parts, view, answered)


def _section(title: str, parts: Iterable[Statement], view: SubjectView, answered: set[str]) -> Iterator[str]:
    lines = list(_statements(parts, view, answered))
    if lines:
        yield from ("", title, *lines)


def _statements(parts: Iterable[Statement], view: SubjectView, answered: set[str]) -> Iterator[str]:
    for part in parts:
        yield f"  {part.text}"
        yield from _grounds(view, part.fact_ids, answered)


def _case(case: Mapping[str, Any], status: Mapping[str, Any], view: SubjectView, answered: set[str]) -> Iterator[str]:
    yield ""
    yield case_title(case, status)
    for statement in (*counts(case, view), *sentence(case, view)):
        yield f"    {statement.text} ({_facts(statement.fact_ids)})" if statement.fact_ids else f"    {statement.text}"
    if case["authority"]:
        yield f"    authority: {safe(case['authority'])} (fact {safe(case['authority_fact_id'])})"
    for fact in view.world:
        if TRACK_OF[fact.type] == "case" and fact.data["case_id"] == case["case_id"]:
            detail = detail_words(view, fact.type, fact.data)
            yield f"  {when(fact.data)}: {type_words(fact.type)}{f': {detail}' if detail else ''}"
            yield from _grounds(view, (fact.id,), answered)


def _facts(fact_ids: Iterable[str]) -> str:
    return ", ".join(f"fact {safe(fact_id)}" for fact_id in fact_ids)


def _grounds(view: SubjectView, fact_ids: Iterable[str], answered: set[str]) -> Iterator[str]:
    """Yield the grounds of a statement, and directly under each fact the person's replies to it."""
    for at, fact_id in enumerate(fact_ids):
        line = view.facts.get(fact_id)
        yield from ground_lines(view, fact_id, f"{type_words(line.fact.type)}: " if at and line else "")
        if fact_id not in answered:
            for reply in replies(view).get(fact_id, ()):
                yield from _reply(view, reply)
            answered.add(fact_id)


def _reply(view: SubjectView, reply: Fact) -> Iterator[str]:
    yield f"    THEIR REPLY, {when(reply.data)}: “{safe(reply.data['text'])}” (fact {safe(reply.id)})"
    for source in reply.data["sources"]:
        yield f"      source: {source_words(source)}"
    yield from (f"  {line}" for line in correction_lines(view, reply.id))


def _noted(view: SubjectView, answered: set[str]) -> Iterator[str]:
    """Yield the noted events, which change no status, in the words of the sources."""
    parts = []
    for fact in view.world:
        if fact.type == "Noted":
            more = [f": {safe(fact.data['text'])}" if "text" in fact.data else ""]
            classes = ", ".join(fact.data.get("classes", ()))
            more.append(f" ({safe(classes)})" if classes else "")
            parts.append(Statement(f"{when(fact.data)}: {safe(fact.data['title'])}{''.join(more)}", (fact.id,)))
    yield from _section("Noted:", parts, view, answered)


def _other_replies(view: SubjectView, answered: set[str]) -> Iterator[str]:
    left = {fact_id: answers for fact_id, answers in replies(view).items() if fact_id not in answered}
    if left:
        yield ""
        yield "Replies to other facts:"
    for fact_id, answers in left.items():
        yield f"  to {fact_words(view, fact_id)}"
        for reply in answers:
            yield from _reply(view, reply)


def _relations(view: SubjectView) -> Iterator[str]:
    by_relation = relations(view)
    if by_relation:
        yield ""
        yield "Relations:"
    for (other, relation), fact in by_relation.items():
        wording = data_of(view, fact.id).get("relation_text")
        yield f"  {relation}{f' (“{safe(wording)}”)' if wording else ''}: {safe(other)} (fact {safe(fact.id)})"
        for source in fact.data["sources"]:
            yield f"    source: {source_words(source)}"
        yield from correction_lines(view, fact.id)


def _anomalies(status: Mapping[str, Any], view: SubjectView) -> Iterator[str]:
    if status["anomalies"]:
        yield ""
        yield "To be noted:"
    for flag in status["anomalies"]:
        yield f"  {fact_words(view, flag['fact_id'])} {ANOMALIES.get(flag['code'], words(flag['code']))}"
