"""A person's history as lines for a terminal, and as a dossier in Markdown that others can check."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from events.edtf import parse_instant
from projections.queries.alerts import AlertFilter, alerts
from projections.subjects.view import SubjectView, data_in_force, replies

from .careers import (
    Statement,
    case_title,
    counts,
    holds,
    measures,
    posts,
    searches,
    sentence,
    track_words,
    unread_words,
    was_held,
)
from .facts import fact_words, field_lines, label, value_words
from .terms import ANOMALIES, REASONS, differences, moment_words, safe, source_words, type_words, when, words
from .verdicts import law_lines

SECTIONS = {
    "world": "In the order of the world",
    "announced": "Announced: their time has not come",
    "undated": "Without a year: they order nothing and set no status",
    "about_facts": "About facts",
}
# The characters that Markdown reads within a line, and those that begin a list, a heading or a rule.
_MARKED = re.compile(r"[\\`*_\[\]<>#!|~&$]|^(?:[-+=]|\d+(?=[.)]))")
_ADDRESS = re.compile(r"https?://[^\s<>\\`]+")


def history_lines(view: SubjectView, history: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a history, as ``history_json`` returned it. Every text from outside is safe to print."""
    status = history["status"]
    yield f"{safe(history['name'] or history['subject_id'])}  [{safe(history['subject_id'])}]"
    if moment := _moment(history):
        yield f"  {moment}"
    yield f"  headline: {words(status['headline'])}"
    yield from (f"  {line}" for line in law_lines(status, view))
    section = None
    for fact in history["facts"]:
        if fact["section"] != section:
            section = fact["section"]
            yield from ("", SECTIONS[section])
        yield ""
        yield f"  {_title(fact)}"
        yield from (f"    {line}" for line in _body(view, fact))
        yield f"    fact {safe(fact['id'])}, recorded {fact['recorded']}, position {_position(fact)}"


