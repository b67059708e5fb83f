"""The facts and the people of notices: for their texts, and for the routes and silences that select them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, RowMapping, Table, select

from projections.history.corrections import ABOUT_FACTS, apply_corrections
from projections.tables.database import in_values, values_parameter
from projections.tables.ledger_rows import facts_about_facts, facts_with_ids
from projections.tables.schema import LIVE
from projections.tracks.cases import CRIMINAL

Content: TypeAlias = Mapping[str, Any]
"""The JSON of a notice in the outbox: of a change of an alert (`NoticeJson`), or of a person."""

_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "jurisdictions": ("jurisdiction",),
    "agencies": ("agency", "to_agency"),
    "regions": ("region",),
}
"""By facet, the fields of a fact and the columns of a post that state it."""


class KnownFact(NamedTuple):
    """
    A fact that a notice speaks of.

    Attributes:
        fact_id, subject_id, type: its id, its person and its type.
        data: its data in force; the data as published, if it was taken back.
        first: its data as published.
        is_taken_back: whether a retraction of it is in force.
        kind: the kind of its case: criminal (also where no source says, or it has no case), disciplinary, ...
    """

    fact_id: str
    subject_id: str
    type: str
    data: Mapping[str, Any]
    first: Mapping[str, Any]
    is_taken_back: bool = False
    kind: str = CRIMINAL


class KnownPerson(NamedTuple):
    """
    A person that a notice is about, as the tables have them now.

    Attributes:
        subject_id: the person.
        name: the latest known name; None: none is known.
        presumption: presumed_innocent, convicted_not_final, convicted or cleared.
        open_cases: the number of criminal cases that are open.
    """

    subject_id: str
    name: str | None = None
    presumption: str = "presumed_innocent"
    open_cases: int = 0


class Background(NamedTuple):
    """The facts and the people that a batch of notices speaks of, by their ids."""

    facts: Mapping[str, KnownFact]
    people: Mapping[str, KnownPerson]


def background_of(conn: Connection, notices: Sequence[Content]) -> Background:
    """Return all that the texts of *notices* need, by five statements at most for all of them."""
    subject_ids = {subject_id for content in notices for subject_id in people_of(content)}
    people = dict.fromkeys(sorted(subject_ids))
    rows = _rows(conn, LIVE.subjects, subject_ids)
    columns = KnownPerson._fields
    known = {row["subject_id"]: KnownPerson(*(row[name] for name in columns)) for row in rows}
    facts = _facts(conn, {fact_id for content in notices for fact_id in _all_fact_ids(content)}, subject_ids)
    cases = _rows(conn, LIVE.cases, {fact.subject_id for fact in facts.values()})
    kinds = {(row["subject_id"], row["case_id"]): row["kind"] for row in cases}
    facts = {
        own: fact._replace(kind=kinds.get((fact.subject_id, fact.data.get("case_id")), CRIMINAL))
        for own, fact in facts.items()
    }
    return Background(facts, {own: known.get(own) or KnownPerson(own) for own in people})


def facets_of(conn: Connection, notices: Sequence[Content]) -> list[dict[str, frozenset[str]]]:
    """
    Return the facets of each of *notices*, by four statements for all of them.

    The keys are subjects, types, jurisdictions, agencies and regions. The facts of the evidence state the last three,
    and so do the posts of the people and their own rows.
    """
    subject_ids = {subject_id for content in notices for subject_id in people_of(content)}
    fact_ids = {fact_id for content in notices for fact_id in content.get("evidence", ())}
    facts = _facts(conn, fact_ids, subject_ids)
    stated: dict[str, list[RowMapping]] = {subject_id: [] for subject_id in subject_ids}
    for table in (LIVE.subjects, LIVE.posts):
        for row in _rows(conn, table, subject_ids):
            stated[row["subject_id"]].append(row)
    return [_facets(content, facts, stated) for content in notices]


def people_of(content: Content) -> Sequence[str]:
    """Return the people that a notice is about: those in the evidence of its alert, or its one person."""
    people: Sequence[str] = content.get("subjects") or [content["subject_id"]]
    return people


def _facets(
    content: Content, facts: Mapping[str, KnownFact], stated: Mapping[str, Iterable[RowMapping]]
) -> dict[str, frozenset[str]]:
    people = people_of(content)
    evidence = [facts[fact_id] for fact_id in content.get("evidence", ()) if fact_id in facts]
    places: list[Mapping[Any, Any]] = [
        *(fact.data for fact in evidence),
        *(row for own in people for row in stated[own]),
    ]
    return {
        "subjects": frozenset(people),
        "types": frozenset(fact.type for fact in evidence),
        **{
            facet: frozenset(place[name] for place in places for name in names if place.get(name))
            for facet, names in _PLACES.items()
        },
    }


def _all_fact_ids(content: Content) -> Iterable[str]:
    """Return the facts in the evidence, the anchor, and the facts that brought the changes about."""
    changes = [change["fact_id"] for change in content.get("life", ())]
    return filter(None, (*content.get("evidence", ()), content.get("anchor"), content.get("fact_id"), *changes))


def _facts(conn: Connection, fact_ids: Iterable[str], subject_ids: Iterable[str]) -> dict[str, KnownFact]:
    facts = {fact.id: fact for fact in facts_with_ids(conn, fact_ids)}
    targets = {fact.data["fact_id"] for fact in facts.values() if fact.type in ABOUT_FACTS} - facts.keys()
    if targets:
        facts |= {fact.id: fact for fact in facts_with_ids(conn, targets)}
    everybody = {*subject_ids, *(fact.subject for fact in facts.values())}
    corrections = apply_corrections(facts | {fact.id: fact for fact in facts_about_facts(conn, everybody)})
    in_force = {fact.id: fact for fact in corrections.facts}
    gone = corrections.retracted_by
    return {
        own: KnownFact(own, fact.subject, fact.type, in_force.get(own, fact).data, fact.data, own in gone)
        for own, fact in facts.items()
    }


def _rows(conn: Connection, table: Table, subject_ids: Iterable[str]) -> Sequence[RowMapping]:
    query = select(table).where(in_values(conn.dialect.name, table.c.subject_id))
    return conn.execute(query, values_parameter(conn, subject_ids)).mappings().all()
