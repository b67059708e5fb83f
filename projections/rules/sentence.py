"""The sentence of an alert, which a person can check."""

import re
from collections.abc import Mapping
from functools import cache

from events.facts import Fact

from .limits import Applied, in_words
from .values import NOT_STATED, TOKEN


def explain_text(  # noqa: PLR0913 - the words of which a sentence is made
    explain: str,
    name: str,
    subject: str,
    anchor: Fact,
    then: Fact | None,
    *,
    named: Mapping[str, Fact] | None = None,
    limit: Applied | None = None,
) -> str:
    """
    Return the sentence *explain* about *subject*, on one line; `{name}` falls back to the subject.

    A type is given in words (HouseArrested: house arrested), a field that the fact does not have as `NOT_STATED`.
    *named* has the facts of other names, such as the steps of a chain. Of *limit*, the value is given in words.
    """
    facts = {"anchor": anchor, "then": then, **(named or {})}
    known = {"name": name or subject, "subject": subject, "": ""}
    of_limit = {} if limit is None else {"value": in_words(limit.value), "source": limit.source}
    # Looked up in two closed sets and never by str.format: its fields can read attributes.
    told = [
        text
        + (
            of_limit.get(field, NOT_STATED)
            if root == "limit"
            else _stated(facts[root], field)
            if root in facts
            else known[root]
        )
        for text, root, field in _pieces(explain)
    ]
    return " ".join("".join(told).split())


def limit_words(limit: Applied | None) -> dict[str, str]:
    """Return the text of the placeholders of a limit, for `worded`."""
    if limit is None:
        return {"limit.value": NOT_STATED, "limit.source": NOT_STATED}
    return {"limit.value": in_words(limit.value), "limit.source": limit.source}


def worded(explain: str, facts: Mapping[str, Fact | None], words: Mapping[str, str]) -> str:
    """
    Return the sentence *explain* of a rule with other placeholders, on one line.

    Args:
        explain: the sentence.
        facts: the facts with fields that it may state, by their root.
        words: the text of each other placeholder, which can begin as a fact does: `then.name`.
    """
    told = []
    for text, root, field in _pieces(explain):
        token = f"{root}.{field}" if field else root
        told.append(text + (words[token] if token in words else _stated(facts[root], field) if root else ""))
    return " ".join("".join(told).split())


@cache
def _pieces(explain: str) -> tuple[tuple[str, str, str], ...]:
    """Return *explain* in pieces: some text, and the root and the field of the token after it, if there is one."""
    texts, tokens = TOKEN.split(explain), [*TOKEN.findall(explain), ""]
    return tuple((text, *token[1:-1].partition(".")[::2]) for text, token in zip(texts, tokens, strict=True))


@cache
def _in_words(type_: str) -> str:
    return " ".join(re.findall("[A-Z][a-z]*", type_)).lower()


def _stated(fact: Fact | None, field: str) -> str:
    if fact is None:
        return NOT_STATED
    if field == "type":
        return _in_words(fact.type)
    stated = fact.id if field == "id" else fact.data.get(field)
    return NOT_STATED if stated in (None, "") else str(stated)
