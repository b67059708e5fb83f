"""Projectors that read Kafka: records of any client, members that share partitions, and halted partitions."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from sqlalchemy import Engine, insert, update

from events.errors import Infrastructure
from projections.queries.verify import verify
from projections.tables.database import write_transaction
from projections.tables.origin import check_local, note_partitions, progress_of
from projections.tables.schema import LIVE, TOPIC, ledger, outbox, partitions, relays
from services.log.kafka.records import kafka_headers, kept_headers
from services.log.local import LocalLog
from tests.support.builders import detained, dismissed, instant, rows, suspended
from tests.support.commands import run
from tests.support.topic import (
    PARTITIONS,
    Sent,
    binary,
    drained,
    home,
    loop_of,
    migrated,
    reader_of,
    running,
    send,
    settings_for,
    structured,
    subject_at,
    total,
    variables,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

EVERYONE = [subject_at(partition) for partition in range(PARTITIONS)]
"""One person for each partition."""


KEPT = {"retention.ms": "-1"}


class OddName(str):
    """The name of a header that is not UTF-8, as a careless client can write it."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Return bytes that cannot be decoded."""
        del encoding, errors
        return b"\xff\xfe"


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[Engine]:
    """Yield a migrated database, of the kind that is faster to open."""
    made = migrated(sqlite_url)
    yield made
    made.dispose()


def outcomes(engine: Engine) -> list[tuple[int, int, str, str]]:
    """Return partition, offset, outcome and code of the reason of each record in the ledger."""
    return [
        (row["partition"], row["log_offset"], row["outcome"], (row["reason"] or "").partition(":")[0])
        for row in rows(engine, ledger)
        if row["entry"] == "record"
    ]


def take_over(engine: Engine) -> None:
    """Raise the epoch of every partition, as another projector that takes them over does."""
    with write_transaction(engine) as conn:
        conn.execute(update(partitions).values(epoch=partitions.c.epoch + 1))


def applied(engine: Engine, topic: str) -> int:
    """Return the number of applied facts."""
    return sum(each.applied for each in progress_of(engine, topic))


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (("a", b"text \xc3\xa9"), ["a", "text \xe9"]),
        (("a", b""), ["a", ""]),
        (("a", None), ["a", None]),
        (("a", b"\xff"), ["a", {"base64": "/w=="}]),
        (("a", b"\0"), ["a", {"base64": "AA=="}]),
        (("a\0", b"text"), ["a\\x00", {"name": "YQA=", "base64": "dGV4dA=="}]),
        (("a\0", None), ["a\\x00", {"name": "YQA=", "base64": None}]),
        (("a", b"{'base64': '/w=='}"), ["a", "{'base64': '/w=='}"]),
    ],
)
def test_headers_are_kept_as_they_came(header: tuple[str, bytes | None], kept: list[Any]) -> None:
    """Text is kept as text, other bytes as base64. On the way back an empty value replaces a missing one."""
    name, value = header

    assert [kept] == kept_headers([header])
    assert [(name, value or b"")] == kafka_headers([kept])


