"""A notice that cannot be decided on, or a message that cannot be worded: it alone is given up."""

import threading
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, insert, update
from structlog.testing import capture_logs

from projections.tables.database import write_transaction
from projections.tables.delivery.schema import deliveries, receivers
from projections.tables.schema import outbox
from services.delivery.by_hand.open_alerts import resend_open
from services.delivery.by_hand.sending_again import Again, resend_notice
from services.delivery.config.model import DeliveryConfig, Digest, Mail, Receiver, Route, Webhook
from services.delivery.message import Attempt, Message
from services.delivery.receiver_worker import ReceiverWorker
from services.delivery.sending import EMPTY
from tests.support.builders import Row, rows
from tests.support.telling import START, UNANSWERED, Desk

HOOK = Receiver("desk", Webhook("https://desk.example/hook", "DESK"))
TO = ("desk",)
EVERYTHING = (Route(1, TO),)
DAILY = Digest(time(8), ZoneInfo("Asia/Almaty"))
UNDECIDABLE: dict[str, Any] = {"subjects": 7}
UNWORDABLE: dict[str, Any] = {"life": []}


def messages(desk: Desk) -> list[Row]:
    """Return all messages, in their order."""
    return sorted(rows(desk.engine, deliveries), key=lambda row: row["number"])


def states(desk: Desk) -> dict[str, str]:
    """Return the state of the message about each alert."""
    return {row["alert_id"]: row["state"] for row in messages(desk) if row["alert_id"]}


def test_a_message_that_cannot_be_worded_is_given_up_and_the_others_go_on(engine: Engine) -> None:
    """It is listed with the reason, and counts among the messages given up; the receiver is well."""
    desk = Desk(HOOK, EVERYTHING, engine)
    desk.notice("a", "open")
    desk.notice("bad", "open", subject="Jane Roe", **UNWORDABLE)
    desk.notice("b", "open")
    with capture_logs() as logs:
        desk.settle()

    assert [("open", "a"), ("open", "b")] == desk.sent()
    (row,) = [row for row in messages(desk) if row["alert_id"] == "bad"]
    assert ("given_up", "not worded", 1, None) == tuple(row[key] for key in ("state", "why", "tries", "told_at"))
    assert "IndexError in notices.py:" in row["last_answer"]
    assert "ok" == rows(desk.engine, receivers)[0]["state"]
    (entry,) = [entry for entry in logs if entry["event"] == "message_not_worded"]
    assert ("desk", row["number"], row["last_answer"]) == (entry["receiver"], entry["number"], entry["fault"])
    assert "Jane Roe" not in str(logs) + row["last_answer"]


def test_a_message_that_may_have_arrived_before_stays_told() -> None:
    """A try without an answer sent it whole; when it cannot be worded again, its end is owed all the same."""
    desk = Desk(HOOK, EVERYTHING)
    desk.inbox.answers = [UNANSWERED]
    desk.notice("a", "open")
    desk.settle()
    (content,) = [row["notice"] for row in rows(desk.engine, outbox)]
    with write_transaction(desk.engine) as conn:
        conn.execute(update(outbox).values(notice=content | UNWORDABLE))
    desk.wait(minutes=10)
    desk.notice("a", "retracted")
    desk.settle()

    assert [("open", "a"), ("retracted", "a")] == desk.sent()
    assert ["given_up", "delivered"] == [row["state"] for row in messages(desk)]


def test_a_digest_loses_only_the_message_that_cannot_be_worded() -> None:
    """The others of the day go in it."""
    desk = Desk(Receiver("desk", Mail(("a@x.example",), digest=DAILY)), EVERYTHING)
    for alert, content in (("a", {}), ("bad", UNWORDABLE), ("b", {})):
        desk.notice(alert, "open", **content)
    desk.settle()
    desk.wait(days=1)

    assert [("digest", "")] == desk.sent()
    assert ["a", "b"] == [each["alert_id"] for each in desk.inbox.messages[0].data["notices"]]
    assert {"a": "delivered", "bad": "given_up", "b": "delivered"} == states(desk)


def test_a_digest_of_nothing_but_messages_that_cannot_be_worded_is_dropped() -> None:
    """Its reason does not say that their alerts have ended."""
    desk = Desk(Receiver("desk", Mail(("a@x.example",), digest=DAILY)), EVERYTHING)
    desk.notice("bad", "open", **UNWORDABLE)
    desk.settle()
    desk.wait(days=1)

    assert [] == desk.sent()
    assert [("given_up", "not worded"), ("dropped", EMPTY)] == [(row["state"], row["why"]) for row in messages(desk)]


