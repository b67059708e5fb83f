"""The vocabulary: every type, its track, its rank and its fields are the same in the code and in the docs."""

import json
import re
from typing import Any
from unicodedata import category

import pytest

from events.decode import MAX_BYTES, complete
from events.edtf import parse
from events.errors import BadInput
from events.schemas import schema
from events.vocabulary import CURRENT_VERSION, DATA, RANK, TRACK_OF, TRACKS, data_problem, fields, nearest_type
from tests.support.places import ROOT
from tests.support.strategies import NOW

DOCS = (ROOT / "docs" / "facts.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE)
EXAMPLES = [line for kind, block in BLOCKS if kind == "ndjson" for line in block.splitlines()]
PROSE = re.sub(r"^```.*?^```", "", DOCS, flags=re.DOTALL | re.MULTILINE)

COMMON = {"occurred", "published", "sources", "case_id", "jurisdiction", "note", "ref", "occurred_text", "after"}
SERVICE = COMMON | {"post", "agency", "region", "post_id"}
CASE = COMMON | {"kind", "authority", "charges"}
CUSTODY = COMMON | {"authority", "place"}
MEASURE = COMMON | {"kind", "title", "authority", "program", "until"}
OTHER_FIELDS = {
    "Suspended": SERVICE | {"until"},
    "Removed": SERVICE | {"ground"},
    "Dismissed": SERVICE | {"ground"},
    "Elected": SERVICE | {"acting", "concurrent"},
    "Appointed": SERVICE | {"acting", "concurrent"},
    "Transferred": SERVICE | {"to_post", "to_agency", "to_post_id"},
    "Accused": CASE | {"by"},
    "PleaEntered": CASE | {"plea", "bargain"},
    "ChargesDropped": CASE | {"rehabilitating", "ground"},
    "TrialOpened": CASE | {"in_absentia"},
    "Convicted": CASE | {"final", "in_absentia"},
    "Acquitted": CASE | {"final", "in_absentia"},
    "Sentenced": CASE | {"sentence", "parts", "in_absentia"},
    "AppealFiled": CASE | {"by"},
    "VerdictUpheld": CASE | {"final"},
    "VerdictOverturned": CASE | {"outcome", "rehabilitating"},
    "SentenceChanged": CASE | {"sentence", "parts"},
    "CaseClosed": CASE | {"rehabilitating", "ground"},
    "Pardoned": CASE | {"scope"},
    "Wanted": CUSTODY | {"scope"},
    "WantedCancelled": CUSTODY | {"scope"},
    "Detained": CUSTODY | {"until"},
    "Arrested": CUSTODY | {"until", "in_absentia"},
    "HouseArrested": CUSTODY | {"until"},
    "Bailed": CUSTODY | {"amount", "currency", "conditions"},
    "MeasureLifted": MEASURE | {"fact_id"},
    "Corrected": COMMON | {"fact_id", "data"},
    "Retracted": COMMON | {"fact_id", "reason"},
    "SubjectDescribed": COMMON | {"name", "aliases", "post", "agency", "region", "born"},
    "RelationAsserted": COMMON | {"other", "relation", "relation_text"},
    "RelationWithdrawn": COMMON | {"other", "relation", "relation_text"},
    "ReplyRecorded": COMMON | {"fact_id", "text"},
    "Noted": COMMON | {"title", "text", "classes"},
}
NEEDED = {
    **{type_: {"case_id"} for type_ in TRACKS["case"]},
    "Corrected": {"fact_id", "data"},
    "Retracted": {"fact_id", "reason"},
    "RelationAsserted": {"other", "relation"},
    "RelationWithdrawn": {"other", "relation"},
    "ReplyRecorded": {"fact_id", "text"},
    "Noted": {"title"},
}
SHAPES = [*DATA, "sources", "charges", "parts", "by", "envelope"]


def bare(**more: object) -> dict[str, object]:
    """Return the least data that a fact can have, and *more*."""
    return {"occurred": "2022-04-25", "published": "2022-04-27", "sources": [{"title": "Gazette 17"}], **more}


def test_the_tracks_hold_the_types_of_the_design() -> None:
    """The order counts too: facts of one day are read in it, and a change would reorder histories."""
    assert {
        "service": "Suspended SuspensionLifted Removed Dismissed Resigned Retired TermEnded LeftOffice "
        "DismissalAnnulled Reinstated Elected Appointed Transferred Died",
        "case": "Accused AllegationWithdrawn MaterialsReferred InvestigationOpened InvestigationSuspended "
        "InvestigationResumed SuspectNamed Charged PleaEntered ChargesAmended ChargesDropped Indicted TrialOpened "
        "MistrialDeclared Convicted Acquitted Sentenced AppealFiled VerdictUpheld VerdictOverturned VerdictFinal "
        "ReviewRequested ReviewRefused SentenceChanged CaseClosed Amnestied Pardoned PardonAnnulled",
        "custody": "Wanted WantedCancelled Detained Arrested HouseArrested Bailed Released ExtraditionRequested "
        "ExtraditionRefused Extradited Imprisoned Paroled SentenceServed",
        "measure": "MeasureImposed MeasureLifted",
        "meta": "Corrected Retracted",
        "subject": "SubjectDescribed RelationAsserted RelationWithdrawn ReplyRecorded Noted",
    } == {track: " ".join(types) for track, types in TRACKS.items()}


def test_every_type_has_one_track_one_rank_and_a_version() -> None:
    """The tables are derived from one another, so that no table can lack a type."""
    types = [type_ for types in TRACKS.values() for type_ in types]

    assert types == list(DATA) == list(RANK) == list(TRACK_OF) == list(CURRENT_VERSION)
    assert list(range(64)) == [RANK[type_] for type_ in types]


def test_same_day_facts_read_as_they_happen_in_life() -> None:
    """Wanted, detained, arrested, released; accused, charged, convicted; out of one post and into the next."""
    assert RANK["Wanted"] < RANK["Detained"] < RANK["Arrested"] < RANK["Released"]
    assert RANK["Accused"] < RANK["Charged"] < RANK["Convicted"] < RANK["VerdictFinal"]
    assert RANK["Dismissed"] < RANK["LeftOffice"] < RANK["Reinstated"] < RANK["Appointed"] < RANK["Died"]


@pytest.mark.parametrize("type_", DATA)
def test_a_type_has_the_fields_of_the_design_and_no_others(type_: str) -> None:
    """The shapes are an interface: a field is added here on purpose, and none is removed."""
    by_track = {"service": SERVICE, "case": CASE, "custody": CUSTODY, "measure": MEASURE}

    assert OTHER_FIELDS.get(type_, by_track.get(TRACK_OF[type_])) == set(fields(type_))


@pytest.mark.parametrize("type_", DATA)
def test_a_type_needs_what_the_design_says_and_nothing_else(type_: str) -> None:
    """Unknown fields can be left out, except those without which the fact has no meaning."""
    needed = NEEDED.get(type_, set())
    values = {name: {} if name == "data" else "spouse" for name in needed}

    assert data_problem(type_, bare(**values)) is None
    for name in needed | {"occurred", "published", "sources"}:
        less = {field: value for field, value in bare(**values).items() if field != name}
        assert f"data.{name}: missing" in str(data_problem(type_, less))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_field_is_described(shape: str) -> None:
    """Descriptions are lower-case phrases without a full stop: they are printed in "missing (want ...)"."""
    for name, description in fields(shape).items():
        assert description, name
        assert not description.endswith("."), name


def test_data_that_does_not_fit_has_a_problem_that_names_the_place() -> None:
    """The new data of a correction is checked so when its target is known."""
    assert data_problem("Wanted", bare(scope="international")) is None
    assert data_problem("Wanted", bare(scope="local")) == (
        "data.scope: \"local\" does not fit (want 'national' or 'international')"
    )
    assert "data.scope: unknown field" in str(data_problem("Detained", bare(scope="national")))
    assert "is not a type" in str(data_problem("Sacked", bare()))
    assert data_problem("Wanted", [1]) == "data: [1] does not fit (want an object)"


CHOICES = {
    ("Convicted", "kind"): "criminal disciplinary administrative civil",
    ("AppealFiled", "by"): "prosecution defence other",
    ("PleaEntered", "plea"): "guilty not_guilty no_contest",
    ("VerdictOverturned", "outcome"): "remitted acquitted ended",
    ("Pardoned", "scope"): "full partial",
    ("WantedCancelled", "scope"): "national international",
    ("MeasureImposed", "kind"): "travel_ban judicial_control electronic_monitoring asset_freeze sanction debarment "
    "disqualification licence_revoked other",
    ("RelationAsserted", "relation"): "sibling spouse parent child relative associate subordinate superior",
}


@pytest.mark.parametrize(("type_", "field"), CHOICES)
def test_a_field_takes_the_words_of_the_design_and_no_others(type_: str, field: str) -> None:
    """A status with an undocumented word could not be read; the docs name each word."""
    needed = dict.fromkeys(NEEDED.get(type_, ()), "spouse")
    words = CHOICES[type_, field].split()

    assert [None] * len(words) == [data_problem(type_, bare(**needed | {field: word})) for word in words]
    assert str(data_problem(type_, bare(**needed | {field: "?"}))).startswith(f"data.{field}: ")
    assert [] == [word for word in words if f"`{word}`" not in PROSE]


def test_a_sentence_has_the_parts_of_the_design() -> None:
    """Each with its own fields: length, sum, end."""
    kinds = "imprisonment suspended_imprisonment house_arrest probation community_service fine disqualification "
    kinds += "confiscation death other"
    parts: list[dict[str, object]] = [{"kind": kind} for kind in kinds.split()]
    parts += [{"kind": "imprisonment", "term": "P9Y6M"}, {"kind": "fine", "amount": 2000.5, "currency": "USD"}]
    parts += [{"kind": "disqualification", "until": "2030-02"}, {"kind": "community_service", "term": "PT240H"}]

    assert data_problem("Sentenced", bare(case_id="c", parts=parts)) is None
    assert [] == [kind for kind in kinds.split() if f"`{kind}`" not in PROSE]


@pytest.mark.parametrize("type_", DATA)
def test_any_fact_may_belong_to_a_case_and_stand_after_others(type_: str) -> None:
    """A form that was accepted once is accepted permanently."""
    needed = {name: {} if name == "data" else "spouse" for name in NEEDED.get(type_, ())}

    assert data_problem(type_, bare(**needed | {"case_id": "c", "after": ["fact-1", "fact-2"]})) is None
    assert str(data_problem(type_, bare(**needed, after=[]))).startswith("data.after: [] does not fit")


@pytest.mark.parametrize(
    ("found", "meant"),
    [
        *(("Dismised", "Dismissed"), ("Detaned", "Detained"), ("Dteained", "Detained"), ("detained", "Detained")),
        *(("House_Arrested", "HouseArrested"), ("HouseArrest", "HouseArrested"), ("Acused", "Accused")),
        *(("WantedCanceled", "WantedCancelled"), ("Dide", "Died"), ("Appionted", "Appointed"), ("Notd", "Noted")),
    ],
)
def test_a_typing_error_is_answered_with_the_type_that_was_meant(found: str, meant: str) -> None:
    """A letter is missing, added, wrong or swapped with its neighbour, or has another case."""
    assert f"perhaps {meant}" == nearest_type(found)


@pytest.mark.parametrize(
    "found",
    [
        *("Impeached", "PartyPunished", "Searched", "Sacked", "Fired", "Jailed", "Banned", "Barred", "Warned", "Fined"),
        *("Retried", "Inducted", "Reassigned", "Suspected", "Rehired", "Detailed", "Returned", "", "-", "Нанят"),
    ],
)
def test_another_word_is_answered_with_noted_and_no_other_type(found: str) -> None:
    """An impeachment, a party punishment or a search of a house must not be turned into something else."""
    answer = nearest_type(found)

    assert answer.startswith("Noted, ")
    assert {"Noted"} == {type_ for type_ in DATA if type_ in answer}


def test_the_docs_have_every_type_with_a_meaning_and_an_example() -> None:
    """Each has its table row and its example line, in the order of the vocabulary."""
    assert list(DATA) == re.findall(r"^\| `([A-Z]\w+)` \| \w", DOCS, re.MULTILINE)
    assert list(DATA) == [json.loads(line)["type"] for line in EXAMPLES]


def test_the_docs_name_no_type_that_does_not_exist() -> None:
    """A type in the docs that the program refuses would cost a reader an afternoon."""
    assert {*DATA, "NaN", "Infinity"} >= set(re.findall(r"`([A-Z][a-z]\w+)`", PROSE))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_docs_have_every_field(shape: str) -> None:
    """Each field stands in the prose as `name`."""
    assert [] == [name for name in fields(shape) if f"`{name}`" not in PROSE]


@pytest.mark.parametrize("example", [*EXAMPLES, *(block for kind, block in BLOCKS if kind == "json")])
def test_the_examples_of_the_docs_are_facts(example: str) -> None:
    """Each example in the docs can be copied and published."""
    fact, _ = complete(example.encode(), NOW)

    assert json.loads(example)["data"] == fact.data


def test_the_docs_show_dates_that_are_read() -> None:
    """Every form in the table of dates is EDTF that casetrail accepts."""
    table = PROSE.split("## Time")[1].split("## Ids")[0]
    written = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)

    assert len(written) > 10
    for text in written:
        parse(text)


