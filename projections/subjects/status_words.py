"""The closed sets of status words (docs/design.md, 8), as types."""

from typing import Literal, TypeAlias

ServiceStatus: TypeAlias = Literal[
    "unknown",
    "in_office",
    "suspended",
    "removed",
    "dismissed",
    "resigned",
    "retired",
    "term_ended",
    "left_office",
    "deceased",
]
PostStatus: TypeAlias = Literal[
    "in_office",
    "suspended",
    "moved",
    "removed",
    "dismissed",
    "resigned",
    "retired",
    "term_ended",
    "left_office",
    "deceased",
]
CustodyStatus: TypeAlias = Literal[
    "unknown",
    "detained",
    "remanded",
    "house_arrest",
    "paroled",
    "bailed",
    "released",
    "extradited",
    "imprisoned",
    "sentence_served",
    "deceased",
]
SearchScope: TypeAlias = Literal["national", "international"]
Stage: TypeAlias = Literal[
    "accused",
    "materials_referred",
    "investigation",
    "suspect",
    "charged",
    "overturned",
    "indicted",
    "trial",
    "convicted",
    "appeal",
    "final",
    "dropped",
    "closed",
    "acquitted",
    "withdrawn",
    "amnestied",
    "pardoned",
]
CountStatus: TypeAlias = Literal[
    "undecided",
    "convicted",
    "acquitted",
    "dropped",
    "closed",
    "withdrawn",
    "replaced",
    "amnestied",
    "pardoned",
]
MeasureKind: TypeAlias = Literal[
    "travel_ban",
    "judicial_control",
    "electronic_monitoring",
    "asset_freeze",
    "sanction",
    "debarment",
    "disqualification",
    "licence_revoked",
    "other",
]
CaseKind: TypeAlias = Literal["criminal", "disciplinary", "administrative", "civil"]
Verdict: TypeAlias = Literal["convicted", "acquitted"]
Presumption: TypeAlias = Literal["presumed_innocent", "convicted_not_final", "convicted", "cleared"]
Headline: TypeAlias = CustodyStatus | Stage | ServiceStatus | Literal["wanted"]