class TestRecords:
    """The outcomes of records, sent by any client."""

    def test_what_any_client_sends_is_projected(
        self, kafka_server: str, kafka_topics: Callable[..., str], tmp_path: Path
    ) -> None:
        """A record leads from the topic to the status of a person, with the usual commands."""
        kafka_topic = kafka_topics(PARTITIONS, KEPT)
        url = f"sqlite:///{tmp_path / 'casetrail.db'}"
        env = variables(kafka_server, kafka_topic, url)
        run("init", tmp_path, env=env)
        send(kafka_server, kafka_topic, [dismissed("2022-03-27", subject=who) for who in EVERYONE])
        done = run("project --json", tmp_path, env=env)
        status = json.loads(run(["status", EVERYONE[1], "--json"], tmp_path, env=env).stdout)

        assert 0 == done.returncode, done.stderr
        assert {"read": 3, "applied": 3, "position": 3}.items() <= json.loads(done.stdout).items()
        assert [("dismissed", {"partition": 1, "offset": 0})] == [(row["headline"], row["position"]) for row in status]

    def test_what_is_no_fact_is_parked_with_the_reason(
        self, kafka_server: str, kafka_topic: str, engine: Engine
    ) -> None:
        """The record is kept whole. Both databases can store headers that are not text."""
        fact = binary(dismissed("2022-03-27"))
        plain = structured(dismissed("2022-03-27"))
        headers = [*fact.headers, ("ce_traceparent", b"\xff")]
        odd: list[Sent] = [
            Sent(b"a", None, fact.headers),
            Sent(b"a", b"", fact.headers),
            plain._replace(headers=[]),
            plain._replace(headers=[("content-type", b"application/json")]),
            fact._replace(key=b"b"),
            fact._replace(key=None),
            fact._replace(headers=headers),
            plain._replace(headers=[("content-type", b"\xff")]),
            fact._replace(headers=[*fact.headers, ("ce_\0", b"\0")]),
            Sent(b"a", b"{", [("content-type", b"application/cloudevents+json")]),
        ]
        send(kafka_server, kafka_topic, [each._replace(partition=0) for each in odd])
        done = drained(engine, settings_for(kafka_server, kafka_topic))
        kept = {row["log_offset"]: row["headers"] for row in rows(engine, ledger) if row["entry"] == "record"}

        assert {"read": 10, "parked": 10} == total(done)
        codes = ["empty", "empty", "no_headers", "no_headers", "wrong_key", "wrong_key"]
        assert [*codes, "not_utf8", "not_utf8", "not_utf8", "not_json"] == [row[3] for row in outcomes(engine)]
        assert [[*each.headers] for each in odd] == [kafka_headers(kept[offset]) for offset in range(10)]

    def test_both_modes_are_read_whatever_other_headers_there_are(
        self, kafka_server: str, kafka_topic: str, engine: Engine
    ) -> None:
        """A trace that is not text, and a header with a NUL, do not concern the fact, and are kept."""
        foreign = [("trace-bin", b"\x00\xff"), ("nothing", b""), ("nul", b"a\0b"), ("\0", b"")]
        fact = binary(dismissed("2022-03-27"))
        send(
            kafka_server,
            kafka_topic,
            [fact._replace(headers=[*fact.headers, *foreign]), structured(suspended("2022-03-01"))],
        )
        drained(engine, settings_for(kafka_server, kafka_topic))
        kept = [row["headers"] for row in rows(engine, ledger) if row["entry"] == "record"]

        assert ["applied", "applied"] == [row[2] for row in outcomes(engine)]
        assert foreign == kafka_headers(kept[0])[-4:]

    def test_a_record_away_from_home_is_forwarded(self, kafka_server: str, kafka_topic: str, engine: Engine) -> None:
        """A client with another partitioner loses nothing, and no status is derived in the wrong partition."""
        at = home("a")
        away = binary(dismissed("2022-03-27"), partition=(at + 1) % PARTITIONS)
        send(kafka_server, kafka_topic, [away])
        done = drained(engine, settings_for(kafka_server, kafka_topic))
        (sent_on,) = rows(engine, outbox)

        assert {"read": 1, "forwarded": 1} == total(done)
        assert ("forward", at, b"a", away.value) == tuple(sent_on[name] for name in ("kind", "target", "key", "value"))
        assert [*away.headers] == kafka_headers(sent_on["headers"])
        assert [] == rows(engine, LIVE.subjects)

    def test_the_marks_of_transactions_are_no_records(self, kafka_server: str, kafka_topic: str, lite: Engine) -> None:
        """Committed records are read, aborted ones are not, and the partition counts as read to its end."""
        with closing(KafkaProducer(bootstrap_servers=kafka_server, transactional_id=kafka_topic)) as producer:
            producer.init_transactions()
            for number, end in enumerate((producer.commit_transaction, producer.abort_transaction)):
                fact = binary(dismissed("2022-03-27", subject=EVERYONE[0], id=str(number)))
                producer.begin_transaction()
                producer.send(kafka_topic, fact.value, key=fact.key, headers=[*fact.headers], partition=0)
                producer.flush(60)
                end()
        done = drained(lite, settings_for(kafka_server, kafka_topic))

        assert {"read": 1, "applied": 1} == total(done)
        assert [4, 0, 0] == [each.position for each in done]

    def test_silence_is_reported_on_an_idle_topic(self, kafka_server: str, kafka_topic: str, lite: Engine) -> None:
        """Without records, the time at which the end was reached becomes the watermark."""
        settings = settings_for(kafka_server, kafka_topic, clock_margin_seconds=0)
        send(kafka_server, kafka_topic, [dismissed("2022-03-27")])
        with reader_of(settings) as source, running(loop_of(lite, source)):
            wait_until(lambda: bool(rows(lite, LIVE.alerts)))

        assert ["open"] == [row["state"] for row in rows(lite, LIVE.alerts)]
        assert ["watermark"] == [row["entry"] for row in rows(lite, ledger) if row["entry"] not in {"rules", "record"}]

    def test_no_silence_is_reported_while_a_record_is_on_its_way(
        self, kafka_server: str, kafka_topic: str, lite: Engine
    ) -> None:
        """A follow-up in another partition is in the log. Its home partition waits for the notifier."""
        settings = settings_for(kafka_server, kafka_topic, clock_margin_seconds=0)
        astray = binary(detained("2022-04-10"), partition=(home("a") + 1) % PARTITIONS)
        send(kafka_server, kafka_topic, [dismissed("2022-03-27"), astray])
        drained(lite, settings)
        drained(lite, settings)
        before = rows(lite, LIVE.alerts)
        with lite.begin() as conn:
            conn.execute(
                insert(relays).values(relay="kafka", partition=astray.partition, sent=1, sent_at=instant("2023"))
            )
        drained(lite, settings)

        assert [] == before
        assert ["open"] == [row["state"] for row in rows(lite, LIVE.alerts)]