def test_a_message_that_breaks_the_channel_is_tried_again_and_delays_no_other() -> None:
    """Nobody knows how much of it was sent, so its address counts as told."""
    desk = Desk(HOOK, EVERYTHING)

    def fail(message: Message, _: object) -> None:
        if (message.alert or {}).get("alert_id") == "bad":
            raise ValueError("Jane Roe")

    desk.inbox.on_try = fail
    desk.notice("bad", "open")
    desk.notice("b", "open")
    desk.settle()
    before = states(desk)
    desk.inbox.on_try = None
    desk.wait(minutes=10)

    assert {"bad": "queued", "b": "delivered"} == before
    assert [("open", "b"), ("open", "bad")] == desk.sent()
    (row,) = [row for row in messages(desk) if row["alert_id"] == "bad"]
    assert START == row["told_at"]


@pytest.mark.parametrize("content", [UNDECIDABLE, {"rule": []}, {"subject_id": None, "subjects": None}])
def test_a_notice_that_cannot_be_decided_on_is_given_up_and_planning_goes_on(
    engine: Engine, content: dict[str, Any]
) -> None:
    """It has a row with its place in the outbox, so it is not lost: somebody can see it and send it again."""
    desk = Desk(HOOK, EVERYTHING, engine)
    desk.routes = (Route(1, TO, rule=frozenset({"r"})),)
    desk.worker.close()
    desk.worker = desk.start()
    desk.notice("a", "open")
    desk.settle()
    for alert, state, own in (("b", "open", {}), ("bad", "open", content), ("a", "resolved", {}), ("c", "open", {})):
        desk.notice(alert, state, **own)
    with capture_logs() as logs:
        desk.settle()

    assert [("open", "a"), ("open", "b"), ("resolved", "a"), ("open", "c")] == desk.sent()
    (row,) = [row for row in messages(desk) if row["alert_id"] == "bad"]
    assert ("given_up", "open", 0, 3) == tuple(row[key] for key in ("state", "kind", "partition", "n"))
    assert row["why"].startswith("not decided on: ")
    assert ["notice_not_decided"] == [entry["event"] for entry in logs if entry["log_level"] == "error"]


def test_operators_are_told_of_messages_that_are_given_up_once_an_hour() -> None:
    """With the number and the last reason, and without names of people; their own receiver counts too."""
    desk = Desk(HOOK, EVERYTHING, operators=TO)
    for alert in ("first", "second"):
        desk.notice(alert, "open", subject="Jane Roe", **UNWORDABLE)
    desk.wait(minutes=30)
    desk.notice("third", "open", **UNDECIDABLE)
    desk.wait(minutes=29)
    before = desk.sent()
    desk.restart("two")
    desk.wait(minutes=2)
    desk.notice("fourth", "open", subject="Jane Roe", **UNWORDABLE)
    desk.settle()
    desk.wait(hours=2)
    desk.wait(days=9)

    assert [] == before
    assert [("failure", "")] * 2 == desk.sent()
    first, last = (message.text for message in desk.inbox.messages)
    assert "A message to desk was given up at 2026-01-05 12:59 UTC" == first.title
    assert "now: 3. They are not tried again" in first.plain
    assert "TypeError in notices.py" in first.plain
    assert "now: 4. They are not tried again" in last.plain
    assert "IndexError in notices.py" in last.plain
    assert "Jane Roe" not in first.plain + last.plain


def test_a_message_to_operators_that_is_given_up_is_no_further_failure() -> None:
    """Otherwise a wrong address of the operators would get a message each hour for ever."""
    desk = Desk(HOOK, (), operators=TO)
    with write_transaction(desk.engine) as conn:
        values = {"added_at": START, "since": START, "failures": 3, "last": 0, "epoch": 1, "last_answer": "timeout"}
        conn.execute(insert(receivers).values(receiver="other", kind="mail", state="failing", **values))
    desk.inbox.answers = [Attempt("impossible", "550", sent_whole=False)]
    desk.wait(minutes=11)
    desk.wait(days=1)

    assert ["given_up"] == [row["state"] for row in messages(desk)]


