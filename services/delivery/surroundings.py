"""The notices with their facets, the silences and muted addresses, and the instant of the next digest."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import Connection

from projections.queries.notices import facets_of
from projections.queries.silences import SilenceRow, silences
from projections.tables.delivery.messages import muted_addresses
from projections.tables.outbox import Outgoing
from services.delivery.config.model import Mail, Receiver
from services.delivery.routing.notice import Facets, Notice

if TYPE_CHECKING:
    from services.delivery.routing.notice import NoticeKind


class Surroundings(NamedTuple):
    """The silences and the muted addresses (case-folded), which hold for every notice of a page."""

    silences: Sequence[SilenceRow]
    muted: frozenset[str]


def surroundings(conn: Connection) -> Surroundings:
    """Return the silences and the muted addresses."""
    return Surroundings(silences(conn), muted_addresses(conn))


def notices_of(conn: Connection, rows: Sequence[Outgoing]) -> list[Notice]:
    """Return the notices of *rows* with their facets."""
    contents = [row.notice or {} for row in rows]
    facets = facets_of(conn, contents)
    return [_notice(row, content, Facets(**own)) for row, content, own in zip(rows, contents, facets, strict=True)]


def _notice(row: Outgoing, content: Mapping[str, Any], facets: Facets) -> Notice:
    kind = cast("NoticeKind", content["state"] if row.kind == "notice" else row.kind)
    rule, severity = content.get("rule"), content.get("severity")
    return Notice(row.partition, row.n, row.notice_id, kind, row.alert_id, rule, severity, facets, content)


def next_digest(receiver: Receiver, now: datetime) -> datetime | None:
    """Return the instant of the next digest of *receiver* after *now*; None: it has none."""
    digest = receiver.target.digest if isinstance(receiver.target, Mail) else None
    if digest is None:
        return None
    local = now.astimezone(digest.zone)
    days = (local.date(), local.date() + timedelta(days=1))
    instants = (datetime.combine(day, digest.at, digest.zone).astimezone(UTC) for day in days)
    return next(instant for instant in instants if instant > now)


def addresses_of(receiver: Receiver) -> Sequence[str]:
    """Return the addresses of *receiver*: those of its mail, or one that is empty."""
    return receiver.target.addresses if isinstance(receiver.target, Mail) else ("",)