class TestStopped:
    """The causes that halt a partition, or all of them."""

    def test_a_position_out_of_range_stops_its_partition_only(
        self, kafka_server: str, kafka_topic: str, lite: Engine
    ) -> None:
        """Records are gone: the reason says so, none is skipped, and the other partitions continue."""
        send(kafka_server, kafka_topic, [dismissed("2022-03-27", subject=who) for who in EVERYONE])
        with closing(KafkaAdminClient(bootstrap_servers=kafka_server)) as admin:
            admin.delete_records({TopicPartition(kafka_topic, 0): 1})
        with reader_of(settings_for(kafka_server, kafka_topic)) as source:
            with running(loop_of(lite, source)):
                wait_until(lambda: 0 in source.stopped and applied(lite, kafka_topic) == 2)
            reason = source.stopped[0]
        with pytest.raises(Infrastructure, match="partition 0: the position is 0, and the log holds 1 to 1"):
            drained(lite, settings_for(kafka_server, kafka_topic))

        assert "records are gone" in reason
        assert [0, 1, 1] == [each.position for each in progress_of(lite, kafka_topic)]

    def test_a_record_that_cannot_be_decoded_stops_its_partition_only(
        self, kafka_server: str, kafka_topic: str, lite: Engine
    ) -> None:
        """The client cannot decode the name of a header. The other partitions are read."""
        poison = binary(dismissed("2022-03-27", subject=EVERYONE[0]))._replace(headers=[(OddName("x"), b"1")])
        send(kafka_server, kafka_topic, [poison, *(dismissed("2022-03-27", subject=who) for who in EVERYONE)])
        with reader_of(settings_for(kafka_server, kafka_topic)) as source, running(loop_of(lite, source)):
            wait_until(lambda: 0 in source.stopped and applied(lite, kafka_topic) == 2)
            reason = source.stopped[0]

        assert reason.startswith("a record from 0 on is corrupt")
        assert [0, 1, 1] == [each.position for each in progress_of(lite, kafka_topic)]

    def test_a_producers_own_time_stops_the_partition(
        self, kafka_server: str, kafka_topics: Callable[..., str], lite: Engine
    ) -> None:
        """The setting of the topic was changed. One fact stamped 2099 must not decide the time."""
        topic = kafka_topics(PARTITIONS, {"message.timestamp.type": "CreateTime"})
        send(kafka_server, topic, [dismissed("2022-03-27", subject=EVERYONE[1])])
        with pytest.raises(Infrastructure, match="partition 1: the record at 0 was stamped by its producer"):
            drained(lite, settings_for(kafka_server, topic))

        assert [] == outcomes(lite)

    def test_another_number_of_partitions_stops_projectors(
        self, kafka_server: str, kafka_topics: Callable[..., str], tmp_path: Path
    ) -> None:
        """Subjects would map to other partitions: the error says so, and no record is read."""
        topic = kafka_topics(2, KEPT)
        env = variables(kafka_server, topic, f"sqlite:///{tmp_path / 'casetrail.db'}")
        run("init", tmp_path, env=env)
        before = run("project", tmp_path, env=env)
        with closing(KafkaAdminClient(bootstrap_servers=kafka_server)) as admin:
            admin.create_partitions({topic: 3})
        refused = [run(command, tmp_path, env=env) for command in ("project", "run projector")]

        assert 0 == before.returncode, before.stderr
        assert [3, 3] == [done.returncode for done in refused]
        wanted = f"topic {topic} has 3 partitions, but this database was built from 2"
        assert all(wanted in done.stderr for done in refused)

    def test_a_partition_that_appears_later_stops_projectors(
        self, kafka_server: str, kafka_topic: str, lite: Engine
    ) -> None:
        """A running projector that gets the new partition stops too."""
        note_partitions(lite, kafka_topic, 2)
        with reader_of(settings_for(kafka_server, kafka_topic), partitions=2) as source:
            loop = loop_of(lite, source)
            with pytest.raises(Infrastructure, match=f"topic {kafka_topic} has a partition 2, but"):
                loop.run(threading.Event(), 0.1)

    def test_a_broker_that_is_away_is_an_error_of_the_machine(self, tmp_path: Path) -> None:
        """`project` ends with exit code 3 after the timeout of the settings, and names the address."""
        url = f"sqlite:///{tmp_path / 'casetrail.db'}"
        env = variables("127.0.0.1:1", TOPIC, url, kafka_publish_timeout_seconds=1)
        run("init", tmp_path, env=env)
        done = run("project", tmp_path, env=env)

        assert 3 == done.returncode
        assert "127.0.0.1:1" in done.stderr


