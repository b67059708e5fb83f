"""Processes at once on PostgreSQL: notifiers that start together, and a projector that writes while one reads."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine, event

from projections.tables.database import open_database
from projections.tables.delivery.ownership import take_over
from projections.tables.delivery.schema import deliveries
from services.database import migrate
from services.delivery.config.model import Receiver, Route, Webhook
from tests.support.builders import rows
from tests.support.telling import Desk

HOOK = Receiver("desk", Webhook("https://desk.example/hook", "DESK"))
NOTIFIERS = 4


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """A migrated database in PostgreSQL, where transactions overlap."""
    database = open_database(postgres_url)
    migrate(database)
    yield database
    database.dispose()


def test_notifiers_that_start_at_once_share_a_new_receiver(engine: Engine) -> None:
    """One of them owns it, and none of them fails."""
    for turn in range(5):
        barrier = Barrier(NOTIFIERS)

        def start(owner: str, turn: int = turn, barrier: Barrier = barrier) -> bool:
            barrier.wait()
            return take_over(engine, f"desk-{turn}", "webhook", owner) is not None

        with ThreadPoolExecutor(NOTIFIERS) as pool:
            owners = [*pool.map(start, "abcd")]
        assert 1 == owners.count(True)


def test_a_notice_that_is_committed_while_the_page_is_read_is_decided_on_once(engine: Engine) -> None:
    """The page may have rows behind the end of the partition, which was read before. They wait, and are not dropped."""
    desk = Desk(HOOK, (Route(1, ("desk",), wait=timedelta(minutes=5)),), engine)
    desk.notice("a", "open")
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def commit_between(_: object, __: object, statement: str, *___: object) -> None:
        if "FROM outbox" in statement and "LIMIT" in statement and not statements:
            statements.append(statement)
            desk.notice("b", "open")

    for _ in range(2):
        desk.settle()
    desk.wait(minutes=5)

    assert 1 == len(statements)
    assert [("open", "a"), ("open", "b")] == desk.sent()
    assert ["delivered"] * 2 == [row["state"] for row in rows(engine, deliveries)]
