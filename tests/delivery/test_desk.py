"""A receiver and its notifier, story by story: silences, waits, digests, bursts, failures and takeovers."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from projections.correlator.chain_entries import NewSilence
from projections.correlator.correlator import add_silence, end_silence
from projections.queries.silences import SilenceEnd
from projections.tables.database import write_transaction
from projections.tables.delivery.ownership import take_over
from projections.tables.delivery.schema import deliveries, mutes, receivers
from projections.tables.delivery.tries import ReceiverState, receiver_state
from services.delivery.config.model import Digest, Mail, Receiver, Route, Webhook
from services.delivery.message import Attempt
from tests.support.builders import rows
from tests.support.telling import (
    NEVER,
    NOT_NOW,
    START,
    UNANSWERED,
    UNREACHABLE,
    Desk,
    Killed,
)

HOOK = Receiver("desk", Webhook("https://desk.example/hook", "DESK"))
TO = ("desk",)
EVERYTHING = (Route(1, TO),)
DAILY = Digest(time(8), ZoneInfo("Asia/Almaty"))


@pytest.fixture
def desk() -> Desk:
    """A webhook that receives everything."""
    return Desk(HOOK, EVERYTHING)


def state(desk: Desk) -> ReceiverState:
    """Return the state of the desk's receiver."""
    with desk.engine.connect() as conn:
        return receiver_state(conn, "desk")


def column(desk: Desk, name: str) -> list[object]:
    """Return a column of all messages, in their order."""
    return [row[name] for row in sorted(rows(desk.engine, deliveries), key=lambda row: row["number"])]


def silence(desk: Desk, **scope: str) -> str:
    """Add a silence for a week; return its id."""
    whole = {"rule": None, "subject": None, "agency": None} | scope
    until = desk.now + timedelta(days=7)
    return add_silence(desk.engine, "t", NewSilence(**whole, until=until, person="ann", why="known", at=desk.now))


def test_a_new_receiver_begins_at_the_end_of_the_outbox() -> None:
    """Nobody is told of what happened before."""
    before = Desk(HOOK, ())
    before.notice("a", "open")
    late = Desk.__new__(Desk)
    late.__dict__.update(before.__dict__, receiver=Receiver("late", HOOK.target), routes=(Route(1, ("late",)),))
    late.worker = late.start()
    late.settle()
    late.notice("b", "open")
    late.settle()

    assert [("open", "b")] == late.sent()


def test_an_end_passes_a_silence_and_an_opening_does_not(desk: Desk) -> None:
    """The silence holds the opening of one alert, and not the end of another that was told before."""
    desk.notice("told", "open")
    desk.settle()
    silence(desk, subject="p")
    desk.notice("held", "open")
    desk.notice("told", "resolved")
    desk.notice("other", "open", subject="q")
    desk.settle()

    assert [("open", "told"), ("resolved", "told"), ("open", "other")] == desk.sent()
    assert ["held"] == [row["state"] for row in rows(desk.engine, deliveries) if row["alert_id"] == "held"]


def test_the_end_of_a_silence_sends_what_is_still_open(desk: Desk) -> None:
    """An alert that ended under the silence is never sent."""
    own = silence(desk, rule="r")
    for alert in ("stays", "goes"):
        desk.notice(alert, "open")
    desk.notice("goes", "retracted")
    desk.settle()
    before = desk.sent()
    end_silence(desk.engine, "t", own, SilenceEnd(desk.now, "ann", "over"))
    desk.settle()

    assert [] == before
    assert [("open", "stays")] == desk.sent()


def test_a_silence_ends_by_itself(desk: Desk) -> None:
    """Its instant is enough."""
    silence(desk, rule="r")
    desk.notice("a", "open")
    desk.settle()
    desk.wait(days=6)
    before = desk.sent()
    desk.wait(days=1)

    assert [] == before
    assert [("open", "a")] == desk.sent()


def test_a_route_with_a_wait_never_sends_what_is_retracted_meanwhile() -> None:
    """An opening is held for five minutes."""
    desk = Desk(HOOK, (Route(1, TO, wait=timedelta(minutes=5)),))
    desk.notice("wrong", "open")
    desk.notice("right", "open")
    desk.settle()
    desk.wait(minutes=4)
    desk.notice("wrong", "retracted")
    desk.wait(minutes=1)

    assert [("open", "right")] == desk.sent()


def test_a_reminder_comes_at_its_interval_until_the_end() -> None:
    """A route asks for it; the state of the alert in the tables decides, and without the alert there is none."""
    desk = Desk(HOOK, (Route(1, TO, remind=timedelta(days=14)),))
    desk.notice("a", "open")
    desk.settle()
    desk.stand("a", "open")
    desk.wait(days=14)
    desk.stand("a", "acknowledged")
    desk.wait(days=14)
    desk.stand("a", "open")
    desk.wait(days=14)
    desk.stand("a", "resolved")
    desk.wait(days=14)

    assert [("open", "a"), ("reminder", "a"), ("reminder", "a")] == desk.sent()


