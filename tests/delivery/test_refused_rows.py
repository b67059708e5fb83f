"""No row overtakes a row that Kafka refuses: the later rows of its partition wait for it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from sqlalchemy import update

from projections.tables.bulk import store
from projections.tables.database import write_transaction
from projections.tables.outbox import Outgoing
from projections.tables.schema import outbox, partitions
from services.delivery.kafka import kafka_receiver
from services.delivery.receiver import Delivery
from tests.support.outboxes import Place, running_notifiers
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SMALL_BYTES = 4000


@pytest.fixture
def place(kafka_server: str, kafka_topics: Callable[..., str], sqlite_url: str) -> Iterator[Place]:
    """Return a place with a topic of notices that accepts at most `SMALL_BYTES` in a batch."""

    def make(partitions: int, settings: dict[str, str] | None = None) -> str:
        return kafka_topics(partitions, settings or {"max.message.bytes": str(SMALL_BYTES)})

    place = Place(kafka_server, make, sqlite_url)
    yield place
    place.engine.dispose()


def notice(n: int, size: int = 10, subject: str = "a") -> Outgoing:
    """Return row *n* of partition 0: a notice of a little more than *size* bytes."""
    content: dict[str, Any] = {
        "alert_id": "x",
        "state": str(n),
        "life": [{"at": "2022-10-01T00:00:00Z"}],
        "pad": size * ".",
    }
    return Outgoing(0, n, "notice", f"notice-{n}", subject, "x", content, None, None, None, None)


def send(place: Place, *rows: Outgoing) -> Delivery:
    """Send *rows* once, over a new connection."""
    with closing(kafka_receiver(place.settings, place.engine)) as receiver:
        return receiver.send(rows, threading.Event(), lambda: None)


def put(place: Place, *rows: Outgoing) -> None:
    """Put *rows* into the outbox of partition 0."""
    with write_transaction(place.engine) as conn:
        store(conn, outbox, [tuple(row) for row in rows])
        conn.execute(update(partitions).where(partitions.c.partition == 0).values(notices=rows[-1].n))


def sent_ids(place: Place, count: int) -> list[str]:
    """Return the ids of the notices in the topic, at least *count*, in their order."""
    return [dict(record.headers)["ce_id"].decode() for record in place.sent_notices(count)]


def allow(place: Place, size: int) -> None:
    """Set the limit of the topic of notices to *size* bytes."""
    with closing(KafkaAdminClient(bootstrap_servers=place.settings.kafka_bootstrap_servers)) as admin:
        topic = ConfigResource("TOPIC", place.settings.kafka_alerts_topic, {"max.message.bytes": str(size)})
        admin.alter_configs([topic])


def test_rows_after_a_refused_row_are_not_sent_before_it(place: Place) -> None:
    """Otherwise a reader could see the retraction of an alert that never opened."""
    rows = [notice(1), notice(2, 2 * SMALL_BYTES), notice(3), *(notice(n, SMALL_BYTES // 2) for n in range(4, 9))]
    count, problem = send(place, *rows)

    assert 1 == count
    assert "Kafka refuses row 2 of the outbox of partition 0: MessageSizeTooLargeError" == str(problem)
    allow(place, 1_000_000)
    assert (7, None) == send(place, *rows[1:])
    assert [f"notice-{n}" for n in range(1, 9)] == sent_ids(place, 8)


def test_rows_that_are_too_large_together_are_sent_in_several_batches(place: Place) -> None:
    """Each row fits by itself, so none is refused."""
    rows = [notice(n, SMALL_BYTES // 3) for n in range(20)]

    assert (20, None) == send(place, *rows)
    assert [f"notice-{n}" for n in range(20)] == sent_ids(place, 20)


def test_all_waiting_rows_follow_in_order_once_a_row_is_accepted(place: Place) -> None:
    """Until then no row is sent again and again, about any person."""
    put(place, notice(1), notice(2, 2 * SMALL_BYTES), notice(3), notice(4, subject="b"), notice(5, subject="c"))
    notifier = place.notifier()
    with running_notifiers(notifier):
        wait_until(lambda: place.sent() == {0: 1})
        wait_until(lambda: any(backoff.failures >= 3 for backoff in [*notifier._refused.values()]))  # noqa: SLF001 - not shown
        allow(place, 1_000_000)
        wait_until(lambda: place.sent() == {0: 5})

    ids = sent_ids(place, 5)
    assert [f"notice-{n}" for n in range(1, 6)] == sorted(ids)
    assert ["notice-1", "notice-2", "notice-3"] == [notice_id for notice_id in ids if notice_id < "notice-4"]
