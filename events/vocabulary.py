"""
The vocabulary: every type of fact, its track, its rank among same-day facts, and the shape of its data.

One table of shapes (`DATA`) feeds everything else: validation, error messages, JSON Schema, and a test that reads
docs/facts.md. Shapes are typed dictionaries, since a validated fact stays the plain JSON values it came as.
Descriptions are written so that they read well after "want": `data.published: missing (want the day ...)`.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError, with_config
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from events.fields import Address, Amount, Date, Id, Instant, MediaType, Origin, Plain, Published, Text, refused
from events.problems import explain


def _shown(source: "Source") -> "Source":
    if not source.keys() & {"url", "title"}:
        raise refused("a source without url and without title", "at least one of them")
    return source


def _somebody(by: "Accuser") -> "Accuser":
    if not by:
        raise refused("an accuser without subject_id and without name", "at least one of them")
    return by


def _schema(**rules: JsonValue) -> ConfigDict:
    """JSON Schema for what a validator of ours holds, and pydantic cannot know."""
    return ConfigDict(json_schema_extra=rules)


PLAIN: Final = ConfigDict(extra="forbid", strict=True)


@with_config(PLAIN | _schema(anyOf=[{"required": ["url"]}, {"required": ["title"]}]))
class Source(TypedDict, total=False):
    """Where a fact comes from, so that a reader can check it; `url` or `title` is needed."""

    url: Annotated[Address, Field(description="the address of the source")]
    title: Annotated[Text, Field(description="the title of the article, decree or post")]
    publisher: Annotated[Text, Field(description="who published it")]
    archived_url: Annotated[Address, Field(description="the address of an archived copy")]
    retrieved: Annotated[Date, Field(description="when it was read, as EDTF")]
    quote: Annotated[Text, Field(description="the words the fact rests on, as they stand in the source")]
    reliability: Annotated[
        Literal["A", "B", "C", "D", "E", "F"],
        Field(description="how reliable the source is, on the Admiralty scale from A to F (F: cannot be judged)"),
    ]
    credibility: Annotated[
        int,
        Field(ge=1, le=6, description="how credible this is, on the Admiralty scale from 1 to 6 (6: cannot be judged)"),
    ]


@with_config(PLAIN)
class Charge(TypedDict, total=False):
    """One charge or suspicion."""

    article: Annotated[Text, Field(description="the article of the law")]
    title: Annotated[Text, Field(description="what it is called")]
    amount: Annotated[Amount, Field(description="the sum it is about, in the currency's main unit")]
    currency: Annotated[Text, Field(description="the currency of the sum, as ISO 4217, such as USD")]


@with_config(PLAIN | _schema(minProperties=1))
class Accuser(TypedDict, total=False):
    """Who accuses; `subject_id` or `name` is needed."""

    subject_id: Annotated[Id, Field(description="the subject_id of who accuses, where they have one")]
    name: Annotated[Text, Field(description="the name of who accuses")]


Sources = Annotated[list[Annotated[Source, AfterValidator(_shown)]], Field(min_length=1)]


@with_config(PLAIN)
class Core(TypedDict, total=False):
    """What the data of every fact may hold."""

    occurred: Required[Annotated[Date, Field(description="the time it happened, as EDTF and as precisely as known")]]
    published: Required[
        Annotated[Published, Field(description="the day the source made it known, as EDTF with a known end")]
    ]
    sources: Required[Annotated[Sources, Field(description="at least one source, each with url or title")]]
    jurisdiction: Annotated[Text, Field(description="the country or region whose law applies, such as KZ")]
    note: Annotated[Text, Field(description="a remark for readers")]
    ref: Annotated[Text, Field(description="the source's own reference; part of a derived id")]
    occurred_text: Annotated[Text, Field(description="the date in the source's own words")]


class Common(Core, total=False):
    """The data of facts that may belong to a case."""

    case_id: Annotated[Id, Field(description="the case it belongs to, where it belongs to one")]


class ServiceData(Common, total=False):
    """The data of facts of the service track."""

    post: Annotated[Text, Field(description="the post it is about")]
    agency: Annotated[Text, Field(description="the agency of that post")]
    region: Annotated[Text, Field(description="the region of that post")]


class DismissalData(ServiceData, total=False):
    """The data of `Dismissed`."""

    ground: Annotated[Text, Field(description="the ground given for the dismissal")]


class TransferData(ServiceData, total=False):
    """The data of `Transferred`."""

    to_post: Annotated[Text, Field(description="the new post")]
    to_agency: Annotated[Text, Field(description="the agency of the new post")]


class CaseData(Core, total=False):
    """The data of facts of the case track."""

    case_id: Required[Annotated[Id, Field(description="the case it belongs to, named by the ingestion tool")]]
    authority: Annotated[Text, Field(description="the body that acts: an investigator, a prosecutor, a court")]
    charges: Annotated[list[Charge], Field(description="the charges or suspicions, as this fact states them")]


class AccusationData(CaseData, total=False):
    """The data of `Accused`."""

    by: Annotated[Accuser, AfterValidator(_somebody), Field(description="the one who accuses")]


class ClosingData(CaseData, total=False):
    """The data of `CaseClosed`."""

    rehabilitating: Annotated[bool, Field(description="true where the ground clears the person, false where not")]


class SentenceData(CaseData, total=False):
    """The data of `Sentenced`."""

    sentence: Annotated[Text, Field(description="the sentence in words")]


class CustodyData(Common, total=False):
    """The data of facts of the custody track."""

    authority: Annotated[Text, Field(description="the body that acts")]
    place: Annotated[Text, Field(description="the place of custody")]


class WantedData(CustodyData, total=False):
    """The data of `Wanted`."""

    scope: Annotated[
        Literal["national", "international"],
        Field(description="how far the search goes; missing reads as national, the least a search can be"),
    ]


class CorrectionData(Common, total=False):
    """The data of `Corrected`."""

    fact_id: Required[Annotated[Id, Field(description="the id of the fact whose data is replaced")]]
    data: Required[Annotated[Plain, Field(description="the whole new data of that fact")]]


class RetractionData(Common, total=False):
    """The data of `Retracted`."""

    fact_id: Required[Annotated[Id, Field(description="the id of the fact that is taken back")]]
    reason: Required[Annotated[Text, Field(description="the reason it is taken back")]]


class DescriptionData(Common, total=False):
    """The data of `SubjectDescribed`."""

    name: Annotated[Text, Field(description="the name to show")]
    aliases: Annotated[list[Text], Field(description="other spellings and names")]
    post: Annotated[Text, Field(description="the post, present or last")]
    agency: Annotated[Text, Field(description="the agency of that post")]
    region: Annotated[Text, Field(description="the region of that post")]
    born: Annotated[Date, Field(description="the date of birth, as EDTF")]


class RelationData(Common, total=False):
    """The data of `RelationAsserted` and `RelationWithdrawn`."""

    other: Required[Annotated[Id, Field(description="the subject_id of the other person")]]
    relation: Required[
        Annotated[
            Literal["sibling", "spouse", "parent", "child", "associate", "subordinate", "superior"],
            Field(description="what the other person is to the subject"),
        ]
    ]


class ReplyData(Common, total=False):
    """The data of `ReplyRecorded`."""

    fact_id: Required[Annotated[Id, Field(description="the id of the fact that the person answers")]]
    text: Required[Annotated[Text, Field(description="the person's own answer")]]


# In the order of the design's table, which is the order in which same-day facts are read.
_SHAPES: Final[Mapping[str, Mapping[str, type]]] = {
    "service": {
        "Appointed": ServiceData,
        "Transferred": TransferData,
        "Suspended": ServiceData,
        "SuspensionLifted": ServiceData,
        "Resigned": ServiceData,
        "Retired": ServiceData,
        "Removed": ServiceData,
        "Dismissed": DismissalData,
        "LeftOffice": ServiceData,
        "Reinstated": ServiceData,
        "DismissalAnnulled": ServiceData,
        "Died": ServiceData,
    },
    "case": {
        "Accused": AccusationData,
        "AllegationWithdrawn": CaseData,
        "MaterialsReferred": CaseData,
        "InvestigationOpened": CaseData,
        "InvestigationSuspended": CaseData,
        "InvestigationResumed": CaseData,
        "SuspectNamed": CaseData,
        "Charged": CaseData,
        "ChargesAmended": CaseData,
        "ChargesDropped": CaseData,
        "Indicted": CaseData,
        "TrialOpened": CaseData,
        "Convicted": CaseData,
        "Acquitted": CaseData,
        "Sentenced": SentenceData,
        "AppealFiled": CaseData,
        "VerdictUpheld": CaseData,
        "VerdictOverturned": CaseData,
        "VerdictFinal": CaseData,
        "CaseClosed": ClosingData,
        "Amnestied": CaseData,
        "Pardoned": CaseData,
    },
    "custody": {
        "Wanted": WantedData,
        "WantedCancelled": CustodyData,
        "Detained": CustodyData,
        "Arrested": CustodyData,
        "HouseArrested": CustodyData,
        "Bailed": CustodyData,
        "Released": CustodyData,
        "ExtraditionRequested": CustodyData,
        "Extradited": CustodyData,
        "Imprisoned": CustodyData,
        "SentenceServed": CustodyData,
    },
    "meta": {
        "Corrected": CorrectionData,
        "Retracted": RetractionData,
    },
    "subject": {
        "SubjectDescribed": DescriptionData,
        "RelationAsserted": RelationData,
        "RelationWithdrawn": RelationData,
        "ReplyRecorded": ReplyData,
    },
}

TRACKS: Final[Mapping[str, tuple[str, ...]]] = {track: tuple(shapes) for track, shapes in _SHAPES.items()}
"""The types of each track; ``meta`` is about facts, ``subject`` about the person."""
TRACK_OF: Final[Mapping[str, str]] = {type_: track for track, types in TRACKS.items() for type_ in types}
"""The track of each type."""
DATA: Final[Mapping[str, type]] = {type_: shape for shapes in _SHAPES.values() for type_, shape in shapes.items()}
"""The typed dictionary of each type's data."""
RANK: Final[Mapping[str, int]] = {type_: rank for rank, type_ in enumerate(DATA)}
"""Where each type stands among facts of the same time."""
CURRENT_VERSION: Final[Mapping[str, str]] = dict.fromkeys(DATA, "1")
"""The version each type is written in now; facts of older ones are lifted to it."""