def test_an_unexpected_error_of_a_turn_does_not_end_the_worker() -> None:
    """Its receiver counts as failing until a turn succeeds; the log and the record have no value of any row."""
    desk = Desk(HOOK, EVERYTHING)
    stop, faults = threading.Event(), [ValueError("Jane Roe"), KeyError("Jane Roe")]
    seen: list[tuple[str, str | None]] = []

    def clock() -> datetime:
        if faults:
            raise faults.pop(0)
        return desk.now

    def beat() -> None:
        (row,) = rows(desk.engine, receivers)
        seen.append((row["state"], row["last_answer"]))
        if len(seen) > 9:
            stop.set()

    desk.worker.sender.clock = clock
    desk.notice("a", "open")
    with capture_logs() as logs:
        desk.worker.run(stop, 0.01, beat)

    assert [("open", "a")] == desk.sent()
    assert ["ok", "failing", "failing"] == [state for state, _ in seen[:3]]
    assert "ValueError in receiver_worker.py:" in str(seen[1][1])
    assert "ok" == rows(desk.engine, receivers)[0]["state"]
    assert ["turn_failed"] * 2 == [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert "Jane Roe" not in str(logs) + str(seen)


@pytest.mark.parametrize("state", ["resolved", "retracted", "superseded"])
def test_an_end_that_cannot_be_decided_on_drops_the_opening_that_waits(state: str) -> None:
    """Nobody is accused after the end, though the end could not be decided on."""
    desk = Desk(HOOK, (Route(1, TO, rule=frozenset({"r"}), wait=timedelta(minutes=5), remind=timedelta(days=1)),))
    desk.notice("a", "open")
    desk.settle()
    desk.notice("a", state, rule=[])
    desk.wait(minutes=10)

    assert [] == desk.sent()
    assert [("open", "dropped"), (state, "given_up")] == [(row["kind"], row["state"]) for row in messages(desk)]


def test_an_acknowledgement_that_cannot_be_decided_on_is_for_nobody() -> None:
    """It has no row: sent again, it would tell of a change that nobody was to hear."""
    desk = Desk(HOOK, EVERYTHING)
    desk.notice("a", "acknowledged", **UNDECIDABLE)
    desk.settle()

    assert [] == messages(desk)


def test_a_clearing_that_cannot_be_decided_on_is_listed_for_addresses_of_old() -> None:
    """One that was told of the person, and is not in the list any more, is owed the clearing too."""
    desk = Desk(Receiver("desk", Mail(("a@x.example",))), EVERYTHING)
    desk.notice("a", "open", subject="p")
    desk.settle()
    desk.receiver = Receiver("desk", Mail(("b@x.example",)))
    desk.restart("two")
    desk.cleared("p", subjects=[["p"]])
    desk.settle()

    assert ["a@x.example", "b@x.example"] == sorted(row["address"] for row in messages(desk)[1:])


def test_a_notice_that_was_not_decided_on_is_sent_again_only_where_a_route_sends_it() -> None:
    """It has a row for each receiver. While it is damaged, it is refused with the fault."""
    desk = Desk(HOOK, EVERYTHING)
    own = desk.notice("a", "open", **UNDECIDABLE)
    desk.stand("a", "open")
    desk.settle()
    (content,) = [row["notice"] for row in rows(desk.engine, outbox)]
    damaged = send_again(desk, own, EVERYTHING)
    with write_transaction(desk.engine) as conn:
        conn.execute(update(outbox).values(notice=content | {"subjects": ["p"]}))
    refused, queued = (send_again(desk, own, routes) for routes in ((), EVERYTHING))

    assert damaged.refused[0].why.startswith("it cannot be decided on: TypeError in notices.py:")
    assert (["no route sends it there"], []) == ([one.why for one in refused.refused], refused.queued)
    assert [("desk", "")] == queued.queued


def test_an_open_alert_that_cannot_be_decided_on_does_not_keep_the_others_from_a_new_receiver() -> None:
    """It is refused by its notice, with the fault."""
    desk = Desk(HOOK, ())
    for alert, content in (("a", {}), ("bad", UNDECIDABLE), ("c", {})):
        desk.stand(alert, "open")
        desk.notice(alert, "open", **content)
    desk.settle()
    result = resend_open(desk.engine, DeliveryConfig({"desk": HOOK}, EVERYTHING), HOOK, desk.now)
    desk.settle()

    assert result is not None
    (refused,) = result.refused
    assert "cannot be decided on: TypeError in notices.py" in refused.why
    assert [("open", "a"), ("open", "c")] == desk.sent()


def test_a_notifier_that_takes_over_ends_the_fault_of_the_one_before() -> None:
    """It waited beside it without a fault, and must say so once it serves the receiver."""
    desk = Desk(HOOK, EVERYTHING)
    second = desk.start("two")
    run_turns(second, 1)

    def fail() -> datetime:
        raise ValueError

    desk.worker.sender.clock = fail
    run_turns(desk.worker, 1)
    before = rows(desk.engine, receivers)[0]["state"]
    run_turns(second, 1)

    assert ("failing", "ok") == (before, rows(desk.engine, receivers)[0]["state"])


def run_turns(worker: ReceiverWorker, count: int) -> None:
    """Run *worker* for some turns."""
    stop, left = threading.Event(), [None] * count

    def beat() -> None:
        if left:
            left.pop()
        else:
            stop.set()

    worker.run(stop, 0.0, beat)


def send_again(desk: Desk, own: str, routes: tuple[Route, ...]) -> Again:
    """Send a notice again with *routes*."""
    return resend_notice(desk.engine, DeliveryConfig({"desk": HOOK}, routes), own, None, desk.now)
