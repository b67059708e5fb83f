"""The topic of statuses gets each person's row when it has changed, for whatever reason, under a rising number."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from sqlalchemy import Engine, delete, update

from events.errors import BadInput, Unreachable
from projections.queries.subjects import Filter, statuses
from projections.tables.database import write_transaction
from projections.tables.delivery.schema import receivers, status_records
from projections.tables.schema import LIVE
from services.delivery.config.model import KafkaTopic, Receiver
from services.delivery.statuses.receiver import status_receiver
from services.delivery.statuses.record import NewStatus, Sent
from services.delivery.statuses.sender import StatusSender
from services.settings import Settings
from tests.support.builders import (
    Line,
    database,
    detained,
    dismissed,
    instant,
    project,
    projector,
    records,
    rows,
    suspended,
)

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The notifier is killed while it sends."""


class Shelf:
    """A topic that keeps the records that it was sent, and acknowledges those that it does not refuse."""

    def __init__(self) -> None:
        self.records: list[NewStatus] = []
        self.refused: set[str] = set()
        self.answer: Callable[[Sent], Sent] = lambda sent: sent

    def send(self, records: Iterable[NewStatus], goes_on: Callable[[], bool]) -> Sent:
        """Keep *records*."""
        del goes_on
        every = [*records]
        accepted = [record for record in every if record.subject_id not in self.refused]
        self.records += accepted
        return self.answer(Sent([record.sequence for record in accepted], len(every) - len(accepted), None))

    def close(self) -> None:
        """Keep the records."""

    def taken(self) -> list[str]:
        """Return the people of the records since the last call, in their order."""
        people = [record.subject_id for record in self.records]
        self.latest = {record.subject_id: record for record in self.records}
        self.records = []
        return people

    def status(self, subject_id: str) -> dict[str, Any]:
        """Return the status in the last record of a person."""
        status: dict[str, Any] = self.latest[subject_id].status or {}
        return status


