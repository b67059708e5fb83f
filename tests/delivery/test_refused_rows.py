"""What Kafka refuses is not overtaken: what was told after it about the same person waits for it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from sqlalchemy import update

from projections.tables.bulk import store
from projections.tables.database import writing
from projections.tables.outbox import Outgoing
from projections.tables.schema import outbox, partitions
from services.delivery.kafka import sender
from services.delivery.receiver import Sent
from tests.support.outboxes import Place, at_work
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SMALL_BYTES = 4000


@pytest.fixture
def place(kafka_server: str, kafka_topics: Callable[..., str], sqlite_url: str) -> Iterator[Place]:
    """A place whose topic of notices takes no more than `SMALL_BYTES` at once."""

    def make(partitions: int, settings: dict[str, str] | None = None) -> str:
        return kafka_topics(partitions, settings or {"max.message.bytes": str(SMALL_BYTES)})

    made = Place(kafka_server, make, sqlite_url)
    yield made
    made.engine.dispose()


def notice(n: int, size: int = 10, subject: str = "a") -> Outgoing:
    """The row *n* of partition 0: a notice of *size* bytes and some more."""
    told: dict[str, Any] = {
        "alert_id": "x",
        "state": str(n),
        "life": [{"at": "2022-10-01T00:00:00Z"}],
        "pad": size * ".",
    }
    return Outgoing(0, n, "notice", f"notice-{n}", subject, "x", told, None, None, None, None)


def send(place: Place, *rows: Outgoing) -> Sent:
    """Send *rows* once, by a sender of our own."""
    with closing(sender(place.settings, place.engine)) as sending:
        return sending.send(rows, threading.Event(), lambda: None)


def tell(place: Place, *rows: Outgoing) -> None:
    """Put *rows* into the outbox."""
    with writing(place.engine) as conn:
        store(conn, outbox, [tuple(row) for row in rows])
        conn.execute(update(partitions).where(partitions.c.partition == 0).values(notices=rows[-1].n))


def arrived(place: Place, count: int) -> list[str]:
    """The ids of the notices in the topic, at least *count*, in their order."""
    return [dict(record.headers)["ce_id"].decode() for record in place.told(count)]


def allow(place: Place, size: int) -> None:
    """Let the topic of notices take *size* bytes."""
    with closing(KafkaAdminClient(bootstrap_servers=place.settings.kafka_bootstrap_servers)) as admin:
        topic = ConfigResource("TOPIC", place.settings.kafka_alerts_topic, {"max.message.bytes": str(size)})
        admin.alter_configs([topic])


def test_what_was_told_after_a_refused_row_is_not_sent_before_it(place: Place) -> None:
    """Else a reader would see an alert retracted that was never opened."""
    rows = [notice(1), notice(2, 2 * SMALL_BYTES), notice(3), *(notice(n, SMALL_BYTES // 2) for n in range(4, 9))]
    count, problem = send(place, *rows)

    assert 1 == count
    assert "Kafka refuses row 2 that partition 0 told: MessageSizeTooLargeError" == str(problem)
    allow(place, 1_000_000)
    assert (7, None) == send(place, *rows[1:])
    assert [f"notice-{n}" for n in range(1, 9)] == arrived(place, 8)


def test_rows_that_are_too_much_together_are_sent_one_after_the_other(place: Place) -> None:
    """Each is taken by itself, so none of them is refused."""
    rows = [notice(n, SMALL_BYTES // 3) for n in range(20)]

    assert (20, None) == send(place, *rows)
    assert [f"notice-{n}" for n in range(20)] == arrived(place, 20)


def test_once_it_is_taken_all_that_waited_follows_in_order(place: Place) -> None:
    """And while it is not, nothing is sent again and again, whoever it is about."""
    tell(place, notice(1), notice(2, 2 * SMALL_BYTES), notice(3), notice(4, subject="b"), notice(5, subject="c"))
    relay = place.relay()
    with at_work(relay):
        wait_until(lambda: place.sent() == {0: 1})
        wait_until(lambda: any(refused.times >= 2 for refused in [*relay._refused.values()]))  # noqa: SLF001 - in vain
        allow(place, 1_000_000)
        wait_until(lambda: place.sent() == {0: 5})

    found = arrived(place, 5)
    assert [f"notice-{n}" for n in range(1, 6)] == sorted(found)
    assert ["notice-1", "notice-2", "notice-3"] == [each for each in found if each < "notice-4"]
