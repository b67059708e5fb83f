"""The parts of which the texts about alerts and people are made: names, first lines, evidence and presumption."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from projections.queries.notices import Background, KnownFact, KnownPerson, people_of
from services.words.terms import safe

from .loading import Messages

Alert = Mapping[str, Any]
"""An alert as JSON: `AlertJson`, or the notice of one of its changes."""

NAMES: Final = 3
"""The most names in a first line; the presumption of everybody is below."""

_RUNS: Final = re.compile(r"\s+")
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})
_DEFAULT_WORDS: Final = re.compile(r"Was said until ([0-9-]+): (.*)", re.DOTALL)


def plain(text: object) -> str:
    """
    Return *text* from outside on one line.

    Text that is written from right to left stands between the characters that isolate its direction. Otherwise the
    date behind a name would move in front of it.
    """
    line = _RUNS.sub(" ", safe(text)).strip()
    is_isolated = any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in line)
    return f"\u2068{line}\u2069" if is_isolated else line


def name_of(background: Background, subject_id: str) -> str:
    """Return the name of a person as a source wrote it; the subject_id if none is known."""
    person = background.people.get(subject_id)
    return plain(person.name or subject_id if person else subject_id)


def ordered_people(alert: Alert, background: Background) -> list[str]:
    """Return the people of an alert, that of its anchor first."""
    anchor = background.facts.get(alert["anchor"])
    first = anchor.subject_id if anchor else None
    return sorted(people_of(alert), key=lambda own: (own != first, own))


def matter(alert: Alert, background: Background, messages: Messages) -> str:
    """Return the finding of an alert in a few words: those of a rule of the pack, else the anchor and the rule."""
    rule = alert["rule"]
    if messages.has(f"rules.{rule}"):
        return messages.say(f"rules.{rule}")
    anchor = background.facts.get(alert["anchor"])
    if anchor is None:
        return messages.say("other_rule_alone", rule=plain(rule))
    return messages.say("other_rule", type=type_words(anchor, messages), rule=plain(rule))


def headline(alert: Alert, background: Background, messages: Messages) -> str:
    """
    Return the people, the finding and its date on one line.

    If a correction moved the date of the anchor, a retracted alert has none: nobody was told it with the new date.
    """
    people = ordered_people(alert, background)
    names = messages.say("list_separator").join(name_of(background, own) for own in people[:NAMES])
    if len(people) > NAMES:
        names = messages.say("who.more", names=names, number=len(people) - NAMES)
    group = alert["group"]
    who = names if group is None else messages.say("who.group", group=plain(group), names=names)
    anchor = background.facts.get(alert["anchor"])
    if anchor and alert["state"] == "retracted" and anchor.data["occurred"] != anchor.first["occurred"]:
        anchor = None
    return dated(who, matter(alert, background, messages), anchor, messages)


def dated(people: str, finding: str, fact: KnownFact | None, messages: Messages) -> str:
    """Return *people* and *finding* with the date of *fact* as its source wrote it."""
    if fact is None:
        return messages.say("headline.undated", who=people, what=finding)
    return messages.say("headline.dated", who=people, what=finding, date=plain(fact.data["occurred"]))


def type_words(fact: KnownFact, messages: Messages) -> str:
    """Return the type of a fact as a noun; a case that is not criminal has no verdict."""
    other = f"other_types.{fact.type}"
    return messages.say(other if fact.kind != "criminal" and messages.has(other) else f"types.{fact.type}")


def sentence_lines(
    alert: Alert, sentences: Mapping[str, str], language_of_rule: str, messages: Messages
) -> Iterator[str]:
    """
    Yield the sentence of an alert, with the language if it is not the receiver's.

    Args:
        alert: the alert.
        sentences: the sentences of its rule for its state, by language; those that there are.
        language_of_rule: the language of the sentence in the alert.
        messages: the texts of the receiver's language.
    """
    own = sentences.get(messages.language)
    sentence = own or alert["explanation"]
    match = _DEFAULT_WORDS.fullmatch(sentence) if alert["state"] in {"resolved", "retracted", "superseded"} else None
    if match:
        yield messages.say("reason.was_said", day=match[1], sentence=plain(match[2]))
    else:
        yield plain(sentence)
    if own is None and language_of_rule != messages.language:
        key = f"languages.{language_of_rule}"
        language = messages.say(key) if messages.has(key) else plain(language_of_rule)
        yield messages.say("reason.only_in", language=language)


def evidence_lines(fact_ids: Iterable[str], background: Background, messages: Messages) -> Iterator[str]:
    """Yield each fact with its type, its date as its source wrote it, and its sources, each report by itself."""
    for fact_id in fact_ids:
        fact = background.facts.get(fact_id)
        if fact is None:
            yield f"- {messages.say('evidence.unknown', fact=plain(fact_id))}"
        else:
            yield from fact_lines(fact, background, messages)


def fact_lines(fact: KnownFact, background: Background, messages: Messages) -> Iterator[str]:
    """Yield the lines of one fact."""
    data = fact.data
    date = plain(data["occurred"])
    if "occurred_text" in data:
        date = f"{date} ({_quoted(data['occurred_text'], messages)})"
    type_ = type_words(fact, messages)
    if fact.type == "Noted" and "title" in data:
        type_ = f"{type_} ({_quoted(data['title'], messages)})"
    if data.get("in_absentia"):
        type_ = f"{type_} ({messages.say('in_absentia')})"
    yield f"- {messages.say('evidence.fact', name=name_of(background, fact.subject_id), type=type_, date=date)}"
    if fact.is_taken_back:
        yield f"  {messages.say('evidence.taken_back')}"
    yield f"  {messages.say('evidence.published', date=plain(data['published']))}"
    for source in data["sources"]:
        yield f"  {messages.say('evidence.source', source=source_words(source, messages))}"


def source_words(source: Mapping[str, Any], messages: Messages) -> str:
    """Return publisher, title and addresses of a source."""
    title = _quoted(source["title"], messages) if "title" in source else None
    publisher, urls = source.get("publisher"), (source.get("url"), source.get("archived_url"))
    words = (publisher and plain(publisher), title, *(url and plain(url) for url in urls))
    return messages.say("list_separator").join(filter(None, words))


def links_of(fact_ids: Iterable[str], background: Background) -> tuple[str, ...]:
    """Return the addresses of the sources of the facts, each once."""
    facts = [background.facts[fact_id] for fact_id in fact_ids if fact_id in background.facts]
    sources = [source for fact in facts for source in fact.data["sources"]]
    urls = (source[key] for source in sources for key in ("url", "archived_url") if key in source)
    return tuple(dict.fromkeys(urls))


def presumption_lines(subject_ids: Iterable[str], background: Background, messages: Messages) -> Iterator[str]:
    """Yield the presumption of each person, once."""
    for subject_id in dict.fromkeys(subject_ids):
        person = background.people.get(subject_id) or KnownPerson(subject_id)
        is_mixed = person.presumption == "convicted" and person.open_cases > 0
        key = "convicted_open" if is_mixed else person.presumption
        yield messages.say(f"presumption.{key}", name=name_of(background, subject_id))


def instant_words(instant: str) -> str:
    """Return an instant of the log such as `2022-07-03T00:00:00Z` as people write it, to the minute."""
    return f"{instant[:10]} {instant[11:16]} UTC"


def changing_fact(alert: Alert) -> str | None:
    """Return the fact that brought the latest change about; None: time, a rule or a person did."""
    fact_id: str | None = alert["life"][-1]["fact_id"]
    return fact_id


def text_facts(alert: Alert) -> Sequence[str]:
    """Return the facts that the text of an alert names: its evidence, and the fact that changed it."""
    return list(dict.fromkeys(filter(None, (*alert["evidence"], changing_fact(alert)))))


def _quoted(text: object, messages: Messages) -> str:
    return messages.say("quoted", text=plain(text))
