"""The texts of messages: never more than the evidence, and always with the presumption of each person."""

# ruff: noqa: RUF001 - the words are in Russian and Kazakh too

import re
from typing import Any, get_args

import pytest
from sqlalchemy import Engine

from events.vocabulary import DATA, TRACKS
from projections.queries.notices import Background, KnownFact, KnownPerson, background_of, people_of
from services.delivery.message import MessageKind, Text
from services.words.messages.bundles import word_digest, word_summary
from services.words.messages.loading import load
from services.words.messages.notices import AlertKind, AlertNotice, PersonKind, word_notice, word_person
from services.words.messages.parts import presumption_lines, type_words
from tests.support.builders import charged
from tests.support.noticed import LANGUAGES, at, background, everything, notices, told

PROVEN = {"Convicted", "Sentenced", "VerdictUpheld", "VerdictOverturned", "VerdictFinal", "SentenceChanged"}
GUILT = {
    "en": re.compile(r"guilt|convict|culprit|offender|perpetrator", re.IGNORECASE),
    "ru": re.compile(r"(?<!не)винов[ае]|осужд|преступ|обвинительный приговор", re.IGNORECASE),
    "kk": re.compile(r"кінәлі|сотталған|қылмыскер|айыптау үкімі", re.IGNORECASE),
}
"""The words that only a verdict of guilty allows."""
VERDICT = {"en": "verdict|convict|acquit", "ru": "приговор|осужд|оправд", "kk": "үкім|сотталған|ақтау"}
ALERT_KINDS = get_args(AlertKind)


@pytest.fixture(scope="module")
def whole() -> Engine:
    """Return a database with alerts of the whole pack in each state."""
    return everything()


def as_kind(kind: str, content: dict[str, Any]) -> AlertNotice:
    """Return the notice of *content* as one of *kind*."""
    state = "open" if kind in {"change", "reminder"} else kind
    life = [{**content["life"][-1], "state": state}]
    return AlertNotice(kind, {**content, "state": state, "life": life})  # type: ignore[arg-type]


def every_text(engine: Engine, language: str) -> list[tuple[str, Text, set[str]]]:
    """Return every text of every kind that concerns people, as (kind, text, people)."""
    known, contents = background(engine), notices(engine)
    whole = {own for content in contents for own in people_of(content)}
    made = [
        (kind, word_notice(as_kind(kind, content), known, language), set(people_of(content)))
        for content in contents
        for kind in ALERT_KINDS
    ]
    opened = [AlertNotice("open", content) for content in contents]
    ended = [as_kind("retracted", content) for content in contents]
    made += [
        (kind, word_person(kind, own, None, known, language), {own}) for own in whole for kind in get_args(PersonKind)
    ]
    made.append(("summary", word_summary(opened, known, language), whole))
    made.append(("digest", word_digest("2024-01-01", opened, ended, known, language), whole))
    return made


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_states_the_presumption_of_each_person(whole: Engine, language: str) -> None:
    """A reader of any message learns how each person in it stands before the law."""
    known, messages = background(whole), load(language)
    made = every_text(whole, language)

    assert {*get_args(MessageKind)} - {"report", "failure", "test"} == {kind for kind, _, _ in made}
    for kind, text, people in made:
        wanted = set(presumption_lines(sorted(people), known, messages))
        assert wanted <= set(text.plain.splitlines()), (kind, text.title)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_says_guilty_without_a_verdict(whole: Engine, language: str) -> None:
    """A text of accusations has no word that only a verdict of guilty allows."""
    known = background(whole)
    checked = 0
    for content in notices(whole):
        people = [known.people[own] for own in people_of(content)]
        proven = any(known.facts[own].type in PROVEN for own in content["evidence"])
        if proven or any(person.presumption.startswith("convicted") for person in people):
            continue
        for kind in ALERT_KINDS:
            text = word_notice(as_kind(kind, content), known, language)
            without = [line for line in text.plain.splitlines() if line not in _standing(people, known, language)]
            assert not GUILT[language].search("\n".join(without)), without
            checked += 1

    assert checked > 30


def _standing(people: list[KnownPerson], known: Background, language: str) -> set[str]:
    return set(presumption_lines([person.subject_id for person in people], known, load(language)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_accusation_contain_no_guilt(language: str) -> None:
    """Neither an accusing type of fact nor the presumption of innocence has a word of guilt."""
    types = [type_ for type_ in TRACKS["case"] if type_ not in PROVEN | {"PleaEntered", "AppealFiled"}]
    accusing = types[: types.index("TrialOpened") + 1]
    messages = load(language)
    words = [messages.say(f"types.{type_}") for type_ in (*accusing, *TRACKS["custody"], *TRACKS["service"])]

    assert [] == [text for text in words if GUILT[language].search(text)]
    assert "Charged" in accusing


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_case_that_is_not_criminal_has_no_verdict(language: str) -> None:
    """A disciplinary decision is not called a verdict, a conviction or an acquittal."""
    words = [
        type_words(KnownFact("f", "a", type_, {}, {}, kind="disciplinary"), load(language))
        for type_ in DATA
        if type_ not in {"Imprisoned", "Paroled", "SentenceServed"}
    ]

    assert [] == [text for text in words if re.search(VERDICT[language], text, re.IGNORECASE)]


def test_a_criminal_case_has_a_verdict() -> None:
    """A conviction is named as one."""
    assert "Verdict of guilty" == type_words(KnownFact("f", "a", "Convicted", {}, {}), load("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_convict_is_presumed_innocent_in_an_open_case(language: str) -> None:
    """The verdict of one case says nothing of another."""
    person = KnownPerson("a", "Ada", "convicted", open_cases=1)
    (line,) = presumption_lines(["a", "a"], Background({}, {"a": person}), load(language))
    (closed,) = presumption_lines(["a"], Background({}, {"a": person._replace(open_cases=0)}), load(language))

    innocence = {"en": "presumed innocent", "ru": "презумпция невиновности", "kk": "кінәсіздік презумпциясы"}[language]
    assert innocence in line
    assert innocence not in closed


def test_the_kind_of_a_case_comes_from_any_fact_of_it() -> None:
    """The second fact does not name the kind."""
    first = at(charged("2022-02-01", case="k", kind="disciplinary"))
    second = at(charged("2022-02-02", case="k"))
    engine = told(first, second, until="2022-02-03")

    with engine.connect() as conn:
        known = background_of(conn, [{"subject_id": "a", "evidence": [second["id"]]}])

    assert "disciplinary" == known.facts[second["id"]].kind
