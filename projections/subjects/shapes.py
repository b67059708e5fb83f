"""
The shape of a status, as programs read it (docs/reading.md). It changes only by addition.

The types are exact: `pydantic.TypeAdapter(StatusJson)` validates a printed status and makes its JSON Schema.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from events.edtf import format_instant
from events.shapes import Charge, SentencePart

from .status_words import (
    CaseKind,
    CountStatus,
    CustodyStatus,
    Headline,
    PostStatus,
    Presumption,
    SearchScope,
    ServiceStatus,
    Stage,
    Verdict,
)

Row = Mapping[Any, Any]
"""A row of a table by the names of its columns."""

CELLS: Final = ("service", "custody", "wanted", "stage")
DESCRIBED: Final = ("name", "post", "agency", "region", "jurisdiction")

FactId = Annotated[str, Field(description="the id of a fact")]
Instant = Annotated[str, Field(description="an instant in UTC, such as 2022-04-27T08:00:00Z")]
SourceDate = Annotated[str, Field(description="a date as its source wrote it, as EDTF")]

EXACT: Final = ConfigDict(extra="forbid", strict=True)


@with_config(EXACT)
class PositionJson(TypedDict):
    """The place of a record in the log."""

    partition: int
    offset: int


@with_config(EXACT)
class AnomalyJson(TypedDict):
    """A flag of one fact."""

    code: str
    fact_id: FactId


@with_config(EXACT)
class SinceJson(TypedDict):
    """The time and the source of a status: the fact on which it rests, and the number of reports of that event."""

    since: SourceDate
    since_earliest: Instant | None
    since_latest: Instant | None
    fact_id: FactId
    facts: int


@with_config(EXACT)
class BeganJson(TypedDict):
    """The beginning of a post."""

    since: SourceDate
    since_earliest: Instant | None
    since_latest: Instant | None
    fact_id: FactId


@with_config(EXACT)
class ServiceJson(TypedDict):
    """The status of the service. If nothing is known, it is unknown, with nulls and 0 facts."""

    status: ServiceStatus
    since: SourceDate | None
    since_earliest: Instant | None
    since_latest: Instant | None
    fact_id: FactId | None
    facts: int


@with_config(EXACT)
class CustodyJson(TypedDict):
    """The strictest custody that counts. If nothing is known, it is unknown, with nulls and 0 facts."""

    status: CustodyStatus
    since: SourceDate | None
    since_earliest: Instant | None
    since_latest: Instant | None
    fact_id: FactId | None
    facts: int


class WantedJson(SinceJson):
    """The widest search that counts."""

    status: SearchScope


class StageJson(SinceJson):
    """The stage of a case: the furthest while it is open, else its end."""

    status: Stage


@with_config(EXACT)
class CountNumbersJson(TypedDict):
    """The numbers of counts in criminal cases, by their status; `ended` is any other end than a verdict."""

    undecided: int
    convicted: int
    acquitted: int
    ended: int


class PostJson(SinceJson):
    """A post, held or former, in the words of one fact."""

    post: str | None
    agency: str | None
    region: str | None
    jurisdiction: str | None
    post_id: str | None
    words_fact_id: FactId | None
    acting: bool
    acting_fact_id: FactId | None
    status: PostStatus
    ground: str | None
    until: SourceDate | None
    began: BeganJson | None


class CountJson(SinceJson):
    """A charge that was ever stated; the whole case while none is, with null in count_id, article and title."""

    count_id: str | None
    article: str | None
    title: str | None
    counts: Annotated[int, Field(description="the number of counts alike")]
    amount: int | float | None
    currency: str | None
    charge_fact_id: FactId | None
    status: CountStatus
    authority: Annotated[str | None, Field(description="the authority that the deciding fact names")]
    verdict: Verdict | None
    verdict_fact_id: FactId | None
    final: bool
    final_fact_id: FactId | None
    on_appeal: bool
    appeal_fact_id: FactId | None
    in_absentia: bool
    rehabilitated: bool
    sentence_fact_id: FactId | None


@with_config(EXACT)
class CaseJson(TypedDict):
    """A case with its counts; `charges` repeats the last fact that states charges."""

    case_id: str
    kind: CaseKind
    kind_fact_id: FactId | None
    stage: StageJson | None
    open: bool
    suspended: bool
    suspended_fact_id: FactId | None
    counts: list[CountJson]
    sentence: str | None
    parts: list[SentencePart]
    sentence_fact_id: FactId | None
    charges: list[Charge]
    charges_fact_id: FactId | None
    authority: str | None
    authority_fact_id: FactId | None


class HoldJson(SinceJson):
    """The custody in one case; null in case_id: no case is named."""

    case_id: str | None
    status: CustodyStatus
    until: SourceDate | None
    until_fact_id: FactId | None
    authority: str | None
    place: str | None
    counted: Annotated[bool, Field(description="false: left out of the row, the case ended without a conviction")]


class SearchJson(SinceJson):
    """A search that stands."""

    case_id: str | None
    scope: SearchScope
    jurisdiction: str | None
    authority: str | None
    counted: Annotated[bool, Field(description="false: left out of the row, the case ended without a conviction")]


class MeasureJson(SinceJson):
    """A measure that stands."""

    kind: str | None
    title: str | None
    authority: str | None
    program: str | None
    case_id: str | None
    until: SourceDate | None
    until_fact_id: FactId | None


@with_config(EXACT)
class StatusJson(TypedDict):
    """The status of one person: the row, the anomalies and the parts from which the row is computed."""

    subject_id: str
    name: str | None
    post: str | None
    agency: str | None
    region: str | None
    jurisdiction: str | None
    name_fact_id: FactId | None
    post_fact_id: FactId | None
    agency_fact_id: FactId | None
    region_fact_id: FactId | None
    jurisdiction_fact_id: FactId | None
    headline: Headline
    service: ServiceJson
    custody: CustodyJson
    wanted: WantedJson | None
    stage: StageJson | None
    open_cases: int
    convicted_cases: int
    counts: CountNumbersJson
    presumption: Presumption
    anomalies: list[AnomalyJson]
    unread: Annotated[int, Field(description="the number of records about the person that wait")]
    posts: list[PostJson]
    cases: list[CaseJson]
    custody_cases: list[HoldJson]
    searches: list[SearchJson]
    measures: list[MeasureJson]
    position: PositionJson


def status_json(subject: Row, parts: Mapping[str, Sequence[Row]], unread: int = 0) -> StatusJson:
    """
    Return the status of one person.

    Args:
        subject: the row of the person in ``subjects``.
        parts: the rows of the person in the other tables, by the table's name, in the order of the keys.
        unread: the number of records about the person that wait: conflicts, and records that could not be read.
    """
    counts = parts.get("counts", ())
    return {
        "subject_id": subject["subject_id"],
        "name": subject["name"],
        "post": subject["post"],
        "agency": subject["agency"],
        "region": subject["region"],
        "jurisdiction": subject["jurisdiction"],
        "name_fact_id": subject["name_fact_id"],
        "post_fact_id": subject["post_fact_id"],
        "agency_fact_id": subject["agency_fact_id"],
        "region_fact_id": subject["region_fact_id"],
        "jurisdiction_fact_id": subject["jurisdiction_fact_id"],
        "headline": subject["headline"],
        "service": {"status": subject["service_status"], **_since_json(subject, "service_")},
        "custody": {"status": subject["custody_status"], **_since_json(subject, "custody_")},
        "wanted": _cell(subject, "wanted_"),
        "stage": _cell(subject, "stage_"),
        "open_cases": subject["open_cases"],
        "convicted_cases": subject["convicted_cases"],
        "counts": {
            "undecided": subject["counts_undecided"],
            "convicted": subject["counts_convicted"],
            "acquitted": subject["counts_acquitted"],
            "ended": subject["counts_ended"],
        },
        "presumption": subject["presumption"],
        "anomalies": subject["anomalies"],
        "unread": unread,
        "posts": [_post_json(row) for row in parts.get("posts", ())],
        "cases": [_case_json(row, counts) for row in parts.get("cases", ())],
        "custody_cases": [_part_json(row) for row in parts.get("holds", ())],
        "searches": [_part_json(row) for row in parts.get("searches", ())],
        "measures": [_part_json(row) for row in parts.get("measures", ())],
        "position": {"partition": subject["position_partition"], "offset": subject["position_offset"]},
    }


def _since_json(row: Row, prefix: str = "") -> SinceJson:
    return {
        "since": row[f"{prefix}since"],
        "since_earliest": _text(row[f"{prefix}since_earliest"]),
        "since_latest": _text(row[f"{prefix}since_latest"]),
        "fact_id": row[f"{prefix}fact_id"],
        "facts": row[f"{prefix}facts"],
    }


# A row's columns are those of its shape, which mypy cannot see; tests validate the result against the types above.
def _cell(row: Row, prefix: str) -> Any:  # noqa: ANN401 - a cell of either track
    status = row[f"{prefix}status"]
    return None if status is None else {"status": status, **_since_json(row, prefix)}


def _part_json(row: Row, *others: str) -> Any:  # noqa: ANN401 - a row of any part
    """Return a row of a part without its key and *others*, with instants as text."""
    left_out = {"subject_id", "n", *others}
    return {name: _text(value) for name, value in row.items() if name not in left_out}


def _post_json(row: Row) -> PostJson:
    began: BeganJson = {
        "since": row["began"],
        "since_earliest": _text(row["began_earliest"]),
        "since_latest": _text(row["began_latest"]),
        "fact_id": row["began_fact_id"],
    }
    post: PostJson = _part_json(row, "began", "began_earliest", "began_latest", "began_fact_id")
    post["began"] = began if row["began_fact_id"] is not None else None
    return post


def _case_json(row: Row, counts: Iterable[Row]) -> CaseJson:
    case_id = row["case_id"]
    return {
        "case_id": case_id,
        "kind": row["kind"],
        "kind_fact_id": row["kind_fact_id"],
        "stage": _cell(row, "stage_"),
        "open": bool(row["is_open"]),
        "suspended": row["suspended"],
        "suspended_fact_id": row["suspended_fact_id"],
        "counts": [_part_json(count, "case_id") for count in counts if count["case_id"] == case_id],
        "sentence": row["sentence"],
        "parts": row["parts"],
        "sentence_fact_id": row["sentence_fact_id"],
        "charges": row["charges"],
        "charges_fact_id": row["charges_fact_id"],
        "authority": row["authority"],
        "authority_fact_id": row["authority_fact_id"],
    }


def _text(value: Any) -> Any:  # noqa: ANN401 - a value of a column
    return format_instant(value) if isinstance(value, datetime) else value
