"""Follow-ups about another person: relations in force, order, time, conditions, ends and evidence."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.edtf import Span
from projections.across.contribution import contributions_of
from projections.across.pairs import PairFinding, Side, pair_findings
from projections.across.relations import Relation, relations_of, relations_to
from projections.rules.patterns.across import OfRule
from tests.oracle import across_oracle as oracle
from tests.oracle.limits import Entry, length_at
from tests.support.across import relating, step
from tests.support.builders import (
    Line,
    accused,
    acquitted,
    detained,
    history,
    instant,
    released,
    retracted,
    stated,
    wanted,
)


def asserted(other: str, relation: str = "sibling", day: str = "2022-01-01", **keys: Any) -> Line:
    """Return an assertion that *other* is the *relation* of the subject."""
    name = f"asserted {keys.get('subject', 'a')} {other} {relation} {day}"
    return stated("RelationAsserted", day, id=name, other=other, relation=relation, **keys)


def withdrawn(other: str, relation: str = "sibling", day: str = "2022-01-02", **keys: Any) -> Line:
    """Return a withdrawal of the same."""
    name = f"withdrawn {keys.get('subject', 'a')} {other} {relation} {day}"
    return stated("RelationWithdrawn", day, id=name, other=other, relation=relation, **keys)


def side(rule: OfRule, *lines: Line) -> Side:
    """Return one of the people, with its own *lines*."""
    state = step(rule, *lines)
    return Side(contributions_of(rule, state), state.history.counting, state.status.clearing())


def links(subject: str, *lines: Line) -> list[Relation]:
    """Return the relations to *subject* that *lines* of several people assert."""
    people = {line["subject"] for line in lines}
    own = {one: relations_of(history(*(line for line in lines if line["subject"] == one))) for one in people}
    return relations_to(subject, own.pop(subject, []), [one for relations in own.values() for one in relations])


def found(rule: OfRule, *lines: Line) -> list[PairFinding]:
    """Return the findings about the person a, from *lines* of several people."""
    people = sorted({line["subject"] for line in lines})
    sides = {one: side(rule, *(line for line in lines if line["subject"] == one)) for one in people}
    return pair_findings(rule, sides.pop("a"), sides, links("a", *lines))


def values(findings: list[PairFinding]) -> list[str]:
    """Return the values of *findings*."""
    return [finding.value for finding in findings]


HELD = detained("2022-02-01")
SOUGHT = wanted("2022-03-01", subject="b")


def test_a_sibling_who_is_wanted_completes_the_pattern() -> None:
    """The evidence has the facts of both people and that of the relation, once each."""
    (finding,) = found(relating(), HELD, SOUGHT, asserted("b"))

    assert finding.value == "standing"
    assert finding.evidence == (HELD["id"], "asserted a b sibling 2022-01-01", SOUGHT["id"])
    assert finding.told is not None
    assert finding.told.relation == "sibling"


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ([], "void"),
        ([asserted("b", "spouse")], "void"),
        ([asserted("c")], "void"),
        ([asserted("a")], "void"),
        ([asserted("a", subject="b")], "standing"),
        ([asserted("b", "parent")], "standing"),
        ([asserted("a", "child", subject="b")], "standing"),
        ([asserted("b", "child")], "void"),
        ([asserted("a", "parent", subject="b")], "void"),
        ([asserted("a", "subordinate", subject="b")], "standing"),
        ([asserted("b"), withdrawn("b")], "void"),
        ([asserted("b", day="2022-01-03"), withdrawn("b")], "standing"),
        ([asserted("b"), withdrawn("b", "parent")], "standing"),
        ([asserted("b"), withdrawn("a", subject="b")], "standing"),
        ([asserted("b"), withdrawn("b", day="2023-01-01", published="2023-01-01")], "void"),
        ([asserted("b", day="2023-01-01", published="2023-01-01")], "standing"),
        ([asserted("b", day="XXXX-01-01")], "standing"),
        ([asserted("b"), withdrawn("b", day="XXXX-01-01")], "void"),
        ([asserted("b"), retracted(asserted("b"))], "void"),
        ([withdrawn("b", day="2022-01-01"), retracted(withdrawn("b", day="2022-01-01")), asserted("b")], "standing"),
    ],
)
def test_relations_in_force(lines: list[Line], value: str) -> None:
    """The last word of a history counts, in either direction with its inverse, whatever the date of the relation."""
    assert values(found(relating(), HELD, SOUGHT, *lines)) == [value]


@pytest.mark.parametrize(
    ("follow", "certain", "possible"),
    [
        (wanted("2022-01-31", subject="b"), "void", "void"),
        (wanted("2022-02-01", subject="b"), "void", "standing"),
        (wanted("2022-02-02", subject="b"), "standing", "standing"),
        (wanted("2022-02", subject="b"), "void", "standing"),
        (wanted("2022-07-30", subject="b"), "standing", "standing"),
        (wanted("2022-07-31", subject="b"), "void", "standing"),
        (wanted("2022-08-01", subject="b"), "void", "void"),
        (wanted("2022-03-01~", subject="b"), "void", "standing"),
        (wanted("XXXX-03-01", subject="b"), "void", "void"),
        (wanted("2022-02-02T13:00:00Z", subject="b"), "void", "standing"),
        (wanted("2022-02-02T14:00:00Z", subject="b"), "standing", "standing"),
        (stated("Charged", "2022-03-01", subject="b", case="x"), "void", "void"),
        (wanted("2022-03-01", subject="c"), "void", "void"),
    ],
)
def test_order_and_time(follow: Line, certain: str, possible: str) -> None:
    """The follow-up is in order and in time, as in one history."""
    for certainty, value in (("certain", certain), ("possible", possible)):
        assert values(found(relating(certainty=certainty), HELD, follow, asserted("b"))) == [value]


def test_a_relation_known_late_completes_at_its_recording() -> None:
    """The pattern is known once both events and the relation are; the earliest assertion counts."""
    late = asserted("b", recorded="2022-09-01T00:00:00Z")
    later = asserted("a", subject="b", recorded="2022-10-01T00:00:00Z")
    (finding,) = found(relating(), HELD, SOUGHT, late, later)

    assert finding.completing[0].known == instant("2022-09-01T00:00:00Z")
    assert {late["id"], later["id"]} < {*finding.evidence}


def test_over_is_an_event_of_the_other_person() -> None:
    """The end of the follow-up ends the pattern, an event of the subject does not."""
    rule = relating(over=["Released"])

    assert values(found(rule, HELD, SOUGHT, asserted("b"), released("2022-04-01"))) == ["standing"]
    assert values(found(rule, HELD, SOUGHT, asserted("b"), released("2022-04-01", subject="b"))) == ["ended"]
    assert values(found(rule, HELD, SOUGHT, asserted("b"), released("2022-03", subject="b"))) == ["standing"]


@pytest.mark.parametrize("person", ["a", "b"])
def test_either_person_can_be_cleared(person: str) -> None:
    """Nothing more is said of the two once one of them is cleared."""
    cleared = [accused("2022-01-05", subject=person), acquitted("2022-04-05", subject=person, final=True)]

    assert values(found(relating(), HELD, SOUGHT, asserted("b"), *cleared)) == ["ended"]


@pytest.mark.parametrize("person", ["a", "b"])
def test_an_acquittal_before_the_own_event_ends_nothing(person: str) -> None:
    """A person who was cleared of something earlier can still be a part of the pattern."""
    cleared = acquitted("2019-04-05", subject=person, final=True)
    free = [released("2022-12-01", subject=one) for one in "ab"]

    assert values(found(relating(), HELD, detained("2022-03-01", subject="b"), asserted("b"), cleared, *free)) == (
        ["standing"]
    )


def test_one_of_two_relatives_is_enough() -> None:
    """The first follow-up that has not ended is told, and all are evidence."""
    lines = [HELD, SOUGHT, wanted("2022-04-01", subject="c"), asserted("b"), asserted("c", "parent")]
    (finding,) = found(relating(over=["Released"]), *lines, released("2022-03-05", subject="b"))

    assert finding.told is not None
    assert (finding.value, finding.told.held.subject_id, len(finding.completing)) == ("standing", "c", 2)


def test_the_closest_relation_is_told() -> None:
    """Of two relations of one person, that which comes first in the vocabulary is told."""
    lines = [HELD, SOUGHT, asserted("b", "relative"), asserted("b", "parent")]
    (finding,) = found(relating(["relative", "parent"]), *lines)

    assert finding.told is not None
    assert finding.told.relation == "parent"


def test_by_names_the_accuser() -> None:
    """With `of: by` the follow-up is about the person whom a report of the anchor names, and needs no relation."""
    rule = relating("by", on=["Accused"])
    anchor = accused("2022-02-01", by={"subject_id": "b"})

    (finding,) = found(rule, anchor, SOUGHT)
    assert (finding.value, finding.evidence) == ("standing", (anchor["id"], SOUGHT["id"]))
    assert values(found(rule, anchor, wanted("2022-03-01", subject="c"))) == ["void"]
    assert found(rule, accused("2022-02-01", by={"name": "B"}), SOUGHT) == []
    assert found(rule, accused("2022-02-01", by={"subject_id": "a"}), SOUGHT) == []
    assert found(rule, accused("2022-02-01"), SOUGHT) == []
    assert found(relating("by", on=["AppealFiled"]), stated("AppealFiled", "2022-02-01", case="x", by="defence")) == []


def test_where_and_same_compare_the_two() -> None:
    """The conditions name facts of both people."""
    lines = [detained("2022-02-01", case="x"), asserted("b")]
    one, other = wanted("2022-03-01", subject="b", case="x"), wanted("2022-03-01", subject="b", case="y")

    assert values(found(relating(same=["case_id"]), *lines, one)) == ["standing"]
    assert values(found(relating(same=["case_id"]), *lines, other)) == ["void"]
    assert values(found(relating(where={"then.case_id": "y"}), *lines, other)) == ["standing"]
    assert values(found(relating(where={"then.case_id": {"same_as": "anchor.case_id"}}), *lines, other)) == ["void"]
    assert found(relating(where={"anchor.case_id": "y"}), *lines, one) == []
    assert values(found(relating(where={"any": [{"same": "case_id"}, {"then.case_id": "y"}]}), *lines, other)) == [
        "standing"
    ]


def test_unless_looks_at_the_anchor_of_the_subject() -> None:
    """The status before the anchor exempts it, as in one history."""
    rule = relating(unless={"wanted": ["national"]})

    assert found(rule, wanted("2022-01-20"), HELD, SOUGHT, asserted("b")) == []
    assert values(found(rule, HELD, SOUGHT, asserted("b"))) == ["standing"]


DATES = ("2022-02-01", "2022-02-02", "2022-02", "2022-02-03~", "2022-02-02T10:00:00Z", "2022-02-20", "../2022-02-05")
RELATED = ("sibling", "parent", "child", "superior")


ENTRIES = [
    Entry("kz", date(1, 1, 1), date(2022, 2, 2), timedelta(days=3), timedelta(days=25)),
    Entry("kz", date(2022, 2, 3), None, timedelta(days=19), None),
]
LIMIT = {
    "limit": "time",
    "entries": [
        {"jurisdiction": "KZ", "from": one.since, "until": one.until, "value": one.value, "longest": one.longest}
        | {"source": "Law"}
        for one in ENTRIES
    ],
}
PLACES: list[dict[str, str]] = [{"jurisdiction": "KZ"}, {"jurisdiction": "KZ"}, {"jurisdiction": "KG"}, {}]


def lengths(anchors: list[Line], rule: OfRule, within: object) -> dict[str, tuple[Span, timedelta]]:
    """Return the span and the time of each anchor that has a time, with its law looked up day by day."""
    laws = {line["id"]: line["data"]["jurisdiction"].casefold() for line in anchors if "jurisdiction" in line["data"]}
    reading = "shortest" if rule.certainty == "certain" else "possible"
    events = {}
    for one in side(relating(rule.of), *anchors).contributions:
        places = {laws[report] for report in one.reports if report in laws}
        length = length_at(ENTRIES, places, one.occurred, reading) if within is LIMIT else timedelta(days=10)
        if one.role == "anchor" and length is not None:
            events[one.fact_id] = (one.occurred, length)
    return events


@pytest.mark.parametrize("within", [10 * 86400, LIMIT], ids=["fixed", "limit"])
@settings(max_examples=150, deadline=None)
@given(data=st.data(), certain=st.booleans(), of=st.lists(st.sampled_from(RELATED), min_size=1, unique=True))
def test_pairs_have_the_result_of_the_definitions(
    within: object,
    data: st.DataObject,
    certain: bool,  # noqa: FBT001
    of: list[str],
) -> None:
    """Any relations of three people, and any dates and laws: each pair of facts is asked by the definitions."""
    rule = relating(of, certainty="certain" if certain else "possible", within=within)
    people = "abc"
    said: dict[str, list[oracle.Link]] = {person: [] for person in people}
    lines = []
    for number in range(data.draw(st.integers(0, 6))):
        person, other = data.draw(st.sampled_from(people)), data.draw(st.sampled_from(people))
        relation, is_asserted = data.draw(st.sampled_from(RELATED)), data.draw(st.booleans())
        build = asserted if is_asserted else withdrawn
        lines.append(build(other, relation, f"2022-01-{number + 1:02}", subject=person))
        if other != person:
            said[person].append(oracle.Link(person, other, relation, is_asserted))
    anchors = [
        detained(day, id=f"on {day}", **data.draw(st.sampled_from(PLACES)))
        for day in data.draw(st.lists(st.sampled_from(DATES), max_size=3, unique=True))
    ]
    follows = [
        wanted(day, subject=person, id=f"{person} {day}")
        for person in people[1:]
        for day in data.draw(st.lists(st.sampled_from(DATES), max_size=2, unique=True))
    ]
    findings = {
        finding.anchor.fact_id: {follow.held.fact_id for follow in finding.completing}
        for finding in (found(rule, *lines, *anchors, *follows) if any(anchors) else [])
    }

    events = lengths(anchors, rule, within)
    later = {
        one.fact_id: (person, one.occurred)
        for person in people[1:]
        for one in side(rule, *(line for line in follows if line["subject"] == person)).contributions
    }
    assert findings == {
        anchor: {
            fact_id
            for fact_id, (person, occurred) in later.items()
            if oracle.related("a", person, said.values(), of) and oracle.follows(at, occurred, length, certain=certain)
        }
        for anchor, (at, length) in events.items()
    }
