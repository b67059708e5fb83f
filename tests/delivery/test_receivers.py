"""Several receivers of one outbox: each has a cursor of its own, and none waits for another."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from sqlalchemy import Engine, update

from events.errors import Unreachable
from projections.tables.bulk import store
from projections.tables.database import write_transaction
from projections.tables.outbox import KAFKA_RECEIVER, Outgoing, alone, forwards_wait
from projections.tables.schema import outbox, partitions, relays
from services.delivery.outbox_sender import OutboxSender
from services.delivery.receiver import Delivery
from tests.support.builders import rows
from tests.support.draining import drain
from tests.support.topic import migrated

ROWS = [
    Outgoing(0, 1, "notice", "notice-1", "a", "x", {"alert_id": "x"}, None, None, None, None),
    Outgoing(0, 2, "forward", "t/0/0", "a", None, None, 2, b"a", [], b"v"),
    Outgoing(0, 3, "notice", "notice-3", "a", "x", {"alert_id": "x"}, None, None, None, None),
]


class Mailbox:
    """A receiver that accepts rows up to a limit and keeps their ids."""

    def __init__(self, limit: int = 100) -> None:
        self.limit = limit
        self.ids: list[str] = []

    def send(self, rows: Sequence[Outgoing], stop: threading.Event, beat: Callable[[], None]) -> Delivery:
        """Accept the rows up to the limit, and refuse the next one."""
        del stop, beat
        count = min(len(rows), self.limit - len(self.ids))
        self.ids += [row.notice_id for row in rows[:count]]
        return Delivery(count, None if count == len(rows) else Unreachable("the mailbox is full"))

    def close(self) -> None:
        """Keep the ids: the mailbox outlives a connection."""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return a database with three rows in the outbox of its partition."""
    engine = migrated(database_url)
    drain(engine)
    with write_transaction(engine) as conn:
        store(conn, outbox, [tuple(row) for row in ROWS])
        conn.execute(update(partitions).values(notices=len(ROWS)))
    yield engine
    engine.dispose()


def send(engine: Engine, name: str, mailbox: Mailbox) -> bool:
    """Send the next rows to the receiver *name*; return whether there were some."""
    return OutboxSender(engine, name, lambda: mailbox).turn(threading.Event(), lambda: None)


def cursors(engine: Engine) -> dict[str, int]:
    """Return the cursor of each receiver in partition 0."""
    return {row["relay"]: row["sent"] for row in rows(engine, relays)}


def test_each_receiver_gets_every_row_once(engine: Engine) -> None:
    """The cursor of one does not move that of another."""
    mailboxes = {KAFKA_RECEIVER: Mailbox(), "mail": Mailbox()}
    sent = [send(engine, name, mailbox) for name, mailbox in [*mailboxes.items(), *mailboxes.items()]]

    assert [True, True, False, False] == sent
    assert [[row.notice_id for row in ROWS]] * 2 == [mailbox.ids for mailbox in mailboxes.values()]
    assert {KAFKA_RECEIVER: 3, "mail": 3} == cursors(engine)


def test_a_refusal_of_one_receiver_does_not_hold_up_another(engine: Engine) -> None:
    """The refused row stays the next one of that receiver alone."""
    full, empty = Mailbox(limit=1), Mailbox()
    send(engine, "full", full)
    send(engine, "empty", empty)

    assert {"full": 1, "empty": 3} == cursors(engine)
    full.limit = 100
    send(engine, "full", full)
    assert [row.notice_id for row in ROWS] == full.ids


def test_two_receivers_do_not_share_a_lock(engine: Engine) -> None:
    """A receiver that is away is waited for under its lock. SQLite has none."""
    has_locks = engine.dialect.name == "postgresql"
    with (
        alone(engine, KAFKA_RECEIVER, 0) as first,
        alone(engine, "mail", 0) as other,
        alone(engine, "mail", 0) as again,
    ):
        assert (True, True, not has_locks) == (first, other, again)


def test_only_the_kafka_receiver_forwards_records(engine: Engine) -> None:
    """A partition waits for a forwarded record until Kafka has it, and not for another receiver."""
    waiting = []
    for name in ("mail", KAFKA_RECEIVER):
        send(engine, name, Mailbox())
        with engine.connect() as conn:
            waiting.append(forwards_wait(conn, 2))

    assert [True, False] == waiting
