"""The text of one notice: of a change of an alert, of a reminder, and of the clearing of a person."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias, assert_never

from projections.queries.notices import Background, KnownFact, people_of
from services.words.text import Text

from .loading import Messages, load
from .parts import (
    Alert,
    dated,
    evidence_lines,
    headline,
    instant_words,
    links_of,
    name_of,
    ordered_people,
    plain,
    presumption_lines,
    sentence_lines,
    text_facts,
    type_words,
)

AlertKind: TypeAlias = Literal["open", "change", "resolved", "retracted", "superseded", "reminder"]
PersonKind: TypeAlias = Literal["cleared", "cleared_withdrawn"]

_STANDING = frozenset({"open", "acknowledged"})


class AlertNotice(NamedTuple):
    """
    A notice of an alert, as its text needs it.

    Attributes:
        kind: the occasion.
        alert: the alert after the change; its last change is the one to tell. That of a reminder has its whole life.
        sentences: the sentences of its rule for its state, in the languages that the rule has; empty: its explanation.
        language_of_rule: the language of its explanation.
        before: the state that this receiver was told before, for a *change*; None: not known.
    """

    kind: AlertKind
    alert: Alert
    sentences: Mapping[str, str] = {}
    language_of_rule: str = "en"
    before: str | None = None


def word_notice(notice: AlertNotice, background: Background, language: str) -> Text:
    """
    Return the text of a notice: the first line, the reason, the evidence, the presumption and the change.

    Args:
        notice: the notice.
        background: the facts and people that it speaks of.
        language: the language of the receiver.

    Raises:
        BadInput: if the language has no texts.
    """
    messages = load(language)
    alert = notice.alert
    return Text(
        title_of(notice, background, messages),
        (
            "\n".join(_reason(notice, background, messages)),
            "\n".join(_evidence(notice, background, messages)),
            "\n".join(presumption_lines(ordered_people(alert, background), background, messages)),
            "\n".join(change_lines(notice, background, messages)),
        ),
        language,
        links_of(text_facts(alert), background),
    )


def word_person(kind: PersonKind, subject_id: str, fact_id: str | None, background: Background, language: str) -> Text:
    """
    Return the text on the clearing of a person, or on its end, for receivers that know an alert about them.

    Args:
        kind: the occasion.
        subject_id: the person.
        fact_id: the fact that brought it about; None: not known.
        background: the facts and people that it speaks of.
        language: the language of the receiver.

    Raises:
        BadInput: if the language has no texts.
    """
    messages = load(language)
    facts = [fact_id] if fact_id is not None else []
    fact = background.facts.get(fact_id) if fact_id is not None else None
    line = dated(name_of(background, subject_id), messages.say(kind), fact, messages)
    evidence = ["\n".join((messages.say("evidence.heading"), *evidence_lines(facts, background, messages)))]
    body = (
        *(evidence if facts else ()),
        *presumption_lines([subject_id], background, messages),
        messages.say(f"change.{kind}"),
    )
    return Text(messages.say(f"title.{kind}", headline=line), body, language, links_of(facts, background))


def title_of(notice: AlertNotice, background: Background, messages: Messages) -> str:
    """Return the first line of a notice."""
    return messages.say(f"title.{_occasion(notice)}", headline=headline(notice.alert, background, messages))


def _occasion(notice: AlertNotice) -> str:
    """Return the occasion by which the texts are named: a change opens an alert again, or its group has grown."""
    if notice.kind != "change":
        return notice.kind
    if notice.before in _STANDING:
        return "grew" if notice.alert["group"] is not None else "change"
    if notice.before is not None or notice.alert["group"] is None:
        return "reopened"
    return "change"


def _reason(notice: AlertNotice, background: Background, messages: Messages) -> Iterator[str]:
    alert = notice.alert
    yield from sentence_lines(alert, notice.sentences, notice.language_of_rule, messages)
    if alert["group"] is not None:
        kind = messages.say(f"groups.{alert['group_by']}")
        yield messages.say("reason.group", kind=kind, group=plain(alert["group"]))
        names = messages.say("list_separator").join(name_of(background, own) for own in people_of(alert))
        yield messages.say("reason.people", names=names)
    severity = messages.say(f"severity.{alert['severity']}")
    yield messages.say("reason.alert", rule=plain(alert["rule"]), severity=severity, alert=alert["alert_id"])


def _evidence(notice: AlertNotice, background: Background, messages: Messages) -> Iterator[str]:
    evidence = notice.alert["evidence"]
    if evidence:
        yield messages.say("evidence.heading")
        yield from evidence_lines(evidence, background, messages)
    else:
        yield messages.say("evidence.none")


def change_lines(notice: AlertNotice, background: Background, messages: Messages) -> Iterator[str]:
    """Yield the change, its reason, and the fact that brought it about."""
    alert, last = notice.alert, notice.alert["life"][-1]
    at, number = instant_words(last["at"]), len(people_of(alert))
    match notice.kind:
        case "reminder":
            opened = [change["at"] for change in alert["life"] if change["state"] == "open"]
            yield messages.say("change.reminder", at=instant_words((opened or [last["at"]])[-1]))
            return
        case "open" | "resolved" | "retracted" | "superseded":
            yield messages.say(f"change.{notice.kind}", at=at)
        case "change":
            yield messages.say(f"change.{_occasion(notice)}", at=at, number=number)
        case _:
            assert_never(notice.kind)
    cause = f"cause.{last['cause']}"
    yield messages.say("change.because", cause=messages.say(cause if messages.has(cause) else "cause.other", **last))
    fact = background.facts.get(last["fact_id"])
    if fact is not None and fact.fact_id not in alert["evidence"]:
        yield from _changed_by(fact, background, messages)


def _changed_by(fact: KnownFact, background: Background, messages: Messages) -> Iterator[str]:
    """Yield the fact that brought a change about; of a correction or a withdrawal, the report that was wrong."""
    yield messages.say("change.by")
    yield from evidence_lines([fact.fact_id], background, messages)
    if "reason" in fact.data:
        yield messages.say("change.withdrawn_since", text=plain(fact.data["reason"]))
    wrong = background.facts.get(fact.data.get("fact_id", ""))
    if wrong is not None:
        before = messages.say(
            "evidence.fact",
            name=name_of(background, wrong.subject_id),
            type=type_words(wrong, messages),
            date=plain(wrong.first["occurred"]),
        )
        yield messages.say("change.wrong", report=before)