def markdown(conn: Connection, view: SubjectView, history: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the dossier: status, facts with their ledger rows, replies, alerts, and how to verify it."""
    status = history["status"]
    yield f"# {escaped(history['name'] or history['subject_id'])}"
    yield from ("", f"Subject `{_code(history['subject_id'])}`. {_moment(history) or 'All that is known.'}", "")
    general, *cases = law_lines(status, view)
    yield f"**{escaped(general)}**"
    if cases:
        yield ""
    yield from (f"- {escaped(line)}" for line in cases)
    yield from ("", "## Status", "")
    yield from _status(view, status)
    section = None
    for fact in history["facts"]:
        if fact["section"] != section:
            section = fact["section"]
            yield from ("", f"## {SECTIONS[section]}")
        yield from ("", f"### {escaped(_title(fact))}", "")
        yield from _lines(view, fact)
        yield f"- fact `{_code(fact['id'])}`, recorded {fact['recorded']}"
        yield f"- ledger: position {_position(fact)}, row {fact['seq']}, hash `{fact['hash']}`"
    yield from _replies(view)
    yield from _alerts(conn, view, history)
    yield from _how_to_verify()


def escaped(text: object) -> str:
    """Return *text* with escapes, so that Markdown shows it unchanged."""
    return _MARKED.sub(_escape, safe(text))


def _escape(match: re.Match[str]) -> str:
    # A digit cannot be escaped. The word joiner before the point keeps a number from beginning a list.
    return f"{match[0]}\u2060" if match[0].isdigit() else f"\\{match[0]}"


def _lines(view: SubjectView, fact: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a fact as a list, each address as a link to itself."""
    for line in _body(view, fact):
        yield f"- {_linked(line)}"


def _linked(text: str) -> str:
    shown, rest = [], 0
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(",.;:!?)”")
        shown += [escaped(text[rest : match.start()]), f"<{safe(address)}>"]
        rest = match.start() + len(address)
    return "".join([*shown, escaped(text[rest:])])


def _code(text: str) -> str:
    # Nothing can be escaped within backticks, and a backtick would end the code.
    return safe(text).replace("`", "'")


def _title(fact: Mapping[str, Any]) -> str:
    data = fact["data_in_force"] or fact["data"]
    state = {"in_force": "", "corrected": " [corrected]", "retracted": " [RETRACTED]", "no_effect": " [no effect]"}
    return f"{when(data)}: {type_words(fact['type'])}{state[fact['state']]}"


def _body(view: SubjectView, fact: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields of a fact, its sources, its corrections and its anomalies."""
    data = fact["data_in_force"] or fact["data"]
    yield f"published {safe(data['published'])}"
    yield from field_lines(view, fact["type"], data)
    for source in data["sources"]:
        yield f"source: {source_words(source)}"
        if "quote" in source:
            yield f"quote: “{safe(source['quote'])}”"
    if fact["report_of"]:
        yield f"reports the same event as fact {safe(fact['report_of'])}"
    yield from _fate(view, fact)
    for code in fact["anomalies"]:
        if code != fact["because"]:
            yield f"to be noted: {ANOMALIES.get(code, words(code))}"


def _fate(view: SubjectView, fact: Mapping[str, Any]) -> Iterator[str]:
    if fact["state"] == "corrected":
        yield from _corrections(view, fact)
    elif fact["state"] == "retracted":
        by = fact["retracted_by"]
        reason = (data_in_force(view, by) or {}).get("reason", "not stated")
        yield f"retracted by fact {safe(by)}, reason: {safe(reason)}"
    elif fact["state"] == "no_effect":
        yield f"no effect: {REASONS.get(fact['because'], words(fact['because']))}"


def _corrections(view: SubjectView, fact: Mapping[str, Any]) -> Iterator[str]:
    """Yield each field that a correction changed, with its value before and after."""
    before, after = fact["data"], fact["data_in_force"]
    for field, old, new in differences(before, after):
        wording = f"{value_words(view, field, old, before)} -> {value_words(view, field, new, after)}"
        yield f"corrected: {label(fact['type'], field)} {wording}, by fact {safe(fact['corrected_by'])}"


def _position(fact: Mapping[str, Any]) -> str:
    return f"{fact['position']['partition']}:{fact['position']['offset']}"


def _moment(history: Mapping[str, Any]) -> str:
    return moment_words(history["as_of"], history["known_at"])


def _status(view: SubjectView, status: Mapping[str, Any]) -> Iterator[str]:
    yield f"- headline: {escaped(words(status['headline']))}"
    if waiting := unread_words(status):
        yield f"- {escaped(waiting)}"
    for track, parts in (("service", posts), ("custody", holds), ("wanted", searches)):
        cell = status[track] if track != "custody" or was_held(status) else None
        if cell:
            facts = f" (fact `{_code(cell['fact_id'])}`)" if cell["fact_id"] else ""
            yield f"- {escaped(track_words(track, cell, view))}{facts}"
        yield from _items(parts(status, view), "    " if cell else "")
    for measure in measures(status, view):
        yield from _items([measure._replace(text=f"measure: {measure.text}")])
    for case in status["cases"]:
        yield f"- {escaped(case_title(case, status))}"
        yield from _items([*counts(case, view), *sentence(case, view)], "    ")


def _items(parts: Iterable[Statement], indent: str = "") -> Iterator[str]:
    """Yield statements as items of a list, each with the facts that support it."""
    for part in parts:
        facts = f" (fact {_facts(part.fact_ids)})" if part.fact_ids else ""
        yield f"{indent}- {escaped(part.text)}{facts}"


def _replies(view: SubjectView) -> Iterator[str]:
    by_fact = replies(view)
    if by_fact:
        yield from ("", "## The person's own replies")
    for fact_id, answers in by_fact.items():
        yield from ("", f"To {escaped(fact_words(view, fact_id))}:")
        for answer in answers:
            yield from ("", f"> {escaped(answer.data['text'])}", ">", f"> — {escaped(when(answer.data))}")
            yield from (f"> source: {_linked(source_words(source))}" for source in answer.data["sources"])


def _alerts(conn: Connection, view: SubjectView, history: Mapping[str, Any]) -> Iterator[str]:
    known_at = parse_instant(history["known_at"]) if history["known_at"] else None
    wanted = AlertFilter(subject_id=view.subject_id, known_at=known_at)
    listed = list(alerts(conn, wanted))
    if listed:
        yield from ("", "## Alerts")
    for alert in listed:
        yield from ("", f"### {escaped(alert['rule'])}: {alert['state']}", "", escaped(alert["explanation"]), "")
        yield f"- alert `{alert['alert_id']}`, rule version `{alert['rule_version']}`, {alert['severity']}"
        yield f"- evidence: {_facts(alert['evidence'])}"
        yield from (f"- {escaped(step_words(step))}" for step in alert["life"])


def _facts(fact_ids: Iterable[str]) -> str:
    return ", ".join(f"`{_code(fact_id)}`" for fact_id in fact_ids)


def step_words(step: Mapping[str, Any]) -> str:
    """Return one step in the life of an alert on one line."""
    by = f" by {safe(step['by'])}" if "by" in step else ""
    until = f" until {step['until']}" if "until" in step else ""
    note = f": “{safe(step['note'])}”" if step.get("note") else ""
    fact = f", fact {safe(step['fact_id'])}" if step["fact_id"] else ""
    return f"{step['at']} {step['state']}{by}{until}{note} ({words(step['cause'])}{fact})"


def _how_to_verify() -> Iterator[str]:
    yield from ("", "## How to verify", "")
    yield "Each hash above chains a row of the ledger to the one before it. `casetrail audit verify` walks the chain"
    yield "of the whole ledger and names the first row that was edited, swapped or left out; with"
    yield "`--head HASH` it holds the chain against a hash that was kept elsewhere (`casetrail audit head` prints it)."
