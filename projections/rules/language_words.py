"""
The words that a sentence takes from the program, in each language: for types, relations, lengths and states.

Dates, names and other texts of a source stay as the source wrote them. Nouns and short forms are used, so that they fit
into any sentence and do not depend on a gender or a number.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from typing import Final

from .limits import figures_of, in_words
from .type_words import TYPE_WORDS
from .values import NOT_STATED

_NOT_STATED: Final = {"en": NOT_STATED, "ru": "не указано", "kk": "көрсетілмеген"}
_WAS_SAID: Final = {
    "en": "Was said until {day}: ",
    "ru": "До {day} утверждалось: ",
    "kk": "Мына күнге дейін айтылған: {day}. ",
}
_UNITS: Final = {
    "ru": {"day": "дн.", "hour": "ч", "minute": "мин", "second": "с"},
    "kk": {"day": "күн", "hour": "сағат", "minute": "минут", "second": "секунд"},
}
_RELATIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {"by": "accuser"},
    "ru": {
        "by": "автор обвинения", "sibling": "брат или сестра", "spouse": "супруг или супруга",
        "parent": "отец или мать", "child": "сын или дочь", "relative": "родственник или родственница",
        "associate": "лицо из окружения", "subordinate": "подчинённое лицо", "superior": "вышестоящее лицо",
    },
    "kk": {
        "by": "айыптау авторы", "sibling": "бауыры", "spouse": "жұбайы", "parent": "ата-анасының бірі",
        "child": "баласы", "relative": "туысы", "associate": "айналасындағы адам", "subordinate": "бағыныштысы",
        "superior": "басшысы",
    },
}  # fmt: skip

_IN_ABSENCE: Final = {"en": "{} in absentia", "ru": "{} (заочно)", "kk": "{} (сырттай)"}


def not_stated(language: str) -> str:
    """Return the words for a field that the fact does not have."""
    return _NOT_STATED[language]


@cache
def type_in_words(type_: str, language: str) -> str:
    """Return a type in words: HouseArrested is "house arrested", and in the other languages a noun."""
    if language == "en":
        return " ".join(re.findall("[A-Z][a-z]*", type_)).lower()
    return TYPE_WORDS[language][type_]


def in_absence(type_: str, language: str) -> str:
    """Return a type in words of a fact that took place in the person's absence: nobody is held by such an arrest."""
    return _IN_ABSENCE[language].format(type_in_words(type_, language))


def relation_in_words(relation: str, language: str) -> str:
    """Return a relation, or `by`, in words."""
    return _RELATIONS[language].get(relation, relation)


def length_in_words(length: timedelta, language: str) -> str:
    """Return the length of a limit in words: in hours up to three days, and in days beyond."""
    if language == "en":
        return in_words(length)
    units = _UNITS[language]
    return " ".join(f"{figure} {units[unit]}" for unit, figure in figures_of(length).items())


def was_said(said: str, until: date, language: str) -> str:
    """Return the sentence *said* of an alert that does not stand any more, in the default form."""
    return _WAS_SAID[language].format(day=f"{until:%Y-%m-%d}") + said


def cleared_since(cleared: int, people: int, count: int, language: str = "en") -> str:
    """
    Return the words to append to the sentence of a group: how many were cleared since; empty for none.

    Args:
        cleared: the number of people in the evidence who were cleared since their events.
        people: the number of people in the evidence.
        count: the number that the sentence states, which is that of the fullest window alone.
        language: the language of the sentence.
    """
    if not cleared:
        return ""
    match language:
        case "ru":
            return f" С тех пор все обвинения отпали, лиц: {cleared} из {people}."
        case "kk":
            return f" Содан бері барлық айыптауы жойылған адамдар: {cleared}, барлығы: {people}."
        case _:
            were = "was" if cleared == 1 else "were"
            whole = "them" if people == count else f"the {people} people in its evidence"
            return f" {cleared} of {whole} {were} cleared since."
