"""A notice of the outbox with the facets by which routes and silences select it."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

NoticeKind: TypeAlias = Literal[
    "open", "acknowledged", "resolved", "retracted", "superseded", "cleared", "cleared_withdrawn"
]


class Facets(NamedTuple):
    """
    The properties of everybody and everything that an alert is about, as far as they are known.

    A route or a silence fits if it fits any of them: an alert is about everybody whose facts are its evidence.

    Attributes:
        subjects: the people in the evidence.
        types: the types of the facts in the evidence.
        jurisdictions: those of the facts, and of the posts of the people.
        agencies, regions: those of the facts, and of the posts of the people.
    """

    subjects: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    jurisdictions: frozenset[str] = frozenset()
    agencies: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()


class Notice(NamedTuple):
    """
    A notice of the outbox.

    Attributes:
        partition, n: its place in the outbox. *n* rises with the notices of one alert and of one person.
        notice_id: its id.
        kind: the state of the alert after the change, or *cleared* and *cleared_withdrawn* of a person.
        alert_id: the alert; None: it is about a person.
        rule, severity: those of the alert; None: it is about a person.
        facets: the properties of everybody concerned.
        content: the JSON of the outbox.
    """

    partition: int
    n: int
    notice_id: str
    kind: NoticeKind
    alert_id: str | None
    rule: str | None
    severity: str | None
    facets: Facets
    content: Mapping[str, Any]
