"""Whole texts of messages as their receivers read them, and names that try to break them."""

# ruff: noqa: RUF001 - the texts are in Russian and Kazakh too

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.projector.projector import Projector
from projections.queries.alerts import AlertFilter, alerts
from projections.queries.notices import Background, KnownFact, background_of
from projections.rules.rulebook import Rulebook
from services.words.messages.bundles import word_digest, word_summary
from services.words.messages.loading import load
from services.words.messages.notices import AlertNotice, word_notice, word_person
from services.words.messages.operations import word_failure, word_report, word_test
from services.words.messages.parts import evidence_lines
from tests.support.builders import (
    corrected,
    described,
    detained,
    dismissed,
    instant,
    project,
    projector,
    retracted,
    stated,
)
from tests.support.correlating import House, ministry
from tests.support.noticed import LANGUAGES, at, background, notices, texts, told

NAMED = at(described("2022-01-01", name="Ada Example"))
ENDED = at(
    dismissed(
        "2022-03~",
        published="2022-03-20",
        occurred_text="in spring",
        sources=[
            {"publisher": "News", "title": "Head leaves", "url": "https://news.example/1"},
            {"title": "Decree", "archived_url": "https://archive.example/2"},
        ],
    )
)
HOSTILE = st.text(
    st.sampled_from("aб\n\r\t\v\f\x1b\x85\u2028\u2029\u202e\u2066\u2067\u2068\u2069\u200f\ufeff<>&{}*_`|@#[]()!"),
    min_size=1,
    max_size=12,
)
SILENT = "Ada Example was dismissed (2022-03~); no new step of a case, no custody and no return to office is known"


def test_an_opening_in_english() -> None:
    """The first line, the sentence, each report with all its sources, the presumption and the change."""
    (text,) = texts(told(NAMED, ENDED))
    sentence, rule = text.body[0].splitlines()

    assert "Ada Example: Dismissed, and nothing that followed is known, since 2022-03~" == text.title
    assert f"{SILENT} in the 90 days after." == sentence
    assert rule.startswith("Rule: dismissed-without-follow-up. Severity: warning. Alert: ")
    assert (
        (
            "Evidence, each report by itself:\n"
            "- Ada Example: Dismissal, 2022-03~ (“in spring”)\n"
            "  published 2022-03-20\n"
            "  source: News, “Head leaves”, https://news.example/1\n"
            "  source: “Decree”, https://archive.example/2"
        ),
        "Ada Example: presumed innocent until a final verdict.",
        "The alert opened at 2022-06-26 00:00 UTC.\nReason: the time that the rule sets has passed.",
    ) == text.body[1:]
    assert ("https://news.example/1", "https://archive.example/2") == text.links


def test_a_retraction_in_russian_says_what_was_wrong() -> None:
    """The text has the report, its withdrawal with the reason, and the sentence until then."""
    engine = told(NAMED, ENDED)
    project(projector(engine), [at(retracted(ENDED, "2022-12-05"))])
    text = texts(engine, "ru")[-1]

    assert text.title == (
        "Исправление, больше не утверждается: Ada Example: Увольнение, о дальнейших шагах не известно; дата: 2022-03~"
    )
    assert text.body[0].startswith(f"До 2022-12-05 утверждалось: {SILENT}")
    assert "Это предложение есть только на одном языке: английский." in text.body[0]
    assert "  это сообщение отозвано" in text.body[1].splitlines()
    assert (
        "Ada Example: действует презумпция невиновности до вступления приговора в законную силу.",
        (
            "Исправление: мы сообщали вам об этом оповещении. Оно было ошибочным или больше не подтверждается:"
            " 2022-12-05 12:00 UTC.\n"
            "Причина: одно из сообщений отозвано.\n"
            "Сообщение, которое привело к изменению:\n"
            "- Ada Example: Отзыв сообщения, 2022-12-05\n"
            "  опубликовано: 2022-12-05\n"
            "  источник: «Decree»\n"
            "Названная причина отзыва: wrong\n"
            "Оно касается этого сообщения в первоначальном виде: Ada Example: Увольнение, 2022-03~"
        ),
    ) == text.body[2:]


