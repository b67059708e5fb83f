"""Work that waits: bundles of alerts that have ended meanwhile, and turns of a receiver with nothing to do."""

import threading
from datetime import timedelta

from projections.correlator.chain_entries import NewSilence
from projections.correlator.correlator import add_silence
from projections.tables.delivery.schema import deliveries
from services.delivery.config.model import Receiver, Route, Webhook
from services.delivery.notifier import run_workers
from tests.support.builders import rows
from tests.support.statements import executed
from tests.support.telling import UNANSWERED, UNREACHABLE, Desk

HOOK = Receiver("desk", Webhook("https://desk.example/hook", "DESK"))
TO = ("desk",)
MANY = [f"a{n}" for n in range(30)]


def writes(desk: Desk, seconds: int) -> int:
    """Return the number of transactions that write in the turns of *seconds*, one a second."""
    with executed(desk.engine) as statements:
        for _ in range(seconds):
            desk.wait(seconds=1)
    return statements.count("BEGIN IMMEDIATE")


def test_a_summary_of_alerts_that_have_all_ended_is_not_sent() -> None:
    """It waited while its receiver failed, and would be empty."""
    desk = Desk(HOOK, (Route(1, TO),))
    desk.inbox.answers = [UNREACHABLE]
    for alert in MANY:
        desk.notice(alert, "open")
    desk.settle()
    for alert in MANY:
        desk.notice(alert, "retracted")
    desk.wait(minutes=10)

    assert [] == desk.sent()
    assert {"dropped"} == {row["state"] for row in rows(desk.engine, deliveries)}


def test_a_summary_that_may_have_arrived_is_followed_by_the_ends_alone() -> None:
    """An alert that has ended is not sent again, and each address that was told is told the end."""
    desk = Desk(HOOK, (Route(1, TO),))
    desk.inbox.answers = [UNANSWERED]
    for alert in MANY:
        desk.notice(alert, "open")
    desk.settle()
    for alert in MANY:
        desk.notice(alert, "retracted")
    desk.wait(minutes=10)

    assert [("summary", ""), *(("retracted", alert) for alert in MANY)] == desk.sent()


def test_a_reminder_under_a_silence_is_not_looked_at_each_second() -> None:
    """The ownership alone is extended, three times a minute."""
    desk = Desk(HOOK, (Route(1, TO, remind=timedelta(days=1)),))
    desk.notice("a", "open")
    desk.stand("a", "open")
    desk.settle()
    idle = writes(desk, 60)
    until = desk.now + timedelta(days=7)
    silence = NewSilence(rule="r", subject=None, agency=None, until=until, person="ann", why="known", at=desk.now)
    add_silence(desk.engine, "t", silence)
    desk.wait(days=2)

    assert idle <= 3
    assert writes(desk, 60) <= 3
    desk.wait(days=6)
    assert [("open", "a"), ("reminder", "a")] == desk.sent()


def test_a_configuration_without_own_receivers_keeps_the_notifier_waiting() -> None:
    """A file may have no receivers, or topics of Kafka alone: the service goes on without them."""
    stop = threading.Event()

    def beat() -> None:
        stop.set()

    run_workers([], stop, 0.1, beat)

    assert stop.is_set()
