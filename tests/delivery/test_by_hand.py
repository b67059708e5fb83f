"""Messages that a person sends again, and bounces, on both databases, with the notifier between them."""

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from projections.correlator.chain_entries import NewSilence
from projections.correlator.correlator import add_silence
from projections.queries.deliveries import deliveries_of_alert, deliveries_of_notice
from projections.tables.database import snapshot
from projections.tables.delivery.schema import deliveries
from services.delivery.by_hand.bouncing import bounce
from services.delivery.by_hand.preview import preview
from services.delivery.by_hand.sending_again import Again, resend_notice
from services.delivery.config.model import DeliveryConfig, Digest, Mail, Receiver, Route
from services.delivery.message import Message
from services.delivery.routing.decide import ENDED_FIRST
from tests.support.alerted import ARRESTED
from tests.support.builders import acquitted, charged, instant, project, projector, rows
from tests.support.telling import NEVER, UNREACHABLE, Desk

ANN = "ann@desk.example"
DESK = Receiver("desk", Mail((ANN,)))
EVERYTHING = (Route(1, ("desk",), remind=timedelta(days=1)),)


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """A mail receiver that gets everything, and reminders."""
    return Desk(DESK, EVERYTHING, engine)


def tell(desk: Desk, state: str, **time: float) -> str:
    """Bring the alert *a* into a state, let time pass and the notifier work, and return the notice."""
    desk.stand("a", state)
    own = desk.notice("a", state)
    desk.wait(**time)
    return own


def again(desk: Desk, notice: str) -> Again:
    """Send a notice again, and let the notifier work."""
    result = resend_notice(desk.engine, DeliveryConfig({"desk": DESK}, EVERYTHING), notice, "desk", desk.now)
    desk.wait()
    return result


def test_a_notice_that_is_sent_again_is_in_the_record_twice(desk: Desk) -> None:
    """The first row stays as it was, in the record of the alert and in that of the notice."""
    desk.inbox.answers = [NEVER]
    own = tell(desk, "open")
    again(desk, own)

    with snapshot(desk.engine) as conn:
        of_alert, of_notice = [*deliveries_of_alert(conn, "a")], [*deliveries_of_notice(conn, own)]
    assert of_alert == of_notice
    assert [("given_up", "550"), ("delivered", "250 ok")] == [(row["state"], row["last_answer"]) for row in of_alert]


def test_an_end_of_an_alert_that_is_open_again_is_refused(desk: Desk) -> None:
    """It would tell of an end that is over. The last opening, of which the address was told, can be sent again."""
    tell(desk, "open")
    end, reopening = tell(desk, "resolved"), tell(desk, "open")

    assert "the alert is open now" in again(desk, end).refused[0].why
    assert [("desk", ANN)] == again(desk, reopening).queued
    assert [("open", "a"), ("resolved", "a"), ("change", "a"), ("change", "a")] == desk.sent()


def test_an_opening_that_a_later_notice_replaces_is_refused(desk: Desk) -> None:
    """The refusal names the later one."""
    desk.inbox.answers = [NEVER, NEVER]
    first, second = tell(desk, "open"), tell(desk, "open")

    assert f"a later notice replaces it (`casetrail delivery resend {second}`)" == again(desk, first).refused[0].why
    assert [("desk", ANN)] == again(desk, second).queued


def test_the_second_of_two_commands_at_once_queues_nothing_and_says_so(desk: Desk) -> None:
    """Both saw that the message was given up. It is queued once."""
    desk.inbox.answers = [NEVER]
    own, config = tell(desk, "open"), DeliveryConfig({"desk": DESK}, EVERYTHING)
    first, second = (resend_notice(desk.engine, config, own, None, desk.now) for _ in range(2))

    assert [("desk", ANN)] == first.queued
    assert ([], ["it is being sent again already"]) == (second.queued, [one.why for one in second.refused])