T = TypeVar("T")
D = TypeVar("D")


@with_config(
    ConfigDict(extra="allow", strict=True)
    | _schema(
        propertyNames={"pattern": "^[a-z0-9]+$"},
        additionalProperties={"type": ["string", "boolean", "integer", "null"], "description": "an extension"},
    )
)
class Envelope(TypedDict, Generic[T, D], total=False):
    """A CloudEvent 1.0 in its JSON form. Extension attributes pass here; `decode` looks at their names and values."""

    specversion: Required[Annotated[Literal["1.0"], Field(description="the version of CloudEvents, 1.0")]]
    id: Required[Annotated[Id, Field(description="the dedupe key, for ever and across all sources")]]
    type: Required[Annotated[T, Field(description="the type of the fact")]]
    source: Required[Annotated[Origin, Field(description="the ingestion tool, as a URI, such as urn:example:desk")]]
    subject: Required[Annotated[Id, Field(description="the subject_id of the person it is about")]]
    data: Required[Annotated[D, Field(description="the data of the type, an object")]]
    dataversion: Annotated[Literal["1"] | None, Field(description="the version of the type, missing for 1")]
    time: Annotated[Instant | None, Field(description="the publisher's own clock, which decides nothing")]
    datacontenttype: Annotated[MediaType | None, Field(description="application/json")]
    dataschema: Annotated[Text | None, Field(description="the address of a schema, which decides nothing")]
    recorded: Annotated[Text | None, Field(description="the instant a log accepted it, in an export or a backtest")]