class TestOneLog:
    """A database belongs to one log."""

    def test_a_database_with_its_own_log_is_refused_for_kafka(self, lite: Engine) -> None:
        """The records of its own log would never be read."""
        LocalLog(lite).append([("a", b"{}")])

        with pytest.raises(Infrastructure, match="holds a log of its own"):
            note_partitions(lite, TOPIC, 6)

    def test_a_database_projected_from_kafka_is_not_read_from_its_own_log(self, tmp_path: Path) -> None:
        """Its positions are those of Kafka, so records of its own log would be skipped."""
        url = f"sqlite:///{tmp_path / 'casetrail.db'}"
        engine = migrated(url)
        note_partitions(engine, TOPIC, 6)
        engine.dispose()
        done = run("project", tmp_path, env={"CASETRAIL_DATABASE_URL": url})

        assert 3 == done.returncode
        assert f"was built from 6 partitions of {TOPIC} of Kafka" in done.stderr

    def test_another_topic_is_another_log(self, lite: Engine) -> None:
        """The chains of its partitions would be mixed with the existing ones."""
        note_partitions(lite, "one", 3)
        note_partitions(lite, "one", 3)

        with pytest.raises(Infrastructure, match="built from 3 partitions of one, not from other"):
            note_partitions(lite, "other", 3)

    def test_positions_beyond_the_own_log_are_refused(
        self, kafka_server: str, kafka_topics: Callable[..., str], lite: Engine
    ) -> None:
        """A topic of one partition looks like the database's own log, except for the position."""
        topic = kafka_topics(1)
        send(kafka_server, topic, [dismissed("2022-03-27")])
        with reader_of(settings_for(kafka_server, topic), partitions=1) as source:
            loop_of(lite, source).drain({0: 1})

        with pytest.raises(Infrastructure, match="was built from"):
            check_local(lite)


class TestRunning:
    """A member of the group among others."""

    def test_two_members_share_and_one_takes_over(self, kafka_server: str, kafka_topic: str, lite: Engine) -> None:
        """Each has some of the partitions. When one leaves, the other has them all."""
        settings = settings_for(kafka_server, kafka_topic)
        with reader_of(settings) as one, running(loop_of(lite, one)):
            wait_until(lambda: len(one.owned) == PARTITIONS)
            with reader_of(settings) as other, running(loop_of(lite, other)):
                wait_until(lambda: 0 < len(other.owned) < PARTITIONS)
                send(kafka_server, kafka_topic, [dismissed("2022-03-27", subject=who) for who in EVERYONE])
                wait_until(lambda: applied(lite, kafka_topic) == 3)
            send(kafka_server, kafka_topic, [suspended("2022-03-01", subject=who) for who in EVERYONE])
            wait_until(lambda: applied(lite, kafka_topic) == 6)

        with lite.connect() as conn:
            assert [] == verify(conn).findings

    def test_a_projector_that_lost_its_partition_joins_again(
        self, kafka_server: str, kafka_topic: str, engine: Engine
    ) -> None:
        """A higher epoch means that it may not write. It gives all partitions back, and gets some again."""
        settings = settings_for(kafka_server, kafka_topic)
        with reader_of(settings) as source, running(loop_of(engine, source)):
            send(kafka_server, kafka_topic, [dismissed("2022-03-27", subject=who) for who in EVERYONE])
            wait_until(lambda: applied(engine, kafka_topic) == 3)
            take_over(engine)
            send(kafka_server, kafka_topic, [suspended("2022-03-01", subject=who) for who in EVERYONE])
            wait_until(lambda: applied(engine, kafka_topic) == 6)

        assert {"read": 6, "applied": 6} == total(progress_of(engine, kafka_topic))
