"""The texts that are about nobody: a week without alerts, a receiver that fails, and a test."""

from services.words.text import Text

from .loading import load
from .parts import instant_words, plain


def word_report(start: str, end: str, facts: int, people: int, language: str) -> Text:
    """
    Return the text of a time in which nothing happened.

    Args:
        start: its first day.
        end: its last day.
        facts: the number of facts read in it.
        people: the number of people that they are about.
        language: the language of the receiver.

    Raises:
        BadInput: if the language has no texts.
    """
    messages = load(language)
    body = (messages.say("report.read", facts=facts, people=people), messages.say("report.none"))
    return Text(messages.say("title.report", start=plain(start), end=plain(end)), body, language)


def word_failure(receiver: str, since: str, waiting: int, answer: str, language: str) -> Text:
    """
    Return the text about a receiver that fails, for operators. It names no people.

    Args:
        receiver: the name of the receiver.
        since: the instant since which it fails, such as `2022-07-03T00:00:00Z`.
        waiting: the number of messages that wait for it.
        answer: its last answer, without secrets and names of people; empty: none.
        language: the language of the operators.

    Raises:
        BadInput: if the language has no texts.
    """
    messages = load(language)
    said = (messages.say("failure.answer", answer=plain(answer)),) if answer else ()
    title = messages.say("title.failure", receiver=plain(receiver), since=instant_words(since))
    return Text(title, (messages.say("failure.waiting", number=waiting), *said), language)


def word_given_up(receiver: str, at: str, number: int, answer: str, language: str) -> Text:
    """
    Return the text about messages to a receiver that were given up, for operators. It names no people.

    Args:
        receiver: the name of the receiver.
        at: the instant at which one was given up, such as `2022-07-03T00:00:00Z`.
        number: the number of all messages that were given up.
        answer: the answer to the last one, or the reason, without secrets and names of people; empty: not known.
        language: the language of the operators.

    Raises:
        BadInput: if the language has no texts.
    """
    messages = load(language)
    said = (messages.say("failure.answer", answer=plain(answer)),) if answer else ()
    title = messages.say("title.given_up", receiver=plain(receiver), at=instant_words(at))
    return Text(title, (messages.say("failure.given_up", number=number), *said), language)


def word_test(receiver: str, language: str) -> Text:
    """
    Return the text of a message that tests the way to *receiver*.

    Raises:
        BadInput: if *language* has no texts.
    """
    messages = load(language)
    name = plain(receiver)
    return Text(messages.say("title.test", receiver=name), (messages.say("test.body", receiver=name),), language)