def test_a_reopening_and_growth_go_to_those_who_were_told(desk: Desk) -> None:
    """Even if no route fits any more; others get an opening only by a route."""
    desk.notice("a", "open")
    desk.settle()
    desk.routes = ()
    desk.restart("two")
    desk.notice("a", "open")
    desk.notice("b", "open")
    desk.settle()

    assert [("open", "a"), ("change", "a")] == desk.sent()


def test_a_muted_address_gets_ends_and_no_openings() -> None:
    """The other address of the list gets both. A person may write it in other letters than the file."""
    desk = Desk(Receiver("desk", Mail(("a@x.example", "b@x.example"))), EVERYTHING)
    desk.notice("before", "open")
    desk.settle()
    with write_transaction(desk.engine) as conn:
        conn.execute(insert(mutes).values(address="B@X.example", since=START))
    desk.notice("after", "open")
    desk.notice("before", "resolved")
    desk.settle()

    own = [(m.kind, (m.alert or {})["alert_id"]) for m in desk.inbox.messages if m.address == "b@x.example"]
    assert [("open", "before"), ("resolved", "before")] == own


def test_a_clearing_goes_to_those_who_were_told_of_any_alert_about_the_person(desk: Desk) -> None:
    """Nobody is told about another person."""
    desk.notice("a", "open", subject="p")
    desk.settle()
    desk.routes = ()
    desk.restart("two")
    desk.cleared("p")
    desk.cleared("q")
    desk.cleared("p", "cleared_withdrawn")
    desk.settle()

    assert ["open", "cleared", "cleared_withdrawn"] == [kind for kind, _ in desk.sent()]
    assert ["p"] == [own for message in desk.inbox.messages[1:2] for own in message.subject_ids]


def test_more_than_twenty_openings_in_a_minute_become_one_summary(desk: Desk) -> None:
    """Each alert in it counts as told, so that its end is told."""
    for n in range(30):
        desk.notice(f"a{n}", "open")
    desk.settle()
    desk.notice("a7", "retracted")
    desk.settle()

    assert [("summary", ""), ("retracted", "a7")] == desk.sent()
    assert 30 == len(desk.inbox.messages[0].data["notices"])


def test_a_digest_has_each_open_alert_once_and_corrections_go_at_once() -> None:
    """It goes at eight in Almaty; an alert that ended before is left out, and an end comes with the next digest."""
    desk = Desk(Receiver("desk", Mail(("a@x.example",), digest=DAILY)), EVERYTHING)
    for alert, kind in (("a", "open"), ("b", "open"), ("b", "resolved"), ("c", "open")):
        desk.notice(alert, kind)
    desk.settle()
    before = desk.sent()
    desk.wait(hours=15)
    desk.notice("a", "retracted")
    desk.notice("c", "resolved")
    desk.settle()
    desk.wait(hours=24)

    assert [] == before
    assert [("digest", ""), ("retracted", "a"), ("digest", "")] == desk.sent()
    told = [[each["alert_id"] for each in m.data["notices"]] for m in desk.inbox.messages if m.kind == "digest"]
    assert [["a", "c"], ["c"]] == told


def test_a_digest_that_was_missed_is_sent_once_and_an_empty_one_never() -> None:
    """After days of absence there is one digest."""
    desk = Desk(Receiver("desk", Mail(("a@x.example",), digest=DAILY)), EVERYTHING)
    desk.wait(days=3)
    desk.notice("a", "open")
    desk.settle()
    desk.wait(days=3)

    assert ["digest"] == [kind for kind, _ in desk.sent()]


def test_a_message_that_waits_for_a_digest_never_goes_alone() -> None:
    """Its hour may come after the digests of a turn are begun and before its messages are sent."""
    desk = Desk(Receiver("desk", Mail(("a@x.example",), digest=DAILY)), EVERYTHING)
    desk.notice("a", "open")
    desk.settle()
    desk.now += timedelta(days=1)
    own = take_over(desk.engine, "desk", "mail", "one")
    assert own is not None
    tries = desk.worker.sender.send_due(own, lambda: True)

    assert 0 == tries
    assert [] == desk.sent()


def test_one_message_probes_while_a_receiver_fails(desk: Desk) -> None:
    """The pauses grow, the others use up no tries, and everything arrives in order at the end."""
    desk.inbox.answers = [UNREACHABLE, UNREACHABLE]
    for alert in "abc":
        desk.notice(alert, "open")
    desk.settle()
    first = (state(desk).state, column(desk, "tries"))
    desk.wait(seconds=6)
    second = column(desk, "tries")
    desk.wait(minutes=6)

    assert (("failing", [1, 0, 0]), [2, 0, 0]) == (first, second)
    assert [("open", "a"), ("open", "b"), ("open", "c")] == desk.sent()
    assert "ok" == state(desk).state


