"""A name is found in any spelling with letters that people write for one another, on both databases."""

# ruff: noqa: RUF001 - letters that look alike are the subject of these tests
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Engine

from events.text import search_form
from projections.queries.alerts import AlertFilter, alerts
from projections.queries.subjects import Filter, statuses
from projections.subjects.view import NOW, AsOf
from projections.tables.database import open_database, snapshot
from services.database import migrate
from tests.support import builders
from tests.support.builders import described, dismissed, instant

FAR = AsOf(known_at=instant("2040"))
ISHIQLI = "\u0130smay\u0131l I\u015f\u0131ql\u0131"
YORDANOV = "Йорданов"
PEOPLE = {
    "az": ISHIQLI,
    "hidden": "Ив\u200bан Пет\u00adров",
    "blanks": "Иван   Пробелов",
    "unbroken": "Иван\u00a0Сидоров",
    "yo": "Фёдор Берёзов",
    "decomposed": unicodedata.normalize("NFD", YORDANOV),
}


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        (ISHIQLI, "ismayil i\u015fiqli"),
        (ISHIQLI, "ISMAYIL I\u015eIQLI"),
        (ISHIQLI, "\u0130SMAYIL I\u015eIQLI"),
        (ISHIQLI, unicodedata.normalize("NFD", ISHIQLI)),
        ("\u0130\u0327stanbul", "i\u0327stanbul"),
        ("Фёдор", "федор"),
        ("ФЁДОР", unicodedata.normalize("NFD", "Фёдор")),
        ("Федор", "Фёдор"),
        ("Ив\u200bан Пет\u00adров", "Иван Петров"),
        ("\ufeffИван\u2060ов\ufe0f", "Иванов"),
        ("Иван   Пробелов", "Иван Пробелов"),
        ("Иван\u00a0\u2003Сидоров\n", "иван сидоров"),
        (YORDANOV, unicodedata.normalize("NFD", YORDANOV)),
        ("и\u200b\u0306од", "йод"),
        ("Straße", "ＳＴＲＡＳＳＥ"),
        ("Ｋｉｍ", "kim"),
    ],
)
def test_spellings_that_a_reader_takes_for_one_name_are_one(written: str, typed: str) -> None:
    """The search form keeps no single mark of a letter, since a typed name would not have it."""
    assert search_form(typed) == search_form(written)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Майя", "Маия"), ("Йод", "Иод"), ("\u0130\u015f", "is"), ("\u00cbl", "el"), ("ї", "і"), ("ivan ov", "ivanov")],
)
def test_letters_that_only_look_alike_stay_apart(one: str, other: str) -> None:
    """The search form joins letters that are written for one another, not every letter with the one without a mark."""
    assert search_form(one) != search_form(other)


@given(st.text())
@example("\u0130\u0307")
@example("i\u200b\u0307\u0301")
@example("\u0390\u0345")
def test_the_search_form_of_a_search_form_is_itself(name: str) -> None:
    """It is the same for every normal form of Unicode, so stored names and typed ones are equal."""
    once = search_form(name)

    assert once == search_form(once)
    assert once == search_form(unicodedata.normalize("NFC", name))
    assert once == search_form(unicodedata.normalize("NFD", name))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return a database with names that are written in other ways than they are typed."""
    engine = open_database(database_url)
    migrate(engine)
    projector = builders.projector(engine)
    for subject, name in PEOPLE.items():
        fields = {"subject": subject, "agency": name, "jurisdiction": name}
        builders.project(projector, [described("2022-01-01", name=name, **fields), dismissed("2022-01-02", **fields)])
    projector.advance_watermark(instant("2023-01-01"), instant("2023-01-01"))
    yield engine
    engine.dispose()


@pytest.mark.parametrize("moment", [NOW, FAR])
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Ismayil", ["az"]),
        ("\u0130SMAYIL", ["az"]),
        ("i\u015fiql\u0131", ["az"]),
        ("Петров", ["hidden"]),
        ("иван пробелов", ["blanks"]),
        (" Иван  Сидоров ", ["unbroken"]),
        ("Федор Березов", ["yo"]),
        ("берёзов", ["yo"]),
        (YORDANOV, ["decomposed"]),
        (unicodedata.normalize("NFD", YORDANOV.upper()), ["decomposed"]),
        ("Иорданов", []),
    ],
)
def test_both_databases_find_a_name_as_it_is_typed(
    engine: Engine, moment: AsOf, typed: str, expected: list[str]
) -> None:
    """Names match in the rows, and in the fold for another moment."""
    with snapshot(engine) as conn:
        assert expected == [status["subject_id"] for status in statuses(conn, Filter(name=typed), moment)]


@pytest.mark.parametrize("moment", [NOW, FAR])
def test_an_agency_and_a_jurisdiction_are_found_as_a_name_is(engine: Engine, moment: AsOf) -> None:
    """A part of the agency's name matches, and the whole of the jurisdiction's, for statuses and for alerts."""
    with snapshot(engine) as conn:
        in_agency = [status["subject_id"] for status in statuses(conn, Filter(agency="ИВАН ПЕТРОВ"), moment)]
        in_place = [status["subject_id"] for status in statuses(conn, Filter(jurisdiction="ФЕДОР  БЕРЕЗОВ"), moment)]
        with_alert = [alert["subject_id"] for alert in alerts(conn, AlertFilter(agency="I\u015eIQLI"))]

    assert (["hidden"], ["yo"], ["az"]) == (in_agency, in_place, with_alert)
