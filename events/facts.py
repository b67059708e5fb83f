"""A decoded fact: its data, and the times that follow from it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from events.edtf import BEGINNING, LOCAL_DAY_SLACK, Span, bound, parse
from events.vocabulary import RANK

UNRECORDED: Final = datetime.max.replace(tzinfo=UTC)
"""The value of `Fact.recorded` before the ledger accepts the fact: later than any recorded instant."""

Order = tuple[datetime, datetime, int, datetime, datetime, str]


class Fact(NamedTuple):
    """
    One immutable statement about one person.

    Attributes:
        id: the dedupe key, permanently and across all sources.
        type: one of the vocabulary's types.
        subject: the subject_id of the person it is about.
        source: the ingestion tool that stated it.
        version: the dataversion it was published with.
        data: its data as plain JSON values, in the shape of the type's current version.
        occurred: the span in which it happened; it ends no later than `published`.
        published: the span in which its source made it known.
        announced: whether its source published it before it happens; then `occurred` is not cut.
        recorded: the instant at which the ledger accepted it, or the correction with its data, aware UTC; `UNRECORDED`
            before that.
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
        """Whether it begins after the day of its recording has ended everywhere, though no source announced it."""
        earliest = self.occurred.earliest
        return earliest is not None and not self.announced and earliest - self.recorded > LOCAL_DAY_SLACK

    @property
    def ahead(self) -> bool:
        """Whether its time had not come when it became known: announced by its source, or dated ahead."""
        return self.announced or self.dated_ahead


def make_fact(  # noqa: PLR0913 - the parts of a fact
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
    Return the fact, with its spans and its place in world order computed from *data*.

    Args:
        id: the fact's id.
        type: one of the vocabulary's types.
        subject: the subject_id.
        source: the ingestion tool.
        version: the dataversion it came with.
        data: validated data in the shape of the current version.
        recorded: the instant at which the ledger accepted it, aware UTC.

    Raises:
        BadDate: if `occurred` or `published` in *data* is not a date; validated data does not raise.
    """
    occurred, published, announced, latest, earliest, known, said = _times(data["occurred"], data["published"])
    order = (latest, earliest, RANK[type], known, said, id)
    return Fact(id, type, subject, source, version, data, occurred, published, announced, recorded, order)


def replace_data(fact: Fact, data: Mapping[str, Any], recorded: datetime) -> Fact:
    """
    Return *fact* with the data of a correction, and the times of that data.

    Args:
        fact: the fact that is corrected; its id and source stay.
        data: the whole new data; it fits the type of the fact (`vocabulary.data_problem` returned None).
        recorded: the instant at which the ledger accepted the correction, aware UTC; its data was not known before.

    Raises:
        BadDate: if *data* was not validated and a date in it cannot be read.
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


# Facts share their dates, so most pairs have been computed before.
@lru_cache(maxsize=65536)
def _times(occurred_text: str, published_text: str) -> tuple[Span, Span, bool, datetime, datetime, datetime, datetime]:
    """Return both spans, whether the fact is announced, and the four ends that order it (an open end is infinite)."""
    published = parse(published_text)
    occurred, announced = bound(parse(occurred_text), published)
    return (
        occurred,
        published,
        announced,
        occurred.latest or UNRECORDED,
        occurred.earliest or BEGINNING,
        published.latest or UNRECORDED,
        published.earliest or BEGINNING,
    )