def test_a_group_in_kazakh() -> None:
    """The group and its people, each with their own evidence and presumption."""
    text = texts(House().judge(ministry("abcde"), "2022-06-01").engine, "kk")[0]

    assert "Ministry (a, b, c): Ұстау (ереже: officials); күні: 2022-02-01" == text.title
    assert "Орган: Ministry." in text.body[0].splitlines()
    assert 3 == text.body[1].count("- ")
    assert [
        f"{own}: үкім заңды күшіне енгенге дейін кінәсіздік презумпциясы қолданылады." for own in "abc"
    ] == text.body[2].splitlines()


def test_a_first_line_names_three_people_and_the_number_of_the_others() -> None:
    """The presumption of all of them is below."""
    engine = House().judge(ministry("abcde"), "2022-06-01").engine
    content = notices(engine)[-1] | {"subjects": list("abcde")}

    text = word_notice(AlertNotice("open", content), background(engine), "en")

    assert "Ministry (a, b, c and others: 2): Detention (rule officials), since 2022-02-01" == text.title
    assert 5 == len(text.body[2].splitlines())


def test_the_person_of_the_anchor_is_named_first() -> None:
    """The other people follow by their ids; a fact of the evidence is not told twice."""
    related = stated("RelationAsserted", "2020-01-01", subject="z", other="b", relation="sibling")
    lines = [related, detained("2022-02-01", subject="z"), detained("2022-03-01", subject="b")]
    (text,) = texts(House().judge(map(at, lines), "2022-06-01").engine)

    assert text.title.startswith("z, b: Held, then a relative wanted or held")
    assert [f"{own}: presumed innocent until a final verdict." for own in "zb"] == text.body[2].splitlines()
    assert "Reason: a report completed the pattern of the rule." == text.body[3].splitlines()[-1]


def test_a_fact_says_that_the_person_was_absent_and_what_it_is_called() -> None:
    """An arrest in absence holds nobody, and another event has only its title."""
    core = {"occurred": "2022", "published": "2022", "sources": []}
    arrest = KnownFact("f", "a", "Arrested", core | {"in_absentia": True}, {})
    other = KnownFact("g", "a", "Noted", core | {"title": "Reprimand"}, {})
    known = Background({"f": arrest, "g": other}, {})
    lines = list(evidence_lines(["f", "g", "h"], known, load("en")))

    assert [
        "- a: Remand in custody ordered by a court (in the person's absence), 2022",
        "- a: Other event (“Reprimand”), 2022",
        "- a report that is not known (h)",
    ] == lines[::2]


def test_a_corrected_date_is_not_in_the_first_line_of_the_retraction() -> None:
    """Nobody was told the alert with the new date. The change names the date as it was first published."""
    first = at(dismissed("2022-03-01"))
    engine = told(NAMED, first)
    project(projector(engine), [at(corrected(first, "2022-12-05", occurred="2022-12-01", published="2022-12-02"))])
    text = texts(engine)[-1]

    assert "Correction, no longer stated: Ada Example: Dismissed, and nothing that followed is known" == text.title
    assert "It concerns this report, as first published: Ada Example: Dismissal, 2022-03-01" in text.body[3]


def test_an_end_names_the_fact_that_ended_it() -> None:
    """A detention ended the silence, and has its own source."""
    engine = told(NAMED, ENDED)
    project(projector(engine), [at(detained("2022-12-05"))])
    text = texts(engine)[-1]

    assert text.title.startswith("Ended: Ada Example: ")
    assert "Reason: a later event changed the situation.\n" in text.body[3]
    assert "- Ada Example: Detention, 2022-12-05\n  published 2022-12-05\n  source: “Decree”" in text.body[3]


def test_a_superseded_alert_says_that_nothing_new_is_known() -> None:
    """Its rule is not in force any more."""
    engine = told(NAMED, ENDED)
    Projector(engine, Rulebook(())).assign(instant("2022-12-05"))
    text = texts(engine)[-1]

    assert text.title.startswith("Not continued: Ada Example: ")
    assert (
        "This says nothing new about anybody.\nReason: the rule was changed, or is not in force any more." in text.plain
    )


