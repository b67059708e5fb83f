"""
The shapes of a fact's data: a typed dictionary for each, since a validated fact keeps its plain JSON values.

Descriptions are printed after "want": `data.published: missing (want the day ...)`.
"""

from typing import Annotated, Final, Literal, Required

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, with_config
from typing_extensions import TypedDict

from events.fields import Address, Amount, Currency, Date, Id, Number, Plain, Published, Term, Text, refused


def _identified(source: "Source") -> "Source":
    if not source.keys() & {"url", "title"}:
        raise refused("a source without url and without title", "at least one of them")
    return source


def _named_accuser(by: "Accuser") -> "Accuser":
    if not by:
        raise refused("an accuser without subject_id and without name", "at least one of them")
    return by


def _stated(charge: "Charge") -> "Charge":
    if not charge.keys() & {"title", "article", "count_id"}:
        raise refused("a charge without title, article and count_id", "at least one of them")
    return charge


def schema_rules(**rules: JsonValue) -> ConfigDict:
    """Return the JSON Schema of a rule that a validator here checks and pydantic does not know."""
    return ConfigDict(json_schema_extra=rules)


PLAIN: Final = ConfigDict(extra="forbid", strict=True)


Until = Annotated[Date, Field(description="the end that was ordered or announced, as EDTF")]
SumCurrency = Annotated[Currency, Field(description="the currency of the sum, as ISO 4217, such as USD")]
Authority = Annotated[Text, Field(description="the body that acts, such as an investigator, a prosecutor or a court")]
Ground = Annotated[Text, Field(description="the ground that was given for it")]
Clearing = Annotated[bool, Field(description="true where the ground clears the person, false where not")]
Unappealable = Annotated[bool, Field(description="true where no ordinary appeal is possible any more")]
Absence = Annotated[bool, Field(description="true where the person was not there")]


@with_config(PLAIN | schema_rules(anyOf=[{"required": ["url"]}, {"required": ["title"]}]))
class Source(TypedDict, total=False):
    """The origin of a fact, so that a reader can check it; `url` or `title` is needed."""

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


@with_config(PLAIN | schema_rules(anyOf=[{"required": [name]} for name in ("title", "article", "count_id")]))
class Charge(TypedDict, total=False):
    """One charge or suspicion; `title`, `article` or `count_id` is needed."""

    count_id: Annotated[Id, Field(description="the name of the count within its case, given by the ingestion tool")]
    article: Annotated[Text, Field(description="the article of the law")]
    title: Annotated[Text, Field(description="what it is called")]
    counts: Annotated[Number, Field(description="how many counts are alike; missing reads as one")]
    amount: Annotated[Amount, Field(description="the sum it is about, in the currency's main unit")]
    currency: SumCurrency


@with_config(PLAIN | schema_rules(minProperties=1))
class Accuser(TypedDict, total=False):
    """The person or body that accuses; `subject_id` or `name` is needed."""

    subject_id: Annotated[Id, Field(description="the subject_id of who accuses, where they have one")]
    name: Annotated[Text, Field(description="the name of who accuses")]


@with_config(PLAIN)
class SentencePart(TypedDict, total=False):
    """One part of a sentence, such as a term of imprisonment or a fine."""

    kind: Required[
        Annotated[
            Literal[
                "imprisonment",
                "suspended_imprisonment",
                "house_arrest",
                "probation",
                "community_service",
                "fine",
                "disqualification",
                "confiscation",
                "death",
                "other",
            ],
            Field(description="the kind of punishment"),
        ]
    ]
    term: Annotated[Term, Field(description="the length of it as an ISO 8601 duration, such as P1Y6M")]
    amount: Annotated[Amount, Field(description="the sum to pay, in the currency's main unit")]
    currency: SumCurrency
    until: Until


Sources = Annotated[list[Annotated[Source, AfterValidator(_identified)]], Field(min_length=1)]
Charges = Annotated[list[Annotated[Charge, AfterValidator(_stated)]], Field(min_length=1)]


@with_config(PLAIN)
class Core(TypedDict, total=False):
    """The fields that the data of every fact may have."""

    occurred: Required[Annotated[Date, Field(description="the time it happened, as EDTF and as precisely as known")]]
    published: Required[
        Annotated[Published, Field(description="the day the source made it known, as EDTF with a known end")]
    ]
    sources: Required[Annotated[Sources, Field(description="at least one source, each with url or title")]]
    jurisdiction: Annotated[Text, Field(description="the country or region whose law applies, such as KZ")]
    note: Annotated[Text, Field(description="a remark for readers")]
    ref: Annotated[Text, Field(description="the source's own reference; part of a derived id")]
    occurred_text: Annotated[Text, Field(description="the date in the source's own words")]
    after: Annotated[
        list[Id],
        Field(min_length=1, description="the ids of the facts behind which the source says that it happened"),
    ]


class Common(Core, total=False):
    """The data of facts that may belong to a case."""

    case_id: Annotated[Id, Field(description="the case it belongs to, where it belongs to one")]


class ServiceData(Common, total=False):
    """The data of facts of the service track."""

    post: Annotated[Text, Field(description="the post it is about")]
    agency: Annotated[Text, Field(description="the agency of that post")]
    region: Annotated[Text, Field(description="the region of that post")]
    post_id: Annotated[Id, Field(description="the name of that post held, given by the ingestion tool")]


class AppointmentData(ServiceData, total=False):
    """The data of `Appointed` and `Elected`."""

    acting: Annotated[bool, Field(description="true where the post is held for the time being only")]
    concurrent: Annotated[bool, Field(description="true where the posts held before are kept beside it")]


