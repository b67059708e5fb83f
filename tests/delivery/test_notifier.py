"""The notifier delivers the outbox to Kafka, in order and at least once."""

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
from projections.tables.bulk import store
from projections.tables.database import write_transaction
from projections.tables.outbox import Outgoing
from projections.tables.schema import LIVE, outbox, partitions
from services.delivery.kafka import KafkaReceiver
from services.log.kafka.partitioner import partition_for
from tests.support import builders
from tests.support.builders import acquitted, charged, detained, dismissed, instant, investigated, retracted, rows
from tests.support.commands import ndjson, ready, run, start
from tests.support.kafka import Broker, make_topic
from tests.support.outboxes import Place, running_notifiers, topic_records
from tests.support.rules import dismissals
from tests.support.topic import PARTITIONS, binary, drained, home, send, subject_at, total
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

ARRESTED = [dismissed("2022-03-27"), detained("2022-05-20")]


def wrong_arrest(subject: str = "s") -> list[builders.Line]:
    """Return an arrest after a dismissal and its retraction: an alert that opens and is retracted."""
    arrest = detained("2022-05-20", subject=subject)
    return [
        dismissed("2022-03-27", subject=subject),
        investigated("2022-04-20", subject=subject),
        arrest,
        retracted(arrest, "2022-06-01"),
    ]


@pytest.fixture
def place(kafka_server: str, kafka_topics: Callable[..., str], database_url: str) -> Iterator[Place]:
    """Return a place on the shared broker, on each kind of database."""
    place = Place(kafka_server, kafka_topics, database_url)
    yield place
    place.engine.dispose()


def states_by_alert(records: list[ConsumerRecord]) -> dict[str, list[str]]:
    """Return the states of each alert in their order in the topic, without repeated notices."""
    seen: set[str] = set()
    states: dict[str, list[str]] = {}
    for record in records:
        notice = json.loads(record.value)
        if notice["notice_id"] not in seen:
            seen.add(notice["notice_id"])
            states.setdefault(notice["alert_id"], []).append(notice["state"])
    return states


def stored_states(engine: Engine) -> dict[str, list[str]]:
    """Return the states of each alert in its life in the database."""
    changes = sorted(rows(engine, LIVE.alert_changes), key=lambda row: (row["alert_id"], row["n"]))
    states: dict[str, list[str]] = {}
    for change in changes:
        states.setdefault(change["alert_id"], []).append(change["state"])
    return states


def test_a_notice_is_a_cloud_event_about_its_person(place: Place) -> None:
    """It has the binary mode of the Kafka binding, the subject as its key, and an id that shows a repeat."""
    place.project(*ARRESTED)
    (row,) = rows(place.engine, outbox)
    with running_notifiers(place.notifier()):
        (record,) = place.sent_notices(1)

    assert row["notice"] | {"sequence": row["n"]} == json.loads(record.value)
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


def test_a_clearing_and_its_end_have_types_of_their_own(place: Place) -> None:
    """Both go to the topic of notices, keyed by the person, at their instants."""
    verdict = acquitted("2022-04-01", case="c")
    place.project(charged("2022-03-01", case="c"), verdict, retracted(verdict, "2022-06-01"))
    contents = [row["notice"] | {"sequence": row["n"]} for row in rows(place.engine, outbox)]
    with running_notifiers(place.notifier()):
        records = place.sent_notices(2)
    headers = [dict(record.headers) for record in records]

    assert contents == [json.loads(record.value) for record in records]
    assert {b"a"} == {record.key for record in records}
    types = ("casetrail.person.cleared.v1", "casetrail.person.cleared_withdrawn.v1")
    assert [own.encode() for own in types] == [own["ce_type"] for own in headers]
    assert [content["at"].encode() for content in contents] == [own["ce_time"] for own in headers]


def test_every_change_of_every_alert_is_sent_in_order(place: Place) -> None:
    """The partition of the person and the notices about other people do not matter."""
    people = [f"s{n}" for n in range(30)]
    place.project(*chain.from_iterable(zip(*map(wrong_arrest, people), strict=True)))
    with running_notifiers(place.notifier()):
        records = place.sent_notices(2 * len(people))
        wait_until(lambda: sum(place.sent().values()) == 2 * len(people))

    assert 2 * len(people) == len(records)
    assert stored_states(place.engine) == states_by_alert(records)
    assert {("open", "retracted")} == {tuple(states) for states in states_by_alert(records).values()}


