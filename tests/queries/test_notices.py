"""The facts, the people and the facets of notices, as routes, silences and texts read them."""

from sqlalchemy import Engine, event

from projections.queries.notices import background_of, facets_of
from tests.support.builders import (
    appointed,
    corrected,
    described,
    dismissed,
    project,
    projector,
    retracted,
    stated,
)
from tests.support.correlating import House, ministry
from tests.support.noticed import POST, at, background, notices, told

ENDED = dismissed("2022-03-01", agency="Police", jurisdiction="KZ", recorded="2022-03-01T12:00:00Z")


def facets(engine: Engine) -> list[dict[str, frozenset[str]]]:
    """Return the facets of every notice in the outbox."""
    with engine.connect() as conn:
        return facets_of(conn, notices(engine))


def test_the_facets_are_those_of_the_evidence_and_of_the_posts() -> None:
    """The agency of the dismissal and that of another post both count; a fact outside of the evidence does not."""
    elsewhere = stated("Noted", "2021-05-01", title="t", jurisdiction="RU", recorded="2021-05-02T00:00:00Z")
    engine = told(appointed("2020", recorded="2021-01-02T00:00:00Z", **POST), elsewhere, ENDED)

    (own,) = facets(engine)

    assert frozenset({"a"}) == own["subjects"]
    assert frozenset({"Dismissed"}) == own["types"]
    assert frozenset({"KZ"}) == own["jurisdictions"]
    assert frozenset({"Police", "Customs"}) == own["agencies"]
    assert frozenset({"North"}) == own["regions"]


def test_the_facets_are_those_of_the_data_in_force() -> None:
    """A corrected agency is the agency: the wrong one selects nothing."""
    engine = told(ENDED, corrected(ENDED, "2022-03-05", recorded="2022-03-05T12:00:00Z", agency="Treasury"))

    assert [frozenset({"Treasury"})] == [own["agencies"] for own in facets(engine)]


def test_a_group_alert_has_the_facets_of_all_its_people() -> None:
    """A route that fits any person in the evidence fits."""
    house = House().judge(ministry("abc"), "2022-06-01")

    (own,) = facets(house.engine)

    assert frozenset("abc") == own["subjects"]
    assert frozenset({"Detained"}) == own["types"]
    assert frozenset({"Ministry"}) == own["agencies"]


def test_a_notice_of_a_person_has_the_facets_of_the_posts() -> None:
    """The notice that a person is cleared has no evidence."""
    engine = told(appointed("2020", recorded="2021-01-02T00:00:00Z", **POST))

    with engine.connect() as conn:
        (own,) = facets_of(conn, [{"subject_id": "a"}])

    assert (frozenset({"a"}), frozenset(), frozenset({"Customs"})) == (own["subjects"], own["types"], own["agencies"])


def test_a_transfer_has_both_agencies() -> None:
    """A route that names the new agency fits, even if the transfer was taken back and no post is there."""
    moved = at(stated("Transferred", "2022-03-01", agency="Police", to_agency="Court"))
    engine = told(moved, at(retracted(moved, "2022-03-05")))

    with engine.connect() as conn:
        (own,) = facets_of(conn, [{"subject_id": "a", "evidence": [moved["id"]]}])

    assert frozenset({"Police", "Court"}) == own["agencies"]


def test_the_background_has_the_fact_that_a_correction_is_about() -> None:
    """It need not be in the evidence; and a fact of another person is in force too as corrected."""
    wrong = at(stated("Noted", "2022-02-01", title="t", subject="b"))
    engine = told(ENDED, wrong, at(corrected(wrong, "2022-02-05", title="u")))
    (content,) = notices(engine)
    change = {**content["life"][0], "fact_id": f"corrected {wrong['id']} 2022-02-05"}

    with engine.connect() as conn:
        known = background_of(conn, [{**content, "life": [change]}])

        alone = background_of(conn, [{"subject_id": "a", "fact_id": wrong["id"]}])

    assert "u" == alone.facts[wrong["id"]].data["title"]
    assert ("u", "t") == (known.facts[wrong["id"]].data["title"], known.facts[wrong["id"]].first["title"])


def test_the_background_has_the_names_the_presumption_and_the_facts_in_force() -> None:
    """A corrected fact has its new date, and its person the name of the description."""
    named = described("2022-01-01", name="Ada Example", recorded="2022-01-01T12:00:00Z")
    engine = told(named, ENDED, corrected(ENDED, "2022-03-05", recorded="2022-03-05T12:00:00Z", occurred="2022-02-27"))

    known = background(engine)

    assert ("Ada Example", "presumed_innocent") == known.people["a"][1:3]
    assert "2022-02-27" == known.facts[ENDED["id"]].data["occurred"]


def test_the_background_of_a_retracted_alert_has_the_retraction_and_its_reason() -> None:
    """The text says what was wrong: the fact that was taken back, and the fact that did so."""
    wrong = retracted(ENDED, "2022-12-05", recorded="2022-12-05T12:00:00Z")
    engine = told(ENDED)
    project(projector(engine), [wrong])

    known = background(engine)

    assert known.facts[ENDED["id"]].is_taken_back
    assert "wrong" == known.facts[wrong["id"]].data["reason"]


def test_the_number_of_statements_does_not_depend_on_the_number_of_notices() -> None:
    """A batch of a thousand notices costs as many questions as one."""
    people = [stated("Dismissed", "2022-03-01", subject=name, recorded="2022-03-01T12:00:00Z") for name in "abcdefgh"]
    engine = told(*people)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))

    with engine.connect() as conn:
        contents = notices(engine)
        asked.clear()
        facets_of(conn, contents)
        background_of(conn, contents)

    assert 8 == len(contents)
    assert 8 == sum(statement.startswith("SELECT") for statement in asked)
