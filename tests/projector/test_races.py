"""Two partitions apply facts with one id at the same moment: one is first, and the other sees it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from projections.projector.isolate import isolate_failures
from projections.projector.projector import Projector
from projections.tables.database import open_database
from projections.tables.schema import LIVE, ledger
from services.database import migrate
from tests.support.builders import Line, dismissed, instant, records, rows, suspended
from tests.support.rules import dismissals
from tests.support.waiting import wait_until

NOW = instant("2022-12-31")
FACT = dismissed("2022-03-27", id="one")


@contextmanager
def held_back(engine: Engine) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Hold the next commit back: the first event reports that it is about to start, the second releases it."""
    about, extend = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        about.set()
        extend.wait(60)

    event.listen(engine, "commit", wait)
    try:
        yield about, extend
    finally:
        extend.set()
        event.remove(engine, "commit", wait)


def waiting(engine: Engine) -> bool:
    """Return whether a transaction waits for another one."""
    with engine.connect() as conn:
        return bool(conn.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def projecting(engine: Engine, partition: int) -> Projector:
    """Return a projector of one of two partitions."""
    result = Projector(engine, dismissals(), partition, topic="two")
    result.assign(NOW)
    return result


@pytest.mark.parametrize(
    ("other", "outcome"), [(FACT, "duplicate"), (FACT | {"subject": "b"}, "conflict")], ids=["same", "other"]
)
def test_the_second_of_two_equal_ids_is_classified_again(postgres_url: str, other: Line, outcome: str) -> None:
    """The database accepts only one of two equal ids; the other batch is classified again, and no record is parked."""
    one, two = open_database(postgres_url), open_database(postgres_url)
    migrate(one)
    first, second = projecting(one, 0), projecting(two, 1)
    second_records = [record._replace(topic="two", partition=1) for record in records([suspended("2022-03-01"), other])]
    with held_back(one) as (about, extend):
        threads = [threading.Thread(target=first.project, args=(records([FACT]), NOW))]
        threads[0].start()
        assert about.wait(60)
        threads.append(threading.Thread(target=second.project, args=(second_records, NOW)))
        threads[1].start()
        wait_until(lambda: waiting(two))
        extend.set()
        for thread in threads:
            thread.join(60)
    outcomes = [(row["partition"], row["outcome"]) for row in rows(one, ledger) if row["entry"] == "record"]
    people = [row["subject_id"] for row in rows(one, LIVE.subjects)]
    for engine in (one, two):
        engine.dispose()

    assert [(0, "applied"), (1, "applied"), (1, outcome)] == outcomes
    assert (1, 2, 0) == (second.checkpoint.applied, second.checkpoint.read, second.checkpoint.parked)
    assert ["a"] == people


def failing(*with_: Exception | None) -> Callable[[object, Exception | None], list[str]]:
    """Return work that fails with these exceptions in turn, then succeeds."""
    left = [*with_]

    def work(items: object, failed: Exception | None) -> list[str]:
        problem = left.pop(0) if left else None
        if problem and not failed:
            raise problem
        return [f"{items} {type(failed).__name__}"]

    return work


def test_a_record_that_is_always_refused_is_parked() -> None:
    """A record that the database refuses every time is parked alone."""
    refused = IntegrityError("insert", {}, Exception("unique"))

    assert ["[1] NoneType"] == isolate_failures(failing(*[refused] * 5), [1])
    assert ["[1] IntegrityError"] == isolate_failures(failing(*[refused] * 6), [1])
    assert ["[1] NoneType", "[2] NoneType"] == isolate_failures(failing(*[refused] * 6), [1, 2])


def test_a_deadlock_is_not_a_failure_of_the_records() -> None:
    """A deadlock is not a failure of the records: PostgreSQL ends one transaction, and its batch is repeated."""
    deadlocked = OperationalError("insert", {}, DeadlockDetected())

    assert ["[1] NoneType"] == isolate_failures(failing(deadlocked), [1])