class Story:
    """A partition with people, a topic, and notifiers that write to it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.projector = projector(engine)
        self.shelf = Shelf()
        self.now = datetime(2026, 1, 5, 12, tzinfo=UTC)
        self.sender = self.notifier("one")

    def notifier(self, owner: str) -> StatusSender:
        """Return a notifier."""
        return StatusSender(self.engine, "stream", owner, lambda: self.shelf, lambda: self.now)

    def tell(self, *lines: Line, until: str | None = None) -> list[str]:
        """Project *lines*, let time pass, and return the people of the records that are sent then."""
        if lines:
            batch = records(lines, self.projector.checkpoint.position)
            self.projector.project(batch, batch[-1].stamped)
        if until:
            self.projector.advance_watermark(instant(until), instant(until))
        return self.sent()

    def sent(self) -> list[str]:
        """Let the notifier work until it has nothing to do; return the people of its records."""
        for _ in range(20):
            if not self.sender.turn(lambda: True):
                break
        return self.shelf.taken()

    def compare_everybody(self) -> list[str]:
        """Let the notifier compare everybody, and return the people of its records."""
        for _ in range(2):
            self.now += timedelta(seconds=6)
            self.sender.turn(lambda: True)
        return self.shelf.taken()

    def lose(self) -> None:
        """Let the time end for which the notifier owns the receiver."""
        with write_transaction(self.engine) as conn:
            conn.execute(update(receivers).values(owned_until=LONG_AGO))

    def stored(self) -> dict[str, Any]:
        """Return the status of everybody, as `casetrail status --json` prints it."""
        with self.engine.connect() as conn:
            return {status["subject_id"]: status for status in statuses(conn, Filter())}


@pytest.fixture
def story() -> Story:
    """A partition without people."""
    return Story(database())


def test_everybody_has_a_record_and_only_those_who_changed_get_another(engine: Engine) -> None:
    """A new receiver begins with the first row of the ledger; the numbers rise."""
    story = Story(engine)
    first = story.tell(*(dismissed("2022-03-27", subject=person) for person in "abc"))
    numbers = [record.sequence for record in story.shelf.latest.values()]
    idle = story.sent()
    second = story.tell(detained("2022-04-20", subject="b"), detained("2022-04-21", subject="b"))
    again = story.shelf.latest["b"]

    assert ["a", "b", "c"] == first
    assert [] == idle
    assert ["b"] == second
    assert [1, 2, 3, 4] == [*numbers, again.sequence]
    assert story.stored()["b"] == again.status


def test_time_alone_changes_a_row(engine: Engine) -> None:
    """A suspension that was announced counts from its day on, and the row is sent then."""
    story = Story(engine)
    announced = story.tell(suspended("2022-05-01", published="2022-04-01"), until="2022-04-10")
    before = story.shelf.status("a")["service"]["status"]
    early = story.tell(until="2022-04-20")
    due = story.tell(until="2022-06-01")

    assert (["a"], [], ["a"]) == (announced, early, due)
    assert ("unknown", "suspended") == (before, story.shelf.status("a")["service"]["status"])
    assert story.stored()["a"] == story.shelf.latest["a"].status


def test_a_record_that_cannot_be_read_counts_as_unread(story: Story) -> None:
    """The row itself is not written, and yet the JSON changes."""
    fact = dismissed("2022-03-27")
    story.tell(fact)
    changed = story.tell(fact | {"data": fact["data"] | {"occurred": "2022-03-28", "published": "2022-03-28"}})

    assert ["a"] == changed
    assert 1 == story.shelf.status("a")["unread"]


def test_a_change_that_left_no_trace_is_found_in_time(engine: Engine) -> None:
    """A rebuild with another release writes rows and no rows of the ledger; one that is gone gets an end."""
    story = Story(engine)
    story.tell(*(dismissed("2022-03-27", subject=person) for person in "abc"))
    with write_transaction(story.engine) as conn:
        conn.execute(update(LIVE.subjects).where(LIVE.subjects.c.subject_id == "b").values(name="B"))
        conn.execute(delete(LIVE.subjects).where(LIVE.subjects.c.subject_id == "c"))
    unnoticed = story.sent()

    assert [] == unnoticed
    assert ["b", "c"] == story.compare_everybody()
    assert "B" == story.shelf.status("b")["name"]
    assert story.shelf.latest["c"].status is None
    assert ([], []) == (story.compare_everybody(), story.compare_everybody())


def test_after_a_takeover_the_statuses_that_may_be_on_their_way_are_written_again(story: Story) -> None:
    """The first notifier is killed while it sends; the second one sends the same people with higher numbers."""
    story.tell(dismissed("2022-03-27", subject="a"))

    def die(_: Sent) -> Sent:
        raise Killed

    story.shelf.answer = die
    with pytest.raises(Killed):
        story.tell(dismissed("2022-03-28", subject="b"), dismissed("2022-03-28", subject="c"))
    story.shelf.taken()
    lost = story.shelf.latest
    story.shelf.answer = lambda sent: sent
    story.sender = story.notifier("two")
    standby = story.sent()
    story.lose()
    again = story.sent()

    assert [] == standby
    assert ["b", "c"] == again
    assert max(record.sequence for record in lost.values()) < story.shelf.latest["b"].sequence
    assert [True] * 3 == [row["acknowledged"] for row in rows(story.engine, status_records)]


def test_a_notifier_that_was_paused_writes_nothing_down(story: Story) -> None:
    """Another one has taken the receiver over, so its acknowledgements no longer count."""
    second = story.notifier("two")

    def pause(sent: Sent) -> Sent:
        story.lose()
        story.shelf.answer = lambda sent: sent
        second.turn(lambda: True)
        return sent

    story.shelf.answer = pause
    story.projector.project(records([dismissed("2022-03-27")]), instant("2022-04-01"))
    has_worked = story.sender.turn(lambda: True)
    numbers = [record.sequence for record in story.shelf.records]

    assert not has_worked
    assert [1, 2] == numbers
    assert [(2, True)] == [(row["sequence"], row["acknowledged"]) for row in rows(story.engine, status_records)]


def test_a_refused_record_does_not_hold_up_others(story: Story) -> None:
    """It stays without an acknowledgement, and is written again a minute later."""
    story.shelf.refused = {"a"}
    first = story.tell(dismissed("2022-03-27", subject="a"), dismissed("2022-03-27", subject="b"))
    soon = story.sent()
    story.shelf.refused = set()
    story.now += timedelta(minutes=2)

    assert (["b"], [], ["a"]) == (first, soon, story.sent())


def test_a_broker_that_is_away_is_said_and_tried_again(story: Story) -> None:
    """The state of the receiver names the trouble, and nothing is lost."""
    story.shelf.answer = lambda _: Sent([], 0, "KafkaTimeoutError")
    with pytest.raises(Unreachable, match="KafkaTimeoutError"):
        story.tell(dismissed("2022-03-27"))
    (failing,) = rows(story.engine, receivers)
    story.shelf.answer = lambda sent: sent
    story.shelf.taken()

    assert ("failing", "KafkaTimeoutError", 1) == (failing["state"], failing["last_answer"], failing["failures"])
    assert ["a"] == story.sent()
    assert "ok" == rows(story.engine, receivers)[0]["state"]


def test_a_page_is_no_limit(story: Story) -> None:
    """More people than a page holds all get their records."""
    people = [f"p{n:03}" for n in range(450)]
    project(story.projector, [dismissed("2022-03-27", subject=person) for person in people])

    assert people == story.sent()


@pytest.mark.parametrize(
    ("log", "topics", "words"),
    [
        ("local", ["casetrail.status.v1"], "the log is local"),
        ("kafka", ["elsewhere"], "elsewhere is not a topic of casetrail"),
        ("kafka", ["casetrail.status.v1"] * 2, "casetrail.status.v1 is the topic of r0 too"),
    ],
)
def test_a_receiver_that_no_notifier_could_serve_is_refused(
    log: Literal["local", "kafka"], topics: list[str], words: str
) -> None:
    """The start fails, instead of a topic that stays empty."""
    named = [Receiver(f"r{n}", KafkaTopic(topic)) for n, topic in enumerate(topics)]

    with pytest.raises(BadInput, match=words):
        status_receiver(Settings(log=log), named)


def test_statuses_are_written_only_if_a_receiver_names_their_topic() -> None:
    """A receiver of the topic of alerts changes nothing: all notices go there anyway."""
    alerts, stream = Receiver("alerts", KafkaTopic("casetrail.alerts.v1")), Receiver("s", KafkaTopic("my.status"))
    settings = Settings(log="kafka", kafka_status_topic="my.status")

    assert status_receiver(settings, [alerts]) is None
    assert stream == status_receiver(settings, [alerts, stream])
