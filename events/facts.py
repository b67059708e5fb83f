"""One fact as the rest of the program knows it: its data, and the times that follow from it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from events.edtf import LOCAL_DAY_SLACK, Span, bound, parse
from events.vocabulary import RANK

UNRECORDED: Final = datetime.max.replace(tzinfo=UTC)
"""Stands for `Fact.recorded` until a ledger gave one: later than anything that was recorded."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)

Order = tuple[datetime, datetime, int, datetime, datetime, str]


class Fact(NamedTuple):
    """
    One immutable statement about one person.

    Attributes:
        id: the dedupe key, for ever and across all sources.
        type: one of the vocabulary's types.
        subject: the subject_id of the person it is about.
        source: the ingestion tool that stated it.
        version: the dataversion it was published with.
        data: its data as plain JSON values, in the shape of the type's current version.
        occurred: when it happened, ending no later than it was published.
        published: when its source made it known.
        announced: whether its source published it before it happens; then `occurred` is not cut.
        recorded: when the ledger accepted it, or the correction whose data it has, aware UTC; `UNRECORDED` before that.
        order: its place in world order; facts sort by it.
    """

    id: str
    type: str
    subject: str
    source: str
    version: str
    data: Mapping[str, Any]
    occurred: Span
    published: Span
    announced: bool
    recorded: datetime
    order: Order

    @property
    def dated_ahead(self) -> bool:
        """Whether it begins later than any place's day on which it was recorded, though no source announced it."""
        earliest = self.occurred.earliest
        return earliest is not None and not self.announced and earliest - self.recorded > LOCAL_DAY_SLACK

    @property
    def ahead(self) -> bool:
        """Whether its time had not come when it became known: announced by its source, or dated ahead."""
        return self.announced or self.dated_ahead


def make_fact(  # noqa: PLR0913 - this is what a fact is made of
    *,
    id: str,  # noqa: A002
    type: str,  # noqa: A002
    subject: str,
    source: str,
    version: str,
    data: Mapping[str, Any],
    recorded: datetime = UNRECORDED,
) -> Fact:
    """
    Return the fact, its spans and its place in world order worked out from *data*.

    Args:
        id: the fact's id.
        type: one of the vocabulary's types.
        subject: the subject_id.
        source: the ingestion tool.
        version: the dataversion it came with.
        data: validated data in the shape of the current version.
        recorded: the ledger's instant, aware UTC.

    Raises:
        BadDate: if `occurred` or `published` in *data* is not a date; validated data does not raise.
    """
    occurred, published, announced, latest, earliest, known, said = _times(data["occurred"], data["published"])
    order = (latest, earliest, RANK[type], known, said, id)
    return Fact(id, type, subject, source, version, data, occurred, published, announced, recorded, order)


def replace_data(fact: Fact, data: Mapping[str, Any], recorded: datetime) -> Fact:
    """
    Return *fact* as a correction leaves it: other data, and the times of that data.

    Args:
        fact: the fact that is corrected; its id and source stay.
        data: the whole new data, fit for the fact's type (`vocabulary.data_problem` returned None).
        recorded: when the ledger accepted the correction, aware UTC; what it says was not known before.

    Raises:
        BadDate: if *data* was not validated and its dates are none.
    """
    return make_fact(
        id=fact.id,
        type=fact.type,
        subject=fact.subject,
        source=fact.source,
        version=fact.version,
        data=data,
        recorded=max(fact.recorded, recorded),
    )


# Facts of one story share their dates, so most pairs have been worked out before.
@lru_cache(maxsize=65536)
def _times(occurred_text: str, published_text: str) -> tuple[Span, Span, bool, datetime, datetime, datetime, datetime]:
    """Return both spans, whether it is announced, and the four ends that order it (an open end is infinite)."""
    published = parse(published_text)
    occurred, announced = bound(parse(occurred_text), published)
    return (
        occurred,
        published,
        announced,
        occurred.latest or UNRECORDED,
        occurred.earliest or _NEVER,
        published.latest or UNRECORDED,
        published.earliest or _NEVER,
    )