def test_the_docs_have_every_code_and_the_limits() -> None:
    """Codes are stable: tools and alert rules match on them."""
    codes = {"not_json", "not_utf8", "too_large", "too_deep", "nul", "surrogate"}
    codes |= {"unknown_type", "unknown_version", "invalid"}

    table = PROSE.split("## What is refused")[1]
    assert codes == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert f"{MAX_BYTES:,} bytes" in table


@pytest.mark.parametrize("type_", DATA)
def test_a_schema_says_what_validation_says(type_: str) -> None:
    """The same fields, with the same required ones and descriptions, and no others allowed."""
    made = schema(type_)

    data = made["$defs"][made["properties"]["data"]["$ref"].rpartition("/")[2]]
    assert f"urn:casetrail:schema:{type_}:1" == made["$id"]
    assert type_ == made["properties"]["type"]["const"]
    assert set(fields(type_)) == set(data["properties"])
    assert {"occurred", "published", "sources"} | NEEDED.get(type_, set()) == set(data["required"])
    assert data["additionalProperties"] is False
    assert [] == [name for name, field in data["properties"].items() if not field.get("description")]


def test_the_schema_of_all_facts_is_one_of_each_type() -> None:
    """Every reference in it has a target."""
    made = schema()

    assert [f"#/$defs/{type_}" for type_ in DATA] == [each["$ref"] for each in made["oneOf"]]
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert references(made) <= {f"#/$defs/{name}" for name in made["$defs"]}


