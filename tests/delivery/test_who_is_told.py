"""
A plain model of who must be told, against the planner and the sender on a database.

The model knows two sentences: an address that received an opening receives the last end, and no other address receives
an end. A message that bounced was not received. It knows nothing of routes, cursors, digests or tries.
"""

import json
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from projections.correlator.chain_entries import NewSilence
from projections.correlator.correlator import add_silence, end_silence
from projections.queries.silences import SilenceEnd
from projections.tables.delivery.schema import deliveries
from services.delivery.by_hand.bouncing import bounce
from services.delivery.by_hand.sending_again import resend_notice
from services.delivery.config.model import DeliveryConfig, Digest, Mail, Receiver, Route
from services.delivery.message import Attempt, Message
from tests.support.builders import database, rows
from tests.support.telling import (
    ACCEPTED,
    NEVER,
    NOT_NOW,
    UNANSWERED,
    UNREACHABLE,
    Desk,
    Killed,
    emptied,
)

LISTS = (("a@desk.example",), ("a@desk.example", "b@desk.example"), ("b@desk.example",))
ROUTES = (
    (Route(1, ("desk",)),),
    (),
    (Route(1, ("desk",), rule=frozenset({"other"})),),
    (Route(1, ("desk",), wait=timedelta(minutes=5), remind=timedelta(days=2)),),
)
ENDS = ("resolved", "retracted", "superseded")

WORK = st.sampled_from((0, 1, 1, 301, 90_000))
"""The seconds that pass before the notifier works; 0: it does not."""

BEFORE, AFTER = Killed(sent_whole=False), Killed(sent_whole=True)
ANSWERS = st.lists(st.sampled_from((ACCEPTED, UNREACHABLE, UNANSWERED, NOT_NOW, NEVER, BEFORE, AFTER)), min_size=1)
NOTICES = st.tuples(st.just("notice"), st.sampled_from("xyz"), st.sampled_from(("open", "open", *ENDS)))
STEPS = st.one_of(
    NOTICES,
    NOTICES,
    st.tuples(st.just("cleared"), st.sampled_from("pq")),
    st.tuples(st.just("answers"), ANSWERS),
    st.tuples(st.just("list"), st.sampled_from(LISTS)),
    st.tuples(st.just("routes"), st.sampled_from(ROUTES)),
    st.tuples(st.just("silence")),
    st.tuples(st.just("again"), st.integers(0, 9)),
    st.tuples(st.just("bounce"), st.integers(0, 9)),
    st.tuples(st.just("bounce"), st.integers(0, 9)),
    st.tuples(st.just("end silences")),
)
DIGEST = Digest(time(8), ZoneInfo("Asia/Almaty"))