def test_a_silence_holds_an_opening_that_is_sent_again(desk: Desk) -> None:
    """A person who sends it again does not end the silence of another person."""
    desk.inbox.answers = [NEVER]
    own = tell(desk, "open")
    add_silence(desk.engine, "t", NewSilence("r", None, None, desk.now + timedelta(days=9), "ann", "known", desk.now))
    again(desk, own)

    assert ("held", "silence") == tuple(rows(desk.engine, deliveries)[-1][name] for name in ("state", "why"))
    assert [] == desk.sent()


def test_an_address_that_got_a_reminder_is_told_of_the_end_though_the_opening_bounced(desk: Desk) -> None:
    """The reminder told it. Once that bounces too, it is told of nothing."""
    opening = tell(desk, "open")
    desk.wait(days=2)
    reminder = str(rows(desk.engine, deliveries)[-1]["notice_id"])
    bounce(desk.engine, opening, ANN, desk.now)
    tell(desk, "resolved")
    desk.inbox.answers = [NEVER]
    tell(desk, "open")
    outcome = bounce(desk.engine, reminder, ANN, desk.now).outcome

    assert "recorded" == outcome
    assert [("open", "a"), ("reminder", "a"), ("resolved", "a")] == desk.sent()


def test_nobody_is_told_of_the_end_after_the_opening_bounced(desk: Desk) -> None:
    """A later opening comes as the first one, and its end is told."""
    opening = tell(desk, "open")
    bounce(desk.engine, opening, ANN, desk.now)
    end = tell(desk, "resolved")
    tell(desk, "open")
    tell(desk, "retracted")

    assert "not sent" == bounce(desk.engine, end, ANN, desk.now).outcome
    assert [("open", "a"), ("open", "a"), ("retracted", "a")] == desk.sent()


def test_a_preview_counts_the_opening_the_end_and_the_clearing(engine: Engine) -> None:
    """The person was told of as accused, so the address hears that the person is cleared."""
    person = {"subject": "arrested", "case": "c"}
    story = [*ARRESTED, charged("2022-06-10", **person), acquitted("2022-08-01", final=True, **person)]
    project(projector(engine), story)
    with snapshot(engine) as conn:
        config, days = DeliveryConfig({"desk": DESK}, EVERYTHING), (instant("2022-01-01"), instant("2022-12-01"))
        found = preview(conn, config, *days, lambda _: None)

    assert {("desk", "open"): 1, ("desk", "resolved"): 1, ("desk", "cleared"): 1} == dict(found.kinds)
    assert (3, {1: 1}) == (found.notices, dict(found.routes))


def test_an_end_that_a_bounce_drops_is_not_sent_though_it_was_about_to_be(desk: Desk) -> None:
    """The notifier read its next messages before, and the bounce came during the try of another one."""
    opening = tell(desk, "open")
    desk.notice("b", "open")
    desk.notice("a", "resolved")

    def on_try(message: Message, _: object) -> None:
        if message.kind == "open":
            bounce(desk.engine, opening, ANN, desk.now)

    desk.inbox.on_try = on_try
    desk.settle()

    assert [("open", "a"), ("open", "b")] == desk.sent()


def test_a_bounced_digest_leaves_the_messages_that_it_lost_before_as_they_were(engine: Engine) -> None:
    """An alert that ended before the mail went was not in it, so it was never told, and was not given up."""
    desk = Desk(Receiver("desk", Mail((ANN,), digest=Digest(time(8), ZoneInfo("UTC")))), EVERYTHING, engine)
    for alert in "ab":
        desk.notice(alert, "open")
    desk.settle()
    desk.inbox.answers = [UNREACHABLE]
    desk.wait(days=1)
    desk.notice("b", "resolved")
    desk.wait(hours=1)
    bounce(desk.engine, desk.inbox.messages[0].notice_id, ANN, desk.now)

    states = {row["alert_id"]: (row["state"], row["why"]) for row in rows(engine, deliveries)}
    assert {"a": ("given_up", "bounced"), None: ("given_up", "bounced"), "b": ("dropped", ENDED_FIRST)} == states
