"""The checks of delivery: whether anybody is told, and whether the messages arrive."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from events.errors import BadInput
from projections.tables.delivery.operation import receiver_counts
from services.delivery.config.loading import load_delivery
from services.delivery.statuses.receiver import status_receiver
from services.settings import Settings, delivery_file

from .check import DATA, Check

LATE = timedelta(hours=1)


def delivery_file_check(settings: Settings) -> Check:
    """Check that there is a file of receivers, and that it is right."""
    file = delivery_file(settings)
    if file is None:
        # Not a warning: some read the alerts from Kafka or with `alerts --follow`, and need no receiver.
        return Check("delivery", "ok", "nobody is told: there is no delivery.yaml (docs/first-mail.md makes one)")
    try:
        config = load_delivery(file)
        status_receiver(settings, config.receivers.values())
    except BadInput as problem:
        return Check("delivery", "error", str(problem), "correct them; `casetrail delivery check` says more", DATA)
    return Check("delivery", "ok", f"{len(config.receivers)} receivers, {len(config.routes)} routes")


def receiver_checks(conn: Connection) -> Iterator[Check]:
    """Yield a check for each receiver that fails, or whose messages wait or were given up."""
    now = datetime.now(UTC)
    for counts in receiver_counts(conn):
        name = f"receiver {counts.receiver}"
        if counts.state != "ok":
            found = f"{counts.state}, {counts.queued} messages wait; last answer: {counts.last_answer}"
            yield Check(name, "warning", found, "see `casetrail delivery list`; `delivery enable` tries now")
        elif counts.oldest is not None and counts.oldest < now - LATE:
            yield Check(name, "warning", "a message waits for over an hour", "check that `casetrail run` is running")
        elif counts.given_up:
            found = f"{counts.given_up} messages were given up"
            yield Check(name, "warning", found, "`casetrail delivery resend NOTICE` sends one again")
