"""Two partitions that apply a fact of one id at the same moment: one is first, and the other knows by then."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from projections.projector.isolate import isolate_failures
from projections.projector.projector import Projector
from projections.rules.rulebook import pack
from projections.tables.database import open_database
from projections.tables.schema import LIVE, ledger
from services.database import migrate
from tests.support.builders import Line, dismissed, instant, records, rows, suspended
from tests.support.waiting import wait_until

NOW = instant("2022-12-31")
FACT = dismissed("2022-03-27", id="one")


@contextmanager
def held_back(engine: Engine) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Keep the next commit waiting: the first event says that it is about to be, the second lets it go on."""
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
    """Whether somebody waits for another's transaction."""
    with engine.connect() as conn:
        return bool(conn.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def projecting(engine: Engine, partition: int) -> Projector:
    """A projector of one of two partitions."""
    made = Projector(engine, pack(), partition, topic="two")
    made.assign(NOW)
    return made


@pytest.mark.parametrize(
    ("other", "outcome"), [(FACT, "duplicate"), (FACT | {"subject": "b"}, "conflict")], ids=["same", "other"]
)
def test_the_second_of_two_at_once_is_known(postgres_url: str, other: Line, outcome: str) -> None:
    """The database lets only one in; the batch of the other is looked at again, and nothing of it is parked."""
    one, two = open_database(postgres_url), open_database(postgres_url)
    migrate(one)
    first, second = projecting(one, 0), projecting(two, 1)
    theirs = [record._replace(topic="two", partition=1) for record in records([suspended("2022-03-01"), other])]
    with held_back(one) as (about, extend):
        threads = [threading.Thread(target=first.project, args=(records([FACT]), NOW))]
        threads[0].start()
        assert about.wait(60)
        threads.append(threading.Thread(target=second.project, args=(theirs, NOW)))
        threads[1].start()
        wait_until(lambda: waiting(two))
        extend.set()
        for thread in threads:
            thread.join(60)
    found = [(row["partition"], row["outcome"]) for row in rows(one, ledger) if row["entry"] == "record"]
    people = [row["subject_id"] for row in rows(one, LIVE.subjects)]
    for engine in (one, two):
        engine.dispose()

    assert [(0, "applied"), (1, "applied"), (1, outcome)] == found
    assert (1, 2, 0) == (second.held.applied, second.held.read, second.held.parked)
    assert ["a"] == people


def failing(*with_: Exception | None) -> Callable[[object, Exception | None], list[str]]:
    """Work that fails with these in turn, then succeeds."""
    left = [*with_]

    def work(items: object, failed: Exception | None) -> list[str]:
        problem = left.pop(0) if left else None
        if problem and not failed:
            raise problem
        return [f"{items} {type(failed).__name__}"]

    return work


def test_a_race_that_never_ends_is_no_race() -> None:
    """What the database refuses again and again is the record's fault, which is parked alone."""
    refused = IntegrityError("insert", {}, Exception("unique"))

    assert ["[1] NoneType"] == isolate_failures(failing(*[refused] * 5), [1])
    assert ["[1] IntegrityError"] == isolate_failures(failing(*[refused] * 6), [1])
    assert ["[1] NoneType", "[2] NoneType"] == isolate_failures(failing(*[refused] * 6), [1, 2])


def test_two_that_wait_for_each_other_are_no_failure_of_the_records() -> None:
    """PostgreSQL ends one of them, which does its batch again."""
    deadlocked = OperationalError("insert", {}, DeadlockDetected())

    assert ["[1] NoneType"] == isolate_failures(failing(deadlocked), [1])
