"""Many messages that wait: reminders under a silence, large digests, and looks for messages whose time has come."""

from collections import Counter
from collections.abc import Sequence
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, insert, update

from projections.correlator.chain_entries import NewSilence
from projections.correlator.correlator import add_silence
from projections.tables.database import write_transaction
from projections.tables.delivery.schema import deliveries
from projections.tables.delivery.waiting import something_is_due
from services.delivery import releasing
from services.delivery.config.model import Digest, Mail, Receiver, Route, Webhook
from tests.support.builders import rows
from tests.support.statements import executed
from tests.support.telling import ACCEPTED, START, UNREACHABLE, Desk

HOOK = Receiver("desk", Webhook("https://desk.example/hook", "DESK"))
DAILY = Receiver("desk", Mail(("a@x.example",), digest=Digest(time(8), ZoneInfo("UTC"))))
EVERYTHING = (Route(1, ("desk",)),)
LARGEST = releasing.LARGEST_BUNDLE


def digests(desk: Desk) -> list[list[tuple[str, str]]]:
    """Return the person and the alert of each notice in each digest that arrived."""
    return [
        [(notice["subject_id"], notice["alert_id"]) for notice in message.data["notices"]]
        for message in desk.inbox.messages
        if message.kind == "digest"
    ]


def test_a_reminder_behind_many_under_a_silence_is_sent(engine: Engine) -> None:
    """A page has 500 reminders; a silence that holds more must not delay those of others."""
    desk = Desk(HOOK, (Route(1, ("desk",), remind=timedelta(days=1)),), engine)
    for n in range(3):
        desk.notice(f"a{n}", "open", subject="silenced" if n else "other")
        desk.stand(f"a{n}", "open")
        desk.settle()
    (held,) = [row for row in rows(engine, deliveries) if row["alert_id"] == "a1"]
    copies = [{**held, "number": 100 + n, "notice_id": f"copy {n}"} for n in range(2 * releasing.PAGE)]
    with write_transaction(engine) as conn:
        conn.execute(insert(deliveries), copies)
        conn.execute(
            update(deliveries).where(deliveries.c.alert_id == "a0").values(remind_at=START + timedelta(days=2))
        )
    until = desk.now + timedelta(days=7)
    silence = NewSilence(
        rule=None, subject="silenced", agency=None, until=until, person="ann", why="known", at=desk.now
    )
    add_silence(engine, "t", silence)
    desk.wait(days=2)

    assert [("reminder", "a0")] == desk.sent()[3:]


def fill(desk: Desk, people: int, each: int) -> None:
    """Write notices of the openings of *each* alerts about each of *people*, in turns, and decide on them."""
    for n in range(each):
        for person in range(people):
            desk.notice(f"a{n} of p{person:03}", "open", subject=f"p{person:03}")
    desk.settle(1000)


def test_a_large_digest_is_several_messages_with_each_open_alert_once(engine: Engine) -> None:
    """Everybody is told of everything at the same hour, and the alerts about one person stand together."""
    desk = Desk(DAILY, EVERYTHING, engine)
    fill(desk, 90, 5)
    desk.notice("a0 of p001", "open", subject="p001")
    desk.notice("a1 of p001", "resolved", subject="p001")
    desk.settle()
    desk.wait(days=1)
    sent = digests(desk)
    people = Counter(person for digest in sent for person in {person for person, _ in digest})

    assert [LARGEST, LARGEST, 449 - 2 * LARGEST] == [len({alert for _, alert in digest}) for digest in sent]
    alerts = [alert for digest in sent for alert in {alert for _, alert in digest}]
    assert 449 == len(alerts) == len(set(alerts))
    assert 2 >= sum(count > 1 for count in people.values())
    assert 3 == len({message.notice_id for message in desk.inbox.messages})


def test_the_parts_of_a_digest_are_tried_one_after_the_other(engine: Engine) -> None:
    """While the receiver fails, the others wait; none is sent twice, and nothing is left out."""
    desk = Desk(DAILY, EVERYTHING, engine)
    fill(desk, 41, 10)
    desk.inbox.answers = [ACCEPTED, UNREACHABLE]
    desk.wait(days=1)
    before = len(digests(desk))
    desk.wait(minutes=10)
    desk.wait(days=1)
    sent = [alert for digest in digests(desk) for _, alert in digest]

    assert 1 == before
    assert 410 == len(sent) == len(set(sent))


def test_a_digest_is_worded_by_the_same_number_of_statements_for_any_number_of_alerts() -> None:
    """It asks once for the notices, the people, and all that its address was told before."""
    counts = []
    for number in (2, 50):
        desk = Desk(DAILY, EVERYTHING)
        fill(desk, number, 1)
        desk.wait(hours=19, minutes=59)
        desk.now += timedelta(minutes=1)
        with executed(desk.engine) as statements:
            desk.settle()
        counts.append(len([statement for statement in statements if statement.startswith("SELECT")]))
        assert [number] == [len(digest) for digest in digests(desk)]

    assert counts[0] == counts[1]


def plans(engine: Engine, statement: str, values: Sequence[object]) -> list[str]:
    """Return the steps by which SQLite executes *statement*."""
    with engine.connect() as conn:
        found = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values))
        return [row[-1] for row in found]


def test_a_look_for_due_messages_reads_none_that_wait_for_later() -> None:
    """It is done at each poll, and a receiver that is away can have a hundred thousand messages waiting."""
    desk = Desk(DAILY, EVERYTHING)
    fill(desk, 2, 1)
    with desk.engine.connect() as conn, executed(desk.engine) as statements:
        before = something_is_due(conn, "desk", desk.now)
        after = something_is_due(conn, "desk", desk.now + timedelta(days=1))
    (statement, _) = [statement for statement in statements if statement.startswith("SELECT")]
    steps = plans(desk.engine, statement, ["desk"] * statement.count("?"))
    searches = [step for step in steps if "deliveries" in step]

    assert (False, True) == (before, after)
    assert 3 == len(searches)
    assert all("not_before<" in step or "remind_at<" in step for step in searches)


def test_a_group_that_grows_twice_is_in_one_of_several_digests(engine: Engine) -> None:
    """A person who joins it may come first in it. An older state in a later digest would take the new one back."""
    desk = Desk(DAILY, EVERYTHING, engine)
    desk.notice("group", "open", subject="z")
    desk.settle()
    desk.wait(days=1)
    fill(desk, LARGEST, 1)
    for subjects in (["z"], ["a", "z"]):
        desk.notice("group", "open", subject="z", subjects=subjects)
    desk.settle()
    desk.wait(days=1)

    assert [1, 0] == [len({alert for _, alert in digest if alert == "group"}) for digest in digests(desk)[1:]]