def test_a_schema_keeps_the_field_title_and_the_rules_of_validators() -> None:
    """Titles that pydantic generates are left out; the `title` of a source stays."""
    source = schema("Died")["$defs"]["Source"]
    charge = schema("Charged")["$defs"]["Charge"]

    assert "title" in source["properties"]
    assert [{"required": ["url"]}, {"required": ["title"]}] == source["anyOf"]
    assert [{"required": [name]} for name in ("title", "article", "count_id")] == charge["anyOf"]
    assert schema("Accused")["$defs"]["Accuser"]["minProperties"] == 1


@pytest.mark.parametrize("character", ["a", " ", "\u00a0", "\u3000", "ж", "\U0001f600"])
def test_the_patterns_of_a_schema_say_what_validation_says(character: str) -> None:
    """They are for tools that do not know classes of Unicode, and so list the invisible characters (up to U+FFFF)."""
    properties = schema("Noted")["$defs"]["NotedData"]["properties"]
    # To JSON Schema `$` is the very end; to Python it is also the place before a last line feed.
    patterns = {field: properties[field]["pattern"].replace("$", r"\Z") for field in ("title", "case_id")}
    unseen = [chr(code) for code in range(0xFFFF) if category(chr(code)) in {"Cf", "Cc", "Zl", "Zp"}]

    assert {*unseen} >= {"\u200b", "\ufeff", "\u2028"}
    for hidden in ("", *unseen):
        for field, pattern in patterns.items():
            for value in (character, character + hidden, hidden + character, hidden, f"b{character}{hidden}c"):
                fits = data_problem("Noted", bare(**{"title": "a", field: value})) is None
                assert fits == bool(re.search(pattern, value)), (field, value)


def test_there_is_no_schema_of_an_unknown_type() -> None:
    """The answer names the types that exist."""
    with pytest.raises(BadInput, match="Detained"):
        schema("Sacked")


def test_the_lines_of_the_docs_are_short() -> None:
    """Only a table and an example may be longer, since each is one line by its form."""
    assert [] == [line for line in DOCS.splitlines() if len(line) > 120 and not line.startswith(("| ", "{"))]


def references(node: Any) -> set[str]:
    """Yield every `$ref` in a schema."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    return set().union(*map(references, node.values()), {node["$ref"]} if "$ref" in node else set())