@pytest.mark.parametrize(
    ("before", "start"),
    [
        ("resolved", "Open again: "),
        ("retracted", "Open again: "),
        ("open", "Open again, or grown: "),
        (None, "Open ag"),
    ],
)
def test_an_alert_of_one_person_opens_again(before: str | None, start: str) -> None:
    """The first line says so, for the addresses that were told of its end."""
    engine = told(NAMED, ENDED)
    (content,) = notices(engine)

    text = word_notice(AlertNotice("change", content, before=before), background(engine), "en")

    assert text.title.startswith(start)


@pytest.mark.parametrize(
    ("before", "start"),
    [("resolved", "Open again: "), ("open", "The group has grown: "), (None, "Open again, or grown: ")],
)
def test_a_group_opens_again_or_grows(before: str | None, start: str) -> None:
    """The state that the receiver was told before decides."""
    engine = House().judge(ministry("abc"), "2022-06-01").engine
    (content,) = notices(engine)

    text = word_notice(AlertNotice("change", content, before=before), background(engine), "en")

    assert text.title.startswith(f"{start}Ministry (a, b, c)")
    assert ("People in the evidence: 3." in text.body[3]) == (before != "resolved")


def test_a_reminder_says_since_when_the_alert_is_open() -> None:
    """It is worded from the alert as the tables have it, with its whole life."""
    engine = told(NAMED, ENDED)
    with engine.connect() as conn:
        (alert,) = alerts(conn, AlertFilter())
        known = background_of(conn, [alert])

    text = word_notice(AlertNotice("reminder", alert), known, "en")

    assert text.title.startswith("Still open: Ada Example: ")
    assert "The alert has been open since 2022-06-26 00:00 UTC." == text.body[3]


def test_the_sentence_is_in_the_language_of_the_receiver_if_the_rule_has_it() -> None:
    """Then nothing is said about languages."""
    engine = told(NAMED, ENDED)
    (content,) = notices(engine)
    notice = AlertNotice("open", content, sentences={"kk": "Қазақша сөйлем."})

    assert word_notice(notice, background(engine), "kk").body[0].startswith("Қазақша сөйлем.\nЕреже: ")
    assert "only available in Russian" in word_notice(
        AlertNotice("open", content, language_of_rule="ru"), background(engine), "en"
    ).body[0]  # fmt: skip


def test_a_cleared_person_in_kazakh() -> None:
    """The first line has the name, the news and the day of the fact; the presumption is that of now."""
    engine = told(NAMED, ENDED)
    known = background(engine)
    person = known.people["a"]._replace(presumption="cleared")

    text = word_person("cleared", "a", ENDED["id"], Background(known.facts, {"a": person}), "kk")

    assert "Ada Example: Барлық айыптау жойылды; күні: 2022-03~" == text.title
    assert (
        "Ada Example: барлық айыптау жойылды. Әрқайсысы ақтау үкімімен немесе ақтайтын негіз бойынша аяқталды."
        == text.body[1]
    )


def test_a_digest_groups_the_alerts_by_person() -> None:
    """Each person has their standing once, then each alert with its evidence; the ends stand behind."""
    other = at(dismissed("2022-03-02", subject="b"))
    engine = told(NAMED, ENDED, other)
    opened = [AlertNotice("open", content) for content in notices(engine)]
    project(projector(engine), [at(retracted(other, "2022-12-05"))])
    ended = AlertNotice("retracted", notices(engine)[-1])

    text = word_digest("2022-12-05", opened, [ended], background(engine), "en")

    assert "Digest of 2022-12-05. Open alerts: 2, ended: 1" == text.title
    assert [
        "Open alerts",
        "Ada Example: presumed innocent until a final verdict.",
        "Ada Example: Dismissed, and nothing that followed is known, since 2022-03~",
        "b: presumed innocent until a final verdict.",
        "b: Dismissed, and nothing that followed is known, since 2022-03-02",
        "Ended since the last digest",
        "b: presumed innocent until a final verdict.",
        "Correction, no longer stated: b: Dismissed, and nothing that followed is known, since 2022-03-02",
    ] == [paragraph.splitlines()[0] for paragraph in text.body]
    assert "A correction: we told you of this alert." in text.body[-1]


