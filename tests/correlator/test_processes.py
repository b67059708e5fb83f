"""Two correlators in processes of their own: one works, the other takes its place when it is frozen or killed."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from projections.projector.rebuild import rebuild
from projections.rules.rulebook import Rulebook
from projections.tables.database import open_database
from projections.tables.schema import CORRELATOR, outbox, partitions
from services.database import migrate
from tests.correlator.test_commands import RULES
from tests.support import correlating
from tests.support.builders import Line, retracted, rows
from tests.support.commands import Running, start
from tests.support.correlating import House, counting, ministry

COUNT = Rulebook((counting(),))
LINES = ministry("abcdef")
PATIENCE_SECONDS = 150
"""Longer than PostgreSQL lets an idle transaction of a frozen process live."""

TOLD = ["open", "open", "retracted"]


@pytest.fixture
def house(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Projectors of two partitions over each kind of database; its correlators are processes of their own."""
    monkeypatch.setattr(correlating, "TOPIC", "casetrail.events.v1")
    engine = open_database(database_url)
    migrate(engine)
    yield House(2, engine, COUNT)
    engine.dispose()


@pytest.fixture
def pair(house: House, database_url: str, tmp_path: Path) -> Iterator[list[Running]]:
    """Two running correlators over the database of *house*."""
    (tmp_path / "rules.yaml").write_text(RULES)
    env = {"CASETRAIL_DATABASE_URL": database_url, "CASETRAIL_RULES": str(tmp_path / "rules.yaml")}
    assert epoch(house.engine), "the rules are in force from the beginning, so that all is told"
    with ExitStack() as stack:
        yield [stack.enter_context(start("run correlator", tmp_path, env)) for _ in range(2)]


def epoch(engine: Engine) -> int:
    """Return the epoch of the correlator."""
    (own,) = (row for row in rows(engine, partitions) if row["partition"] == CORRELATOR)
    return int(own["epoch"])


def told(house: House) -> list[str]:
    """Return the states that the notices of the correlator tell."""
    own = [row for row in rows(house.engine, outbox) if row["partition"] == CORRELATOR]
    assert len({row["notice_id"] for row in own}) == len(own), "no change is told twice"
    return [row["notice"]["state"] for row in own]


def await_told(house: House, lines: list[Line], until: str, count: int) -> None:
    """Project *lines*, declare *until*, and wait until so many notices are written."""
    house.project(lines)
    house.declare(until)
    end = time.monotonic() + PATIENCE_SECONDS
    while len(told(house)) < count and time.monotonic() < end:
        time.sleep(0.2)
    assert TOLD[:count] == told(house)


def known(first: str, last: str) -> list[Line]:
    """Return those of the facts that were recorded from *first* to *last*."""
    return [line for line in LINES if first <= line["recorded"][:10] <= last]


@pytest.mark.slow
def test_another_correlator_takes_the_place_of_one_that_is_frozen_or_killed(house: House, pair: list[Running]) -> None:
    """Whichever of two is frozen or killed, the other goes on; each change is told once, and a rebuild agrees."""
    one, other = (running.process for running in pair)
    started = epoch(house.engine)
    await_told(house, known("2022-01-01", "2022-02-09"), "2022-02-12", 1)

    one.send_signal(signal.SIGSTOP)
    await_told(house, known("2022-02-10", "2022-02-28"), "2022-03-01", 2)
    one.send_signal(signal.SIGCONT)

    other.kill()
    gone = [
        retracted(line, "2022-03-02", id=f"gone {n}", recorded="2022-03-02T12:00:00Z")
        for n, line in enumerate(LINES[-4:])
    ]
    await_told(house, gone, "2022-03-05", 3)

    assert one.poll() is None
    assert epoch(house.engine) > started
    assert [] == rebuild(house.engine, COUNT, lambda _: None, exchange=False)