def test_a_later_notifier_does_not_send_rows_again(place: Place) -> None:
    """It begins where the first one was stopped, and sends the rows since then."""
    place.project(*ARRESTED)
    with running_notifiers(place.notifier()):
        place.sent_notices(1)
        wait_until(lambda: bool(place.sent()))
    place.project(*wrong_arrest())
    with running_notifiers(place.notifier()):
        wait_until(lambda: sum(place.sent().values()) == 3)

    assert sorted(place.notices()) == sorted(dict(record.headers)["ce_id"].decode() for record in place.sent_notices(3))


def test_two_at_once_leave_nothing_out_and_keep_the_order(place: Place) -> None:
    """On PostgreSQL one waits for the other; on SQLite both may send the same rows in the same order."""
    with running_notifiers(place.notifier(), place.notifier()):
        for n in range(5):
            people = [f"s{n} {number}" for number in range(10)]
            place.project(*chain.from_iterable(zip(*map(wrong_arrest, people), strict=True)))
        wait_until(lambda: sum(place.sent().values()) == len(place.notices()))
    records = place.sent_notices(100)

    assert stored_states(place.engine) == states_by_alert(records)
    if place.engine.dialect.name == "postgresql":
        assert 100 == len(records)


@contextmanager
def locked_cursors(engine: Engine) -> Iterator[None]:
    """Keep all processes from moving a cursor while the block runs; they may still read it."""
    with write_transaction(engine) as conn:
        if engine.dialect.name == "postgresql":
            conn.execute(text("LOCK TABLE relays IN EXCLUSIVE MODE"))
        yield


def test_a_notifier_killed_before_it_moved_the_cursor_sends_again(place: Place, tmp_path: Path) -> None:
    """Delivery is at least once, and the second time has the same id."""
    place.project(*wrong_arrest())
    with start("run notifier", tmp_path, place.variables()) as notifier, locked_cursors(place.engine):
        first = place.sent_notices(2)
        notifier.process.send_signal(signal.SIGKILL)
        notifier.process.wait(60)
    assert {} == place.sent()
    with start("run notifier", tmp_path, place.variables()) as notifier:
        wait_until(lambda: sum(place.sent().values()) == 2)
        notifier.process.terminate()
        code, _, log = notifier.end()

    again = place.sent_notices(4)
    assert (0, ["started", "stopped"]) == (code, [entry["event"] for entry in ndjson(log)])
    assert (2, 4) == (len(first), len(again))
    assert stored_states(place.engine) == states_by_alert(again)


def test_a_rebuild_neither_sends_again_nor_leaves_out(place: Place) -> None:
    """Notices from before the rebuild are sent, and those of later changes are sent once."""
    place.project(*ARRESTED)
    with running_notifiers(place.notifier()):
        wait_until(lambda: sum(place.sent().values()) == 1)
        with write_transaction(place.engine) as conn:
            for table in (LIVE.alerts, LIVE.alert_changes):
                conn.execute(table.delete())
        rebuild(place.engine, dismissals(), lambda _: None)
        place.project(*wrong_arrest())
        wait_until(lambda: sum(place.sent().values()) == len(place.notices()))

    assert sorted(place.notices()) == sorted(dict(record.headers)["ce_id"].decode() for record in place.sent_notices(3))


def test_an_acknowledgement_is_sent_too(place: Place) -> None:
    """The receiver of the alert also gets the notice that a person has confirmed it."""
    place.project(*ARRESTED)
    (alert,) = rows(place.engine, LIVE.alerts)
    side_writer = SideWriter(place.engine, home("a"), topic=place.settings.kafka_topic, home=partition_for(PARTITIONS))
    side_writer.acknowledge(alert["alert_id"], "a", "ann", None, instant("2022-11-01"))
    with running_notifiers(place.notifier()):
        records = place.sent_notices(2)

    assert [["open", "acknowledged"]] == list(states_by_alert(records).values())


def test_a_record_of_another_partition_is_forwarded_byte_for_byte(place: Place) -> None:
    """It is applied once, though it was sent twice; it keeps all headers, binary ones too."""
    fact = binary(dismissed("2022-03-27", subject=subject_at(0)), partition=1)
    odd = [("traceparent", b"00-ab-01"), ("raw", b"\xff\x00")]
    astray = fact._replace(headers=[*fact.headers, *odd])
    send(place.settings.kafka_bootstrap_servers, place.settings.kafka_topic, [astray])
    drained(place.engine, place.settings)
    first = KafkaReceiver(place.settings)
    (row,) = rows(place.engine, outbox)
    with place.engine.connect() as conn:
        outgoing = Outgoing(*conn.execute(select(outbox)).one())
    # By a notifier that was killed before it moved the cursor.
    first.send([outgoing], threading.Event(), lambda: None)
    first.close()
    with running_notifiers(place.notifier()):
        wait_until(lambda: place.sent() == {1: 1})
    done = drained(place.engine, place.settings)
    arrived = [each for each in topic_records(place.settings, place.settings.kafka_topic, 3) if each.partition == 0]

    assert "forward" == row["kind"]
    same = (astray.key, astray.value, [*astray.headers])
    assert [same] * 2 == [(each.key, each.value, each.headers) for each in arrived]
    assert {"read": 3, "applied": 1, "duplicate": 1, "forwarded": 1} == total(done)