ATTRIBUTES: Final = frozenset(Envelope.__annotations__)
"""The attributes that a fact may have; any other is an extension."""


def _envelopes() -> Iterator[Any]:
    """One envelope for the types that share a shape, made from the table so that no list of types is written twice."""
    envelope: Any = Envelope
    literal: Any = Literal
    for shape in dict.fromkeys(DATA.values()):
        types = tuple(type_ for type_ in DATA if DATA[type_] is shape)
        yield envelope[literal[types], shape]


_ANY_ENVELOPE: Final[Any] = Annotated[Union[tuple(_envelopes())], Field(discriminator="type")]  # noqa: UP007 - dynamic
EVENT: Final[TypeAdapter[Any]] = TypeAdapter(_ANY_ENVELOPE)
"""Validates any fact in one pass; what comes out is the plain dictionary that went in."""

_NESTED: Final[Mapping[str, type]] = {"sources": Source, "charges": Charge, "by": Accuser, "envelope": Envelope}


@cache
def fields(shape: str) -> Mapping[str, str]:
    """
    Return each field of *shape* with its description.

    Args:
        shape: a type of fact, for its data; ``sources``, ``charges`` or ``by``, for one of them; or ``envelope``.

    Raises:
        KeyError: if there is no such shape.
    """
    hints = get_type_hints(_NESTED.get(shape) or DATA[shape], include_extras=True)
    return {name: _description(hint) for name, hint in hints.items()}


def data_problem(type_: str, data: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """
    Say why *data* does not fit *type_*, in one line; None when it does.

    Args:
        type_: the type, known or not.
        data: parsed JSON, such as the new data in a `Corrected`.
    """
    event = {"specversion": "1.0", "id": "-", "source": "-", "subject": "-", "type": type_, "data": data}
    try:
        EVENT.validate_python(event)
    except ValidationError as error:
        return str(explain(error, fields))
    return None


def _description(hint: Any) -> str:  # noqa: ANN401 - type hints have no common type
    """Return the description in an annotation, under `Required` where there is one."""
    if get_origin(hint) is not Annotated:
        return _description(get_args(hint)[0])
    return next(each.description for each in hint.__metadata__ if isinstance(each, FieldInfo) and each.description)
