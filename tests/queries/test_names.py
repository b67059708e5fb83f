"""A name is found however it is written: by letters that people take for one another, on both databases."""

# ruff: noqa: RUF001 - letters that look alike are what this is about
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
    """No mark of a search_form letter is left over, or the name would be found by nobody who types it."""
    assert search_form(typed) == search_form(written)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Майя", "Маия"), ("Йод", "Иод"), ("\u0130\u015f", "is"), ("\u00cbl", "el"), ("ї", "і"), ("ivan ov", "ivanov")],
)
def test_letters_that_only_look_alike_stay_apart(one: str, other: str) -> None:
    """The folding joins what is written for one another, not every letter with a mark and the one without."""
    assert search_form(one) != search_form(other)


@given(st.text())
@example("\u0130\u0307")
@example("i\u200b\u0307\u0301")
@example("\u0390\u0345")
def test_a_folded_name_folds_to_itself(name: str) -> None:
    """In whatever normal form it came: stored names and typed ones meet in one place."""
    once = search_form(name)

    assert once == search_form(once)
    assert once == search_form(unicodedata.normalize("NFC", name))
    assert once == search_form(unicodedata.normalize("NFD", name))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with people whose names are written in other ways than they are typed."""
    engine = open_database(database_url)
    migrate(engine)
    projector = builders.projector(engine)
    for subject, name in PEOPLE.items():
        told = {"subject": subject, "agency": name, "jurisdiction": name}
        builders.project(projector, [described("2022-01-01", name=name, **told), dismissed("2022-01-02", **told)])
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
    """In the rows and in the fold for a moment."""
    with snapshot(engine) as conn:
        assert expected == [found["subject_id"] for found in statuses(conn, Filter(name=typed), moment)]


@pytest.mark.parametrize("moment", [NOW, FAR])
def test_an_agency_and_a_jurisdiction_are_found_as_a_name_is(engine: Engine, moment: AsOf) -> None:
    """For statuses and for alerts: the part of an agency's name, and the whole of a jurisdiction's."""
    with snapshot(engine) as conn:
        of = [found["subject_id"] for found in statuses(conn, Filter(agency="ИВАН ПЕТРОВ"), moment)]
        whole = [found["subject_id"] for found in statuses(conn, Filter(jurisdiction="ФЕДОР  БЕРЕЗОВ"), moment)]
        about = [found["subject_id"] for found in alerts(conn, AlertFilter(agency="I\u015eIQLI"))]

    assert (["hidden"], ["yo"], ["az"]) == (of, whole, about)
