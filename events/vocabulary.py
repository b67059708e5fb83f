"""
The vocabulary: every type of fact, its track, its rank among same-day facts, and the shape of its data.

One table of shapes (`DATA`) is the source of validation, error messages and JSON Schema, and of a test that reads
docs/facts.md. The shapes themselves are in `events.shapes`.
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

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from events import shapes
from events.fields import Id, Instant, MediaType, Origin, Text
from events.problems import explain
from events.shapes import schema_rules

from .text import wanted_type

# The order of the types is the order in which facts of one span are read.
_SHAPES: Final[Mapping[str, Mapping[str, type]]] = {
    "service": {
        "Suspended": shapes.SuspensionData,
        "SuspensionLifted": shapes.ServiceData,
        "Removed": shapes.DismissalData,
        "Dismissed": shapes.DismissalData,
        "Resigned": shapes.ServiceData,
        "Retired": shapes.ServiceData,
        "TermEnded": shapes.ServiceData,
        "LeftOffice": shapes.ServiceData,
        "DismissalAnnulled": shapes.ServiceData,
        "Reinstated": shapes.ServiceData,
        "Elected": shapes.AppointmentData,
        "Appointed": shapes.AppointmentData,
        "Transferred": shapes.TransferData,
        "Died": shapes.ServiceData,
    },
    "case": {
        "Accused": shapes.AccusationData,
        "AllegationWithdrawn": shapes.CaseData,
        "MaterialsReferred": shapes.CaseData,
        "InvestigationOpened": shapes.CaseData,
        "InvestigationSuspended": shapes.CaseData,
        "InvestigationResumed": shapes.CaseData,
        "SuspectNamed": shapes.CaseData,
        "Charged": shapes.CaseData,
        "PleaEntered": shapes.PleaData,
        "ChargesAmended": shapes.CaseData,
        "ChargesDropped": shapes.ClosingData,
        "Indicted": shapes.CaseData,
        "TrialOpened": shapes.TrialData,
        "MistrialDeclared": shapes.CaseData,
        "Convicted": shapes.VerdictData,
        "Acquitted": shapes.VerdictData,
        "Sentenced": shapes.SentencingData,
        "AppealFiled": shapes.AppealData,
        "VerdictUpheld": shapes.UpholdingData,
        "VerdictOverturned": shapes.OverturningData,
        "VerdictFinal": shapes.CaseData,
        "ReviewRequested": shapes.CaseData,
        "ReviewRefused": shapes.CaseData,
        "SentenceChanged": shapes.SentenceData,
        "CaseClosed": shapes.ClosingData,
        "Amnestied": shapes.CaseData,
        "Pardoned": shapes.PardonData,
        "PardonAnnulled": shapes.CaseData,
    },
    "custody": {
        "Wanted": shapes.SearchData,
        "WantedCancelled": shapes.SearchData,
        "Detained": shapes.HoldData,
        "Arrested": shapes.ArrestData,
        "HouseArrested": shapes.HoldData,
        "Bailed": shapes.BailData,
        "Released": shapes.CustodyData,
        "ExtraditionRequested": shapes.CustodyData,
        "ExtraditionRefused": shapes.CustodyData,
        "Extradited": shapes.CustodyData,
        "Imprisoned": shapes.CustodyData,
        "Paroled": shapes.CustodyData,
        "SentenceServed": shapes.CustodyData,
    },
    "measure": {
        "MeasureImposed": shapes.MeasureData,
        "MeasureLifted": shapes.LiftingData,
    },
    "meta": {
        "Corrected": shapes.CorrectionData,
        "Retracted": shapes.RetractionData,
    },
    "subject": {
        "SubjectDescribed": shapes.DescriptionData,
        "RelationAsserted": shapes.RelationData,
        "RelationWithdrawn": shapes.RelationData,
        "ReplyRecorded": shapes.ReplyData,
        "Noted": shapes.NotedData,
    },
}

TRACKS: Final[Mapping[str, tuple[str, ...]]] = {track: tuple(shapes) for track, shapes in _SHAPES.items()}
"""The types of each track; ``meta`` is about facts, ``subject`` about the person."""
TRACK_OF: Final[Mapping[str, str]] = {type_: track for track, types in TRACKS.items() for type_ in types}
"""The track of each type."""
DATA: Final[Mapping[str, type]] = {type_: shape for shapes in _SHAPES.values() for type_, shape in shapes.items()}
"""The typed dictionary of each type's data."""
RANK: Final[Mapping[str, int]] = {type_: rank for rank, type_ in enumerate(DATA)}
"""The place of each type among facts of the same time."""
CURRENT_VERSION: Final[Mapping[str, str]] = dict.fromkeys(DATA, "1")
"""The version in which each type is written now; facts of older versions are lifted to it."""


T = TypeVar("T")
D = TypeVar("D")


@with_config(
    ConfigDict(extra="allow", strict=True)
    | schema_rules(
        propertyNames={"pattern": "^[a-z0-9]+$"},
        additionalProperties={"type": ["string", "boolean", "integer", "null"], "description": "an extension"},
    )
)
class Envelope(TypedDict, Generic[T, D], total=False):
    """A CloudEvent 1.0 in its JSON form. Extension attributes pass here; `decode` checks their names and values."""

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
    """Yield one envelope for all types of each shape, from the table, so that no list of types is written twice."""
    envelope: Any = Envelope
    literal: Any = Literal
    for shape in dict.fromkeys(DATA.values()):
        types = tuple(type_ for type_ in DATA if DATA[type_] is shape)
        yield envelope[literal[types], shape]


_ANY_ENVELOPE: Final[Any] = Annotated[Union[tuple(_envelopes())], Field(discriminator="type")]  # noqa: UP007 - dynamic
EVENT: Final[TypeAdapter[Any]] = TypeAdapter(_ANY_ENVELOPE)
"""Validates any fact in one pass; the result is a plain dictionary."""

_NESTED: Final[Mapping[str, type]] = {
    "sources": shapes.Source,
    "charges": shapes.Charge,
    "parts": shapes.SentencePart,
    "by": shapes.Accuser,
    "envelope": Envelope,
}


@cache
def fields(shape: str) -> Mapping[str, str]:
    """
    Return each field of *shape* with its description.

    Args:
        shape: a type of fact, for its data; ``sources``, ``charges``, ``parts`` or ``by``, for one item; or
            ``envelope``.

    Raises:
        KeyError: if there is no such shape.
    """
    hints = get_type_hints(_NESTED.get(shape) or DATA[shape], include_extras=True)
    return {name: _description(hint) for name, hint in hints.items()}


def data_problem(type_: str, data: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """
    Return the reason why *data* does not fit *type_*, in one line; None if it fits.

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


def nearest_type(word: str) -> str:
    """
    Return the text to print after "want" for *word*, which is not a type.

    It is the nearest spelling if *word* is plainly a typing error, else `Noted`, which accepts any other action.
    """
    return wanted_type(word, DATA)


def _description(hint: Any) -> str:  # noqa: ANN401 - type hints have no common type
    """Return the description in an annotation, which may be wrapped in `Required`."""
    if get_origin(hint) is not Annotated:
        return _description(get_args(hint)[0])
    return next(item.description for item in hint.__metadata__ if isinstance(item, FieldInfo) and item.description)
