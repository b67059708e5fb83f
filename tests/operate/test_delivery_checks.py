"""The watch over delivery: the lines of doctor, the metrics, and the limits of the heartbeat."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from projections.tables.database import open_database
from services.delivery.config.model import Digest, Mail, Receiver, Route, Webhook
from services.delivery.message import Attempt
from services.delivery.watching import outside_limits
from services.operate.doctor.delivery import delivery_file_check, receiver_checks
from services.settings import Settings
from tests.operate.test_metrics import get, metrics, pages
from tests.support.commands import ready
from tests.support.telling import NEVER, UNREACHABLE, Desk

HOOK = Receiver("desk", Webhook("https://desk.example/hook", "DESK"))
EVERYTHING = (Route(1, ("desk",)),)
NAME = "Jane Roe"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder with a migrated database, in which the test works."""
    ready(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        yield tmp_path


@pytest.fixture
def engine(place: Path) -> Iterator[Engine]:
    """That database."""
    database = open_database(f"sqlite:///{place / 'casetrail.db'}")
    yield database
    database.dispose()


def desk_two_hours_ago(engine: Engine, *answers: Attempt, receiver: Receiver = HOOK) -> Desk:
    """Return a desk to which an opening came two hours ago, with the *answers* of its receiver."""
    desk = Desk(receiver, EVERYTHING, engine)
    desk.now = datetime.now(UTC) - timedelta(hours=2)
    desk.inbox.answers = list(answers)
    desk.notice("a", "open", subject=NAME)
    return desk


def lines(engine: Engine) -> list[tuple[str, str, str]]:
    """Return the name, the state and the finding of each line of doctor about a receiver."""
    with engine.connect() as conn:
        return [(check.name, check.state, check.found) for check in receiver_checks(conn)]


def test_doctor_says_that_nobody_is_told_without_a_file(place: Path) -> None:
    """It is no warning: some read the alerts from Kafka."""
    without = delivery_file_check(Settings())
    (place / "delivery.yaml").write_text("receivers: {desk: {feed: desk}}\nroutes: [{to: desk}]\n", "utf-8")
    with_one = delivery_file_check(Settings())
    (place / "delivery.yaml").write_text("receivers: {desk: {fed: desk}}\n", "utf-8")
    wrong = delivery_file_check(Settings())

    assert ("ok", "nobody is told: there is no delivery.yaml") == (without.state, without.found.partition(" (")[0])
    assert ("ok", "1 receivers, 1 routes") == (with_one.state, with_one.found)
    assert "error" == wrong.state
    assert "delivery.yaml:1:" in wrong.found


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (UNREACHABLE, "failing"),
        (Attempt("gone", "410", sent_whole=True), "disabled"),
        (Attempt("refused", "10.0.0.1 is not public", sent_whole=False), "refused"),
    ],
)
def test_doctor_names_a_receiver_in_trouble_with_its_last_answer(engine: Engine, answer: Attempt, state: str) -> None:
    """And the number of messages that wait for it; no line names a person."""
    desk = desk_two_hours_ago(engine, answer)
    desk.notice("b", "open", subject=NAME)
    desk.settle()
    found = lines(engine)

    assert [("receiver desk", "warning", f"{state}, 2 messages wait; last answer: {answer.answer}")] == found


def test_doctor_names_a_message_that_waits_though_its_receiver_is_well(engine: Engine) -> None:
    """Then no notifier runs; one that waits for its digest is not late."""
    desk = desk_two_hours_ago(engine)
    own = desk.worker.holding.take()
    assert own is not None
    desk.worker.planner.plan(own, desk.now)

    assert [("receiver desk", "warning", "a message waits for over an hour")] == lines(engine)


def test_a_message_that_waits_for_its_digest_is_not_late(engine: Engine) -> None:
    """Otherwise each daily digest would raise the alarm of the metric and of doctor."""
    hour = (datetime.now(UTC) + timedelta(hours=3)).time().replace(tzinfo=None)
    daily = Receiver("desk", Mail(("a@x.example",), digest=Digest(hour, ZoneInfo("UTC"))))
    desk_two_hours_ago(engine, receiver=daily).settle()
    with pages(Path.cwd()) as (address, _):
        values = metrics(address)

    assert [] == lines(engine)
    assert (1, 0) == tuple(
        values[f"casetrail_delivery_{name}", "desk"] for name in ("queued", "oldest_undelivered_seconds")
    )


def test_doctor_names_messages_that_were_given_up(engine: Engine) -> None:
    """The receiver is well, and these messages are not tried again by themselves."""
    desk_two_hours_ago(engine, NEVER).settle()

    assert [("receiver desk", "warning", "1 messages were given up")] == lines(engine)


def test_the_metrics_count_messages_without_names(engine: Engine) -> None:
    """Queued, the age of the oldest, given up, and whether the receiver is well; nothing about people."""
    desk = desk_two_hours_ago(engine, NEVER)
    desk.settle()
    with pages(Path.cwd()) as (address, _):
        before = metrics(address)
    desk.inbox.answers = [UNREACHABLE]
    desk.now += timedelta(hours=1)
    for alert in "bc":
        desk.notice(alert, "open", subject=NAME)
    desk.settle()
    with pages(Path.cwd()) as (address, _):
        after, text = metrics(address), get(f"{address}/metrics")[1]
    names = ("receiver_up", "delivery_queued", "delivery_given_up_total", "delivery_oldest_undelivered_seconds")
    values = [[page[f"casetrail_{name}", "desk"] for name in names] for page in (before, after)]

    assert [1, 0, 1, 0] == values[0]
    assert [0, 2, 1] == values[1][:3]
    assert 3600 <= values[1][3] < 7200
    assert not any(word in text for word in (NAME, "desk.example", "DESK"))


def test_the_heartbeat_is_withheld_outside_the_limits(engine: Engine) -> None:
    """A receiver in trouble, a message that waits, and a watermark that stands each withhold it, without names."""
    desk = desk_two_hours_ago(engine, UNREACHABLE)
    desk.read_up_to(desk.now)

    def limits() -> list[str]:
        with engine.connect() as conn:
            return [*outside_limits(conn, "t", desk.now)]

    within = limits()
    desk.settle()
    desk.now += timedelta(minutes=16)

    assert [] == within
    assert ["projectors are behind", "receiver desk is failing", "messages wait"] == limits()
    desk.read_up_to(desk.now)
    desk.settle()
    assert [] == limits()