def test_a_message_is_given_up_after_the_last_pause(desk: Desk) -> None:
    """It is listed with the reason, and the next one probes."""
    desk.inbox.answers = [UNREACHABLE] * 10
    desk.notice("a", "open")
    for _ in range(10):
        desk.wait(hours=27)
    desk.notice("b", "open")
    desk.wait(hours=27)

    assert [("open", "b")] == desk.sent()
    assert [("given_up", "given up after 10 tries"), ("delivered", None)] == [
        *zip(column(desk, "state"), column(desk, "why"), strict=True)
    ]


def test_a_message_that_is_rejected_delays_no_other(desk: Desk) -> None:
    """But later messages about its own alert wait for it."""
    desk.inbox.answers = [NOT_NOW]
    desk.notice("a", "open")
    desk.notice("b", "open")
    desk.settle()
    desk.notice("a", "open")
    desk.settle()
    before = desk.sent()
    desk.wait(seconds=6)

    assert [("open", "a"), ("open", "b")] == before
    assert [("open", "a"), ("change", "a")] == desk.sent()[2:]


def test_a_message_that_is_impossible_is_given_up_at_once(desk: Desk) -> None:
    """Its address was not told, so it gets no end."""
    desk.inbox.answers = [NEVER]
    desk.notice("a", "open")
    desk.settle()
    desk.notice("a", "resolved")
    desk.settle()

    assert [] == desk.sent()
    assert ["given_up"] == column(desk, "state")


def test_a_receiver_that_is_gone_is_disabled_and_keeps_its_messages(desk: Desk) -> None:
    """Nothing is tried until somebody enables it."""
    desk.inbox.answers = [Attempt("gone", "410", sent_whole=True)]
    desk.notice("a", "open")
    desk.settle()
    desk.wait(days=9)

    assert "disabled" == state(desk).state
    assert (["queued"], [0]) == (column(desk, "state"), column(desk, "tries"))


def test_a_pause_that_the_receiver_asks_for_is_kept(desk: Desk) -> None:
    """Retry-After counts instead of the schedule."""
    desk.inbox.answers = [Attempt("failed", "429", sent_whole=True, retry_after_seconds=120)]
    desk.notice("a", "open")
    desk.settle()
    desk.wait(seconds=119)
    before = len(desk.sent())
    desk.wait(seconds=1)

    assert (1, 2) == (before, len(desk.sent()))


def test_an_opening_that_was_sent_without_an_answer_was_told(desk: Desk) -> None:
    """It is not repeated after the end, and the end is sent."""
    desk.inbox.answers = [UNANSWERED]
    desk.notice("a", "open")
    desk.settle()
    desk.notice("a", "retracted")
    desk.wait(seconds=6)

    assert [("open", "a"), ("retracted", "a")] == desk.sent()


def test_a_notifier_that_was_killed_after_sending_has_told(desk: Desk) -> None:
    """A later try that cannot connect does not change that."""
    desk.inbox.answers = [Killed(sent_whole=True), UNREACHABLE]
    desk.notice("a", "open")
    with pytest.raises(Killed):
        desk.settle()
    desk.restart("two")
    desk.wait(seconds=1)
    desk.notice("a", "retracted")
    desk.wait(seconds=6)

    assert [("open", "a"), ("retracted", "a")] == desk.sent()


def test_two_notifiers_do_not_serve_one_receiver(desk: Desk) -> None:
    """The second one waits; when the first has been silent for too long, it can write no more."""
    second = desk.start("two")
    waiting = second.turn(lambda: True)
    own = desk.worker
    desk.restart("three")
    desk.settle()
    desk.notice("a", "open")

    assert not waiting
    assert not own.turn(lambda: True)
    desk.settle()
    assert [("open", "a")] == desk.sent()


def test_operators_are_told_of_another_receiver_that_fails() -> None:
    """Once for each failure, and without names of people."""
    desk = Desk(HOOK, (), operators=TO)
    with write_transaction(desk.engine) as conn:
        values = {"added_at": START, "since": START, "failures": 3, "last": 0, "epoch": 1, "last_answer": "timeout"}
        conn.execute(insert(receivers).values(receiver="other", kind="mail", state="failing", **values))
    desk.wait(minutes=9)
    before = desk.sent()
    desk.wait(minutes=2)
    desk.wait(minutes=9)

    assert [] == before
    assert [("failure", "")] == desk.sent()
    assert "timeout" in desk.inbox.messages[0].text.plain


def test_a_week_without_openings_is_reported_once() -> None:
    """It says how much was read, once everything recorded in the week is."""
    desk = Desk(HOOK, (Route(1, TO, weekly=True),))
    desk.wait(days=14)
    before = desk.sent()
    desk.read_up_to(datetime(2026, 1, 20, tzinfo=UTC))
    desk.wait(minutes=1)
    desk.wait(minutes=1)

    assert [] == before
    assert [("report", "")] == desk.sent()
    assert {"start": "2026-01-12", "end": "2026-01-18", "facts": 0, "people": 0} == desk.inbox.messages[0].data
