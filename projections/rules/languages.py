"""
The languages of a rule: a sentence alone, or a mapping of languages to sentences (docs/rules.md, Languages).

The order of a mapping means nothing, as the ledger keeps rules with sorted keys. So the language of a rule is the first
of `LANGUAGES` in which it has a sentence.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Final, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from .values import TOKEN, Text, text_of, wrong

LANGUAGES: Final = ("en", "ru", "kk")
OF_LIMIT: Final = ("{limit.value}", "{limit.source}")
"""The placeholders that a sentence may hold only where its rule has a limit."""
NO_OTHERS: Final[Mapping[str, str]] = {}


class Sentences(BaseModel):
    """One sentence in some languages."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    en: Text = ""
    ru: Text = ""
    kk: Text = ""

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not self.model_fields_set:
            raise wrong("no language is here", f"a sentence, or sentences by language: {', '.join(LANGUAGES)}")
        return self

    @property
    def texts(self) -> Iterator[tuple[str, str]]:
        """The languages and their sentences, in the order of `LANGUAGES`."""
        return ((language, text) for language in LANGUAGES if (text := getattr(self, language)))


def _read(value: object) -> object:
    if isinstance(value, dict):
        return Sentences.model_validate(value)
    return value if isinstance(value, Sentences) else text_of(value)


Sentence = Annotated[str | Sentences, BeforeValidator(_read)]
"""A sentence in the language of the rule, or in several languages."""


class Told(NamedTuple):
    """
    A sentence about an alert.

    Attributes:
        text: the sentence in the language of its rule.
        language: that language.
        others: the sentence in the other languages that the rule has.
    """

    text: str
    language: str = "en"
    others: Mapping[str, str] = NO_OTHERS


def language_of(sentence: str | Sentences) -> str:
    """Return the language of a rule with this `explain`: English, unless a mapping names others alone."""
    return "en" if isinstance(sentence, str) else next(language for language, _ in sentence.texts)


def texts_of(sentence: str | Sentences | None, language: str) -> Iterator[tuple[str, str]]:
    """Yield each language of *sentence* and its text; one alone is in *language*, that of the rule."""
    if isinstance(sentence, Sentences):
        yield from sentence.texts
    elif sentence is not None:
        yield language, sentence


def told(sentence: str | Sentences, language: str, word: Callable[[str, str], str]) -> Told:
    """
    Return *sentence* with its placeholders replaced.

    Args:
        sentence: the sentence of a rule.
        language: the language of the rule, in which *sentence* is there.
        word: returns the sentence of a text and its language.
    """
    if isinstance(sentence, str):
        return Told(word(sentence, language), language)
    texts = {own: word(text, own) for own, text in sentence.texts}
    return Told(texts.pop(language), language, texts)


def refuse_tokens(
    sentence: str | Sentences | None, language: str, strange: Mapping[int, tuple[str, str]], *keys: str
) -> None:
    """Raise an error of the placeholders *strange* of a sentence, by their number, with its place below *keys*."""
    at = (*keys, language) if isinstance(sentence, Sentences) else keys
    if strange:
        raise PydanticCustomError("placeholder", "unknown placeholders: {strange}", {"strange": strange, "at": at})


def without_limit(text: str) -> dict[int, tuple[str, str]]:
    """Return the placeholders of a limit in *text*, by their number, as problems of a rule without a limit."""
    wanted = "a limit, such as for: {limit: NAME}"
    tokens = enumerate(TOKEN.findall(text))
    return {
        index: (f"{token} stands in a rule without a limit", wanted) for index, token in tokens if token in OF_LIMIT
    }