class SuspensionData(ServiceData, total=False):
    """The data of `Suspended`."""

    until: Until


class DismissalData(ServiceData, total=False):
    """The data of `Dismissed` and `Removed`."""

    ground: Ground


class TransferData(ServiceData, total=False):
    """The data of `Transferred`."""

    to_post: Annotated[Text, Field(description="the new post")]
    to_agency: Annotated[Text, Field(description="the agency of the new post")]
    to_post_id: Annotated[Id, Field(description="the name of the new post held, given by the ingestion tool")]


class CaseData(Core, total=False):
    """The data of facts of the case track."""

    case_id: Required[Annotated[Id, Field(description="the case it belongs to, named by the ingestion tool")]]
    kind: Annotated[
        Literal["criminal", "disciplinary", "administrative", "civil"],
        Field(description="the kind of case; a case of which no fact says it reads as criminal"),
    ]
    authority: Authority
    charges: Annotated[Charges, Field(description="the charges or suspicions, as this fact states them")]


class AccusationData(CaseData, total=False):
    """The data of `Accused`."""

    by: Annotated[Accuser, AfterValidator(_named_accuser), Field(description="the one who accuses")]


class ClosingData(CaseData, total=False):
    """The data of `CaseClosed` and `ChargesDropped`."""

    rehabilitating: Clearing
    ground: Ground


class PleaData(CaseData, total=False):
    """The data of `PleaEntered`."""

    plea: Annotated[Literal["guilty", "not_guilty", "no_contest"], Field(description="the plea")]
    bargain: Annotated[bool, Field(description="true where the plea is part of an agreement with the prosecution")]


class TrialData(CaseData, total=False):
    """The data of `TrialOpened`."""

    in_absentia: Absence


class VerdictData(TrialData, total=False):
    """The data of `Convicted` and `Acquitted`."""

    final: Unappealable


class SentenceData(CaseData, total=False):
    """The data of `SentenceChanged`."""

    sentence: Annotated[Text, Field(description="the sentence in words")]
    parts: Annotated[list[SentencePart], Field(min_length=1, description="the parts of the sentence")]


class SentencingData(SentenceData, total=False):
    """The data of `Sentenced`."""

    in_absentia: Absence


class AppealData(CaseData, total=False):
    """The data of `AppealFiled`."""

    by: Annotated[Literal["prosecution", "defence", "other"], Field(description="the side that appeals")]


class UpholdingData(CaseData, total=False):
    """The data of `VerdictUpheld`."""

    final: Unappealable


class OverturningData(CaseData, total=False):
    """The data of `VerdictOverturned`."""

    outcome: Annotated[
        Literal["remitted", "acquitted", "ended"],
        Field(description="what became of the case: back to a court, an acquittal, or an end without a verdict"),
    ]
    rehabilitating: Clearing


class PardonData(CaseData, total=False):
    """The data of `Pardoned`."""

    scope: Annotated[
        Literal["full", "partial"],
        Field(description="full, or partial where only the sentence was changed; missing reads as full"),
    ]


class CustodyData(Common, total=False):
    """The data of facts of the custody track."""

    authority: Authority
    place: Annotated[Text, Field(description="the place of custody")]


class SearchData(CustodyData, total=False):
    """The data of `Wanted` and `WantedCancelled`."""

    scope: Annotated[
        Literal["national", "international"],
        Field(description="how far the search goes; a Wanted without it reads as national, the least it can be"),
    ]


class HoldData(CustodyData, total=False):
    """The data of `Detained` and `HouseArrested`."""

    until: Until


class ArrestData(HoldData, total=False):
    """The data of `Arrested`."""

    in_absentia: Annotated[bool, Field(description="true where the person was not there: it is a search, no custody")]


class BailData(CustodyData, total=False):
    """The data of `Bailed`."""

    amount: Annotated[Amount, Field(description="the sum of the bail, in the currency's main unit")]
    currency: SumCurrency
    conditions: Annotated[Text, Field(description="the conditions, in words")]


class MeasureData(Common, total=False):
    """The data of `MeasureImposed`."""

    kind: Annotated[
        Literal[
            "travel_ban",
            "judicial_control",
            "electronic_monitoring",
            "asset_freeze",
            "sanction",
            "debarment",
            "disqualification",
            "licence_revoked",
            "other",
        ],
        Field(description="the kind of measure"),
    ]
    title: Annotated[Text, Field(description="the name of the measure in the source's own words")]
    authority: Authority
    program: Annotated[Text, Field(description="the programme of sanctions, where it has a name")]
    until: Until


class LiftingData(MeasureData, total=False):
    """The data of `MeasureLifted`."""

    fact_id: Annotated[Id, Field(description="the id of the MeasureImposed that is lifted")]


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
            Literal["sibling", "spouse", "parent", "child", "relative", "associate", "subordinate", "superior"],
            Field(description="what the other person is to the subject"),
        ]
    ]
    relation_text: Annotated[Text, Field(description="the relation in the source's own words, such as cousin")]


class ReplyData(Common, total=False):
    """The data of `ReplyRecorded`."""

    fact_id: Required[Annotated[Id, Field(description="the id of the fact that the person answers")]]
    text: Required[Annotated[Text, Field(description="the person's own answer")]]


class NotedData(Common, total=False):
    """The data of `Noted`."""

    title: Required[Annotated[Text, Field(description="the action in the source's own words, such as Impeached")]]
    text: Annotated[Text, Field(description="what else there is to say of it")]
    classes: Annotated[list[Text], Field(description="words by which rules and readers find it; may be empty")]