def test_a_header_without_a_value_is_forwarded_as_an_empty_one(place: Place) -> None:
    """The client cannot write a header without a value; that must not end the notifier."""
    row = Outgoing(0, 1, "forward", "t/0/0", "a", None, None, 2, b"a", [["none", None]], b"v")
    receiver = KafkaReceiver(place.settings)
    delivery = receiver.send([row], threading.Event(), lambda: None)
    receiver.close()
    (record,) = topic_records(place.settings, place.settings.kafka_topic, 1)

    assert (1, None) == delivery
    assert (2, b"a", b"v", [("none", b"")]) == (record.partition, record.key, record.value, record.headers)


def test_a_refused_row_does_not_hold_up_other_partitions(place: Place) -> None:
    """A record that is too large for the topic waits, and so do the later rows of its partition."""
    place.project(*wrong_arrest(subject_at(1)))
    large = os.urandom(2_000_000)
    with write_transaction(place.engine) as conn:
        store(conn, outbox, [(0, 1, "forward", "t/0/0", "a", None, None, 2, b"a", [], large)])
        conn.execute(update(partitions).where(partitions.c.partition == 0).values(notices=1))
    with running_notifiers(place.notifier()):
        place.sent_notices(2)
        place.project(*wrong_arrest(subject_at(2)))
        records = place.sent_notices(4)
        wait_until(lambda: place.sent() == {1: 2, 2: 2})

    assert stored_states(place.engine) == states_by_alert(records)


def test_a_broker_that_goes_away_is_waited_for(kafka_broker: Broker, database_url: str, tmp_path: Path) -> None:
    """It is away at the start and again later; waiting rows are sent when it is back, and no process ends."""
    place = Place(kafka_broker.address, lambda **options: make_topic(kafka_broker.address, **options), database_url)
    place.project(*ARRESTED)
    kafka_broker.kill()
    with start("run notifier", tmp_path, place.variables()) as notifier:
        started, waited = (json.loads(notifier.stderr.readline()) for _ in range(2))
        kafka_broker.start()
        wait_until(lambda: sum(place.sent().values()) == 1)
        kafka_broker.kill()
        place.project(*wrong_arrest())
        kafka_broker.start()
        wait_until(lambda: sum(place.sent().values()) == 3)
        notifier.process.terminate()
        code, _, log = notifier.end()
    notices, records = place.notices(), place.sent_notices(3)
    place.engine.dispose()

    assert ("started", "relay_failed", 0) == (started["event"], waited["event"], code)
    assert "nothing listens there" in waited["error"]
    assert "stopped" == ndjson(log)[-1]["event"]
    assert sorted(notices) == sorted({dict(record.headers)["ce_id"].decode() for record in records})


def test_a_plain_run_projects_and_notifies(place: Place, tmp_path: Path) -> None:
    """One process does both, and `alerts --follow` prints the same notice."""
    send(place.settings.kafka_bootstrap_servers, place.settings.kafka_topic, [dismissed("2022-03-27")])
    env = place.variables()
    with start("run", tmp_path, env) as service, start("alerts --follow --cursor 0", tmp_path, env) as followed:
        (record,) = place.sent_notices(1)
        notice = json.loads(followed.stdout.readline())
        service.process.terminate()
        code, _, log = service.end()

    assert (0, {"parts": ["projector", "correlator", "notifier"]}) == (code, {"parts": ndjson(log)[0]["parts"]})
    same = {name: value for name, value in notice.items() if name != "cursor"}
    assert json.loads(record.value) == same | {"sequence": 1}


def test_the_local_log_has_no_notifier(tmp_path: Path) -> None:
    """The error names the reason, and the command that prints the notices."""
    done = run("run notifier", ready(tmp_path))

    assert (2, "") == (done.returncode, done.stdout)
    assert "the notifier has nothing to do: there are no receivers, and the log is local" in done.stderr
    assert "want a file delivery.yaml" in done.stderr


def test_a_missing_topic_is_reported(place: Place, tmp_path: Path) -> None:
    """A producer would wait for it without a limit."""
    done = run("run notifier", tmp_path, env=place.variables() | {"CASETRAIL_KAFKA_ALERTS_TOPIC": "casetrail.none"})

    assert 3 == done.returncode
    assert "Kafka has no topic casetrail.none (run `casetrail topics create`)" in done.stderr
