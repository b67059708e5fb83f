"""The notifier: what is in the outbox reaches Kafka, in order and at least once."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest
from kafka.consumer.fetcher import ConsumerRecord
from sqlalchemy import Engine, select, text, update

from projections.projector.rebuild import rebuild
from projections.projector.side_writer import SideWriter
from projections.rules.rulebook import pack
from projections.tables.bulk import store
from projections.tables.database import writing
from projections.tables.outbox import Outgoing
from projections.tables.schema import LIVE, outbox, partitions
from services.delivery.kafka import KafkaReceiver
from services.log.kafka.partitioner import partition_for
from tests.support import builders
from tests.support.builders import detained, dismissed, instant, investigated, retracted, rows
from tests.support.commands import ndjson, ready, run, start
from tests.support.kafka import Broker, make_topic
from tests.support.outboxes import Place, at_work, held
from tests.support.topic import PARTITIONS, binary, drained, home, send, subject_at, total
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

ARRESTED = [dismissed("2022-03-27"), detained("2022-05-20")]


def arrested_wrongly(subject: str = "s") -> list[builders.Line]:
    """An arrest after a dismissal, which is taken back: an alert that opens and is retracted."""
    arrest = detained("2022-05-20", subject=subject)
    return [
        dismissed("2022-03-27", subject=subject),
        investigated("2022-04-20", subject=subject),
        arrest,
        retracted(arrest, "2022-06-01"),
    ]


@pytest.fixture
def place(kafka_server: str, kafka_topics: Callable[..., str], database_url: str) -> Iterator[Place]:
    """A place on the shared broker, on each kind of database."""
    made = Place(kafka_server, kafka_topics, database_url)
    yield made
    made.engine.dispose()


def firsts(records: list[ConsumerRecord]) -> dict[str, list[str]]:
    """By alert, the states in the order in which a receiver that knows the keys learns of them."""
    seen: set[str] = set()
    states: dict[str, list[str]] = {}
    for record in records:
        notice = json.loads(record.value)
        if notice["notice_id"] not in seen:
            seen.add(notice["notice_id"])
            states.setdefault(notice["alert_id"], []).append(notice["state"])
    return states


def lives(engine: Engine) -> dict[str, list[str]]:
    """By alert, the states of its life."""
    changes = sorted(rows(engine, LIVE.alert_changes), key=lambda row: (row["alert_id"], row["n"]))
    states: dict[str, list[str]] = {}
    for change in changes:
        states.setdefault(change["alert_id"], []).append(change["state"])
    return states


def test_a_notice_is_a_cloud_event_about_its_person(place: Place) -> None:
    """Binary mode of the Kafka binding, keyed by the person; the id is what a receiver knows it again by."""
    place.project(*ARRESTED)
    (row,) = rows(place.engine, outbox)
    with at_work(place.relay()):
        (record,) = place.told(1)

    assert row["notice"] == json.loads(record.value)
    assert b"a" == record.key
    assert {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": row["notice_id"].encode(),
        "ce_source": b"urn:casetrail",
        "ce_type": b"casetrail.alert.changed.v1",
        "ce_subject": b"a",
        "ce_time": row["notice"]["life"][-1]["at"].encode(),
    } == dict(record.headers)
    assert partition_for(2)(b"a") == record.partition


def test_every_change_of_every_alert_is_told_in_order(place: Place) -> None:
    """Whatever partition the person is in, and whatever else is told meanwhile."""
    people = [f"s{n}" for n in range(30)]
    place.project(*chain.from_iterable(zip(*map(arrested_wrongly, people), strict=True)))
    with at_work(place.relay()):
        records = place.told(2 * len(people))
        wait_until(lambda: sum(place.sent().values()) == 2 * len(people))

    assert 2 * len(people) == len(records)
    assert lives(place.engine) == firsts(records)
    assert {("open", "retracted")} == {tuple(states) for states in firsts(records).values()}


def test_what_was_sent_is_not_sent_by_the_next_one(place: Place) -> None:
    """One goes on where another was stopped, and sends what came since."""
    place.project(*ARRESTED)
    with at_work(place.relay()):
        place.told(1)
        wait_until(lambda: bool(place.sent()))
    place.project(*arrested_wrongly())
    with at_work(place.relay()):
        wait_until(lambda: sum(place.sent().values()) == 3)

    assert sorted(place.notices()) == sorted(dict(record.headers)["ce_id"].decode() for record in place.told(3))


def test_two_at_once_leave_nothing_out_and_keep_the_order(place: Place) -> None:
    """On PostgreSQL one waits for the other; on SQLite both may send, the same in the same order."""
    with at_work(place.relay(), place.relay()):
        for n in range(5):
            people = [f"s{n} {each}" for each in range(10)]
            place.project(*chain.from_iterable(zip(*map(arrested_wrongly, people), strict=True)))
        wait_until(lambda: sum(place.sent().values()) == len(place.notices()))
    records = place.told(100)

    assert lives(place.engine) == firsts(records)
    if place.engine.dialect.name == "postgresql":
        assert 100 == len(records)


@contextmanager
def unnoted(engine: Engine) -> Iterator[None]:
    """Let nobody note what was sent while the block runs; everybody may read it."""
    with writing(engine) as conn:
        if engine.dialect.name == "postgresql":
            conn.execute(text("LOCK TABLE relays IN EXCLUSIVE MODE"))
        yield


def test_killed_before_it_noted_what_it_sent_it_sends_that_again(place: Place, tmp_path: Path) -> None:
    """At least once, and the second time under the same key."""
    place.project(*arrested_wrongly())
    with start("run notifier", tmp_path, place.variables()) as notifier, unnoted(place.engine):
        first = place.told(2)
        notifier.process.send_signal(signal.SIGKILL)
        notifier.process.wait(60)
    assert {} == place.sent()
    with start("run notifier", tmp_path, place.variables()) as notifier:
        wait_until(lambda: sum(place.sent().values()) == 2)
        notifier.process.terminate()
        code, _, said = notifier.end()

    again = place.told(4)
    assert (0, ["started", "stopped"]) == (code, [entry["event"] for entry in ndjson(said)])
    assert (2, 4) == (len(first), len(again))
    assert lives(place.engine) == firsts(again)


def test_a_rebuild_neither_sends_again_nor_leaves_out(place: Place) -> None:
    """What was told before it was, and what it finds anew is told once."""
    place.project(*ARRESTED)
    with at_work(place.relay()):
        wait_until(lambda: sum(place.sent().values()) == 1)
        with writing(place.engine) as conn:
            for table in (LIVE.alerts, LIVE.alert_changes):
                conn.execute(table.delete())
        rebuild(place.engine, pack(), lambda _: None)
        place.project(*arrested_wrongly())
        wait_until(lambda: sum(place.sent().values()) == len(place.notices()))

    assert sorted(place.notices()) == sorted(dict(record.headers)["ce_id"].decode() for record in place.told(3))


def test_an_acknowledgement_is_told_too(place: Place) -> None:
    """Whoever was told of the alert is told that somebody looks at it."""
    place.project(*ARRESTED)
    (alert,) = rows(place.engine, LIVE.alerts)
    side_writer = SideWriter(place.engine, home("a"), topic=place.settings.kafka_topic, home=partition_for(PARTITIONS))
    side_writer.acknowledge(alert["alert_id"], "a", "ann", None, instant("2022-11-01"))
    with at_work(place.relay()):
        records = place.told(2)

    assert [["open", "acknowledged"]] == list(firsts(records).values())


def test_a_record_away_from_home_gets_there_byte_for_byte(place: Place) -> None:
    """Applied once at home, though it was sent twice; headers that are no text and those of others come along."""
    fact = binary(dismissed("2022-03-27", subject=subject_at(0)), partition=1)
    odd = [("traceparent", b"00-ab-01"), ("raw", b"\xff\x00")]
    astray = fact._replace(headers=[*fact.headers, *odd])
    send(place.settings.kafka_bootstrap_servers, place.settings.kafka_topic, [astray])
    drained(place.engine, place.settings)
    first = KafkaReceiver(place.settings)
    (row,) = rows(place.engine, outbox)
    with place.engine.connect() as conn:
        outgoing = Outgoing(*conn.execute(select(outbox)).one())
    # By somebody who did not live to note it.
    first.send([outgoing], threading.Event(), lambda: None)
    first.close()
    with at_work(place.relay()):
        wait_until(lambda: place.sent() == {1: 1})
    done = drained(place.engine, place.settings)
    arrived = [each for each in held(place.settings, place.settings.kafka_topic, 3) if each.partition == 0]

    assert "forward" == row["kind"]
    same = (astray.key, astray.value, [*astray.headers])
    assert [same] * 2 == [(each.key, each.value, each.headers) for each in arrived]
    assert {"read": 3, "applied": 1, "duplicate": 1, "forwarded": 1} == total(done)


def test_a_header_without_a_value_goes_on_as_an_empty_one(place: Place) -> None:
    """The client refuses to write none; that must not end the notifier."""
    row = Outgoing(0, 1, "forward", "t/0/0", "a", None, None, 2, b"a", [["none", None]], b"v")
    sending = KafkaReceiver(place.settings)
    sent = sending.send([row], threading.Event(), lambda: None)
    sending.close()
    (record,) = held(place.settings, place.settings.kafka_topic, 1)

    assert (1, None) == sent
    assert (2, b"a", b"v", [("none", b"")]) == (record.partition, record.key, record.value, record.headers)


def test_what_the_broker_refuses_holds_no_other_partition_up(place: Place) -> None:
    """A record too large for the topic as it is now waits with what its partition told after it."""
    place.project(*arrested_wrongly(subject_at(1)))
    large = os.urandom(2_000_000)
    with writing(place.engine) as conn:
        store(conn, outbox, [(0, 1, "forward", "t/0/0", "a", None, None, 2, b"a", [], large)])
        conn.execute(update(partitions).where(partitions.c.partition == 0).values(notices=1))
    with at_work(place.relay()):
        place.told(2)
        place.project(*arrested_wrongly(subject_at(2)))
        records = place.told(4)
        wait_until(lambda: place.sent() == {1: 2, 2: 2})

    assert lives(place.engine) == firsts(records)


def test_a_broker_that_goes_away_is_waited_for(kafka_broker: Broker, database_url: str, tmp_path: Path) -> None:
    """Away at the start and away later: what was told meanwhile is sent when it is back, and nothing ends."""
    place = Place(kafka_broker.address, lambda **options: make_topic(kafka_broker.address, **options), database_url)
    place.project(*ARRESTED)
    kafka_broker.kill()
    with start("run notifier", tmp_path, place.variables()) as notifier:
        started, waited = (json.loads(notifier.stderr.readline()) for _ in range(2))
        kafka_broker.start()
        wait_until(lambda: sum(place.sent().values()) == 1)
        kafka_broker.kill()
        place.project(*arrested_wrongly())
        kafka_broker.start()
        wait_until(lambda: sum(place.sent().values()) == 3)
        notifier.process.terminate()
        code, _, said = notifier.end()
    told, records = place.notices(), place.told(3)
    place.engine.dispose()

    assert ("started", "relay_failed", 0) == (started["event"], waited["event"], code)
    assert "nothing listens there" in waited["error"]
    assert "stopped" == ndjson(said)[-1]["event"]
    assert sorted(told) == sorted({dict(record.headers)["ce_id"].decode() for record in records})


def test_plain_run_projects_and_tells(place: Place, tmp_path: Path) -> None:
    """One process does both, and `alerts --follow` reads the same."""
    send(place.settings.kafka_bootstrap_servers, place.settings.kafka_topic, [dismissed("2022-03-27")])
    env = place.variables()
    with start("run", tmp_path, env) as service, start("alerts --follow --cursor 0", tmp_path, env) as followed:
        (record,) = place.told(1)
        notice = json.loads(followed.stdout.readline())
        service.process.terminate()
        code, _, said = service.end()

    assert (0, {"parts": ["projector", "notifier"]}) == (code, {"parts": ndjson(said)[0]["parts"]})
    assert json.loads(record.value) == {name: value for name, value in notice.items() if name != "cursor"}


def test_the_local_log_has_no_notifier(tmp_path: Path) -> None:
    """It says why, and where the notices are."""
    done = run("run notifier", ready(tmp_path))

    assert (2, "") == (done.returncode, done.stdout)
    assert "the notifier sends to Kafka, and the log is local" in done.stderr
    assert "want CASETRAIL_LOG=kafka" in done.stderr


def test_a_missing_topic_is_said_to_be_missing(place: Place, tmp_path: Path) -> None:
    """A producer would wait for it for ever."""
    done = run("run notifier", tmp_path, env=place.variables() | {"CASETRAIL_KAFKA_ALERTS_TOPIC": "casetrail.none"})

    assert 3 == done.returncode
    assert "Kafka has no topic casetrail.none (run `casetrail topics create`)" in done.stderr