class Story:
    """A desk, and the states of the alerts, so that each notice fits the one before."""

    def __init__(self, engine: Engine, digest: Digest | None) -> None:
        self.desk = Desk(Receiver("desk", Mail(LISTS[0], digest=digest)), ROUTES[0], emptied(engine))
        self.digest = digest
        self.states: dict[str, str] = {}
        self.silences: list[str] = []
        self.notifiers = 0
        self.received: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.in_doubt: set[tuple[str, str]] = set()
        self.bounced: set[tuple[str, str]] = set()
        self.desk.inbox.on_try = self.note

    def note(self, message: Message, answer: Attempt | Killed) -> None:
        """Note the parts of a message that reached its address, or may have."""
        for alert, kind in parts(message):
            if kind == "open" and (message.address, alert) not in self.received:
                assert "open" == self.states[alert], "nobody is told of an opening after the end"
            if answer is BEFORE:
                self.in_doubt.add((message.address, alert))
            elif answer.sent_whole:
                self.received.setdefault((message.address, alert), []).append((message.notice_id, kind))

    def take(self, step: tuple[Any, ...]) -> None:
        """Take one step."""
        match step:
            case ("notice", alert, state):
                self.notice(alert, state)
            case ("cleared", person):
                self.desk.cleared(person)
            case ("answers", answers):
                self.desk.inbox.answers = [*answers]
            case ("list", addresses):
                self.desk.receiver = Receiver("desk", Mail(addresses, digest=self.digest))
                self.restart()
            case ("routes", routes):
                self.desk.routes = routes
                self.restart()
            case ("again", number):
                self.send_again(number)
            case ("bounce", number):
                self.bounce(number)
            case ("silence",):
                new = NewSilence("r", None, None, self.desk.now + timedelta(days=9), "ann", "known", self.desk.now)
                self.silences.append(add_silence(self.desk.engine, "t", new))
            case _:
                self.end_silences()

    def notice(self, alert: str, state: str) -> None:
        """Write a notice, if it fits: an alert opens, may grow, ends, may open again or turn out wrong."""
        before = self.states.get(alert)
        if state == "open" or before == "open" or (before == "resolved" and state == "retracted"):
            self.states[alert] = state
            self.desk.stand(alert, state)
            self.desk.notice(alert, state, subject="p" if alert < "z" else "q")

    def send_again(self, number: int) -> None:
        """Send one of the notices again, as a person does with a command, whatever became of it and of its alert."""
        written = rows(self.desk.engine, deliveries)
        if written:
            own = written[number % len(written)]["notice_id"]
            config = DeliveryConfig({"desk": self.desk.receiver}, self.desk.routes)
            resend_notice(self.desk.engine, config, own, "desk", self.desk.now)

    def bounce(self, number: int) -> None:
        """Record that a mail bounced which went out once, and forget that it was received."""
        written = rows(self.desk.engine, deliveries)
        sent = [row for row in written if row["bundle"] is None and (row["told_at"] or row["trying"])]
        if not sent:
            return
        own = sent[number % len(sent)]
        notice, address = own["notice_id"], own["address"]
        if sum((row["notice_id"], row["address"]) == (notice, address) for row in written) > 1:
            return
        assert bounce(self.desk.engine, notice, address, self.desk.now).outcome == "recorded"
        for alert in {row["alert_id"] for row in written if own["number"] in (row["number"], row["bundle"])}:
            others = [message for message in self.received.pop((address, alert), ()) if message[0] != notice]
            if others:
                self.received[address, alert] = others
                self.bounced.add((address, alert))  # by the others it was told of the alert, but not of all in order

    def work(self, seconds: float) -> None:
        """Let time pass and the notifier work; one that is killed is started again."""
        self.desk.now += timedelta(seconds=seconds)
        try:
            self.desk.settle()
        except Killed:
            self.restart()

    def restart(self) -> None:
        """Start another notifier, which takes over from the one before."""
        self.notifiers += 1
        self.desk.restart(str(self.notifiers))

    def end_silences(self) -> None:
        """End all silences."""
        for silence in self.silences:
            end_silence(self.desk.engine, "t", silence, SilenceEnd(self.desk.now, "ann", "over"))
        self.silences = []

    def finish(self) -> None:
        """Let everything that waits be sent: the receiver accepts, and no silence holds."""
        self.end_silences()
        for _ in range(4):
            self.desk.inbox.answers = []
            self.work(200_000)


def parts(message: Message) -> list[tuple[str, str]]:
    """Return the alerts of a message, of a digest or a summary too, each with the state that it is told of."""
    contents = [message.alert] if message.alert is not None else json.loads(message.stored or b"[]")
    return [(content["alert_id"], content["state"]) for content in contents]


@pytest.fixture(scope="module")
def shared() -> Engine:
    """A database that is emptied for each story, so that statements are compiled once."""
    return database()


OPENED, RESOLVED, BOUNCED = ("notice", "x", "open"), ("notice", "x", "resolved"), ("bounce", 0)


@settings(max_examples=200)
@example(None, [(OPENED, 1), (BOUNCED, 0), (RESOLVED, 1)])
@example(DIGEST, [(OPENED, 1), (("end silences",), 90_000), (RESOLVED, 1), (BOUNCED, 0)])
@given(st.sampled_from((None, DIGEST)), st.lists(st.tuples(STEPS, WORK), min_size=4, max_size=30))
def test_who_was_told_of_an_opening_is_told_of_the_last_end_and_nobody_else_is(
    shared: Engine, digest: Digest | None, steps: list[tuple[tuple[Any, ...], int]]
) -> None:
    """
    Under any answers of the receiver, and any changes of routes, lists, silences and notifiers meanwhile.

    Notices are sent again by hand, too, and mails bounce.
    """
    story = Story(shared, digest)
    for step, seconds in steps:
        story.take(step)
        if seconds:
            story.work(seconds)
    story.finish()

    refused = {
        (row["address"], row["alert_id"]) for row in rows(shared, deliveries) if row["last_answer"] == NEVER.answer
    }
    for (address, alert), messages in story.received.items():
        (_, first), (_, last) = messages[0], messages[-1]
        if story.states[alert] != "open" and (address, alert) not in refused | story.bounced:
            assert story.states[alert] == last
        assert "open" == first or (address, alert) in story.in_doubt | story.bounced