def test_a_digest_states_the_standing_of_everybody_in_a_group() -> None:
    """A group stands behind the people, and each person in it has their standing once."""
    engine = House().judge(ministry("abcdef"), "2022-06-01").engine
    opened = [AlertNotice("open", content) for content in notices(engine)]

    text = word_digest("2022-12-05", opened, [], background(engine), "en")

    assert ("Open alerts", "Alerts about several people") == text.body[:2]
    people = {own for notice in opened for own in notice.alert["subjects"]}
    assert sorted(f"{own}: presumed innocent until a final verdict." for own in people) == text.body[-1].splitlines()


def test_a_summary_lists_each_opening_with_its_sources() -> None:
    """The number is in the first line."""
    engine = told(NAMED, ENDED, at(dismissed("2022-03-02", subject="b")))

    text = word_summary([AlertNotice("open", content) for content in notices(engine)], background(engine), "en")

    assert "Alerts opened within a minute: 2" == text.title
    assert 2 == text.plain.count("source: “Decree”")
    assert "b: presumed innocent until a final verdict." in text.body[-1]


def test_the_texts_about_nobody() -> None:
    """A week without alerts, a receiver that fails, and a test."""
    report = word_report("2022-05-02", "2022-05-08", 41, 7, "en")
    failure = word_failure("desk", "2022-07-03T00:00:00Z", 12, "503\nbusy", "en")

    assert "We looked, and nothing happened: 2022-05-02 to 2022-05-08" == report.title
    assert "Facts read: 41. People they are about: 7." == report.body[0]
    assert "Receiver desk has failed since 2022-07-03 00:00 UTC" == failure.title
    assert "Last answer: 503 busy" == failure.body[1]
    assert "Test message to desk: nothing has happened" == word_test("desk", "en").title
    for language in LANGUAGES:
        assert language == word_test("desk", language).language == word_report("a", "b", 1, 2, language).language


def test_a_name_from_right_to_left_is_isolated() -> None:
    """Otherwise the date behind it would move in front of it."""
    (text,) = texts(told(at(described("2022-01-01", name="דוגמה")), ENDED))

    assert text.title.startswith("\u2068דוגמה\u2069: Dismissed")


@pytest.fixture(scope="module")
def grouped() -> tuple[Any, Background]:
    """Return the notice of a group, and its facts and people."""
    engine = House().judge(ministry("abc"), "2022-06-01").engine
    return notices(engine)[0], background(engine)


@given(HOSTILE, st.sampled_from(LANGUAGES))
def test_no_text_from_outside_breaks_a_line(grouped: tuple[Any, Background], hostile: str, language: str) -> None:
    """Line breaks, direction marks and braces in names, sources and rules change neither the lines nor their number."""
    content, known = grouped
    outside = f"x{hostile}x"
    source = {"publisher": outside, "title": outside, "url": "https://news.example/1"}
    facts = {
        own: fact._replace(data={**fact.data, "occurred_text": outside, "sources": [source]})
        for own, fact in known.facts.items()
    }
    people = {own: person._replace(name=outside) for own, person in known.people.items()}
    broken = {**content, "group": outside, "rule": outside, "explanation": outside}

    text = word_notice(AlertNotice("open", broken), Background(facts, people), language)
    wanted = word_notice(AlertNotice("open", content), known, language)

    assert [text.title] == text.title.splitlines()
    assert [len(paragraph.splitlines()) for paragraph in wanted.body] == [
        len(paragraph.splitlines()) for paragraph in text.body
    ]
    assert not set(text.plain) & set("\u202e\u2066\u2067\u2068\u2069\u200f\u2028\u2029\ufeff\x1b\x85")
    if "{" in hostile and not set(hostile) - set("aб{}"):
        assert outside in text.title
