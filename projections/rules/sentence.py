"""The sentence of an alert, which a person can check."""

from collections.abc import Mapping
from functools import cache

from events.facts import Fact

from .language_words import in_absence, length_in_words, not_stated, type_in_words
from .limits import Applied
from .values import TOKEN


def explain_text(  # noqa: PLR0913 - the words of which a sentence is made
    explain: str,
    name: str,
    subject: str,
    anchor: Fact,
    then: Fact | None,
    *,
    named: Mapping[str, Fact] | None = None,
    limit: Applied | None = None,
    language: str = "en",
) -> str:
    """
    Return the sentence *explain* about *subject*, on one line; `{name}` falls back to the subject.

    A type is given in words (HouseArrested: house arrested), and so is a field that the fact does not have.
    *named* has the facts of other names, such as the steps of a chain. Of *limit*, the value is given in words.
    """
    facts = {"anchor": anchor, "then": then, **(named or {})}
    known = {"name": name or subject, "subject": subject, "": ""}
    of_limit = {} if limit is None else {"value": length_in_words(limit.value, language), "source": limit.source}
    # Looked up in two closed sets and never by str.format: its fields can read attributes.
    told = [
        text
        + (
            of_limit.get(field, not_stated(language))
            if root == "limit"
            else _stated(facts[root], field, language)
            if root in facts
            else known[root]
        )
        for text, root, field in _pieces(explain)
    ]
    return " ".join("".join(told).split())


def limit_words(limit: Applied | None, language: str) -> dict[str, str]:
    """Return the text of the placeholders of a limit, for `worded`."""
    if limit is None:
        return dict.fromkeys(("limit.value", "limit.source"), not_stated(language))
    return {"limit.value": length_in_words(limit.value, language), "limit.source": limit.source}


def worded(explain: str, facts: Mapping[str, Fact | None], words: Mapping[str, str], language: str) -> str:
    """
    Return the sentence *explain* of a rule with other placeholders, on one line.

    Args:
        explain: the sentence.
        facts: the facts with fields that it may state, by their root.
        words: the text of each other placeholder, which can begin as a fact does: `then.name`.
        language: the language of the sentence.
    """
    told = []
    for text, root, field in _pieces(explain):
        token = f"{root}.{field}" if field else root
        told.append(text + (words[token] if token in words else _stated(facts[root], field, language) if root else ""))
    return " ".join("".join(told).split())


@cache
def _pieces(explain: str) -> tuple[tuple[str, str, str], ...]:
    """Return *explain* in pieces: some text, and the root and the field of the token after it, if there is one."""
    texts, tokens = TOKEN.split(explain), [*TOKEN.findall(explain), ""]
    return tuple((text, *token[1:-1].partition(".")[::2]) for text, token in zip(texts, tokens, strict=True))


def _stated(fact: Fact | None, field: str, language: str) -> str:
    if fact is not None and field == "type":
        words = in_absence if fact.data.get("in_absentia") else type_in_words
        return words(fact.type, language)
    stated = None if fact is None else fact.id if field == "id" else fact.data.get(field)
    return not_stated(language) if stated in (None, "") else str(stated)
