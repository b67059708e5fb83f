"""Publish facts to Kafka: with casetrail's commands, with other clients, and while the broker is away."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings import kafka as sdk
from cloudevents.core.formats.json import JSONFormat
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from events.cloudevents import to_binary, to_json_form
from events.decode import MAX_BYTES, complete, decode
from services.log.base import NotAcknowledged
from services.log.kafka.writer import KafkaLog
from tests.support.commands import fact_line, facts_file, many, ndjson, ready, run, start
from tests.support.kafka import SCRIPT, Broker
from tests.support.places import GOLDEN
from tests.support.strategies import NOW
from tests.support.topic import home, settings_for, variables

SECONDS = 60
LOG_APPEND_TIME = 1
LINES = (GOLDEN / "v1.ndjson").read_bytes().splitlines()
"""One fact for each type."""

Env = dict[str, str]


@pytest.fixture
def topic(kafka_topics: Callable[..., str]) -> str:
    """Return a new topic of three partitions that keeps facts."""
    return kafka_topics(3, {"retention.ms": "-1"})


@pytest.fixture
def env(kafka_server: str, topic: str, tmp_path: Path) -> Env:
    """Return the variables of a process that publishes to the topic and projects it into a database."""
    return variables(kafka_server, topic, f"sqlite:///{ready(tmp_path) / 'casetrail.db'}", clock_margin_seconds=60)


def read(address: str, topic: str, wanted: int) -> list[ConsumerRecord]:
    """Wait until *topic* holds *wanted* records and return them, ordered by partition and offset."""
    with closing(KafkaConsumer(bootstrap_servers=address, isolation_level="read_committed")) as consumer:
        places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        records: list[ConsumerRecord] = []
        end = time.monotonic() + SECONDS
        while len(records) < wanted:
            assert time.monotonic() < end, f"{len(records)} records of {wanted}"
            records += [record for some in consumer.poll(timeout_ms=200).values() for record in some]
    return sorted(records, key=lambda record: (record.partition, record.offset))


def facts(*subjects: str) -> list[tuple[str, bytes]]:
    """Return a fact about each of *subjects*, in the form that a log takes."""
    return [(subject, complete(fact_line(subject=subject).encode(), NOW)[1]) for subject in subjects]


def outcomes(folder: Path, env: Env) -> dict[str, int]:
    """Project the topic, and return the number of records by outcome."""
    done = run("project --json", folder, env=env)
    assert 0 == done.returncode, done.stderr
    names = ("applied", "duplicate", "conflict", "parked", "forwarded")
    totals = json.loads(done.stdout)
    return {name: totals[name] for name in names if totals[name]}


def headers_of(event: bytes) -> dict[str, str]:
    """Return the headers that a client must send with *event*."""
    return {name: value.decode() for name, value in to_binary(event)[0]}


def kcat(*words: str, stdin: bytes = b"") -> str:
    """Run kcat and return its output."""
    return subprocess.run(
        ["kcat", *words], input=stdin, capture_output=True, check=True, timeout=SECONDS
    ).stdout.decode()


def java(tool: str, *words: str, stdin: bytes = b"") -> str:
    """Run one of Kafka's console tools and return its output."""
    jars = subprocess.run([SCRIPT, "jars"], capture_output=True, text=True, check=True).stdout.strip()
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", f"org.apache.kafka.tools.{tool}", *words]
    return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=SECONDS).stdout.decode()


class TestEncoding:
    """The CloudEvents Kafka binding, compared with the CloudEvents SDK."""

    @pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["type"])
    def test_the_sdk_reads_casetrails_events(self, line: bytes) -> None:
        """Every attribute and the data of each fact type are equal."""
        _, event = complete(line, NOW)
        headers, value = to_binary(event)
        read_back = sdk.from_kafka_event(sdk.KafkaMessage(dict(headers), None, value))

        expected = JSONFormat().read(None, event)
        assert expected.get_attributes() == read_back.get_attributes()
        assert expected.get_data() == read_back.get_data()

    @pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["type"])
    @pytest.mark.parametrize("write", [sdk.to_binary_event, sdk.to_structured_event])
    def test_casetrail_reads_the_events_of_the_sdk(self, line: bytes, write: Callable[[Any], sdk.KafkaMessage]) -> None:
        """Both modes give the same fact."""
        fact, event = complete(line, NOW)
        message = write(JSONFormat().read(None, event))

        headers = [(name, value.decode()) for name, value in message.headers.items()]
        assert isinstance(message.value, bytes)
        assert fact == decode(to_json_form(headers, message.value))

    def test_both_write_the_same_headers(self) -> None:
        """They are equal to the byte; their order may differ."""
        _, event = complete(fact_line(note="Уволен").encode(), NOW)

        assert dict(to_binary(event)[0]) == sdk.to_binary_event(JSONFormat().read(None, event)).headers


@pytest.mark.slow
class TestPublish:
    """`publish` with CASETRAIL_LOG=kafka."""

    def test_each_fact_is_at_home_in_binary_mode_at_the_brokers_time(
        self, tmp_path: Path, env: Env, kafka_server: str, topic: str
    ) -> None:
        """Its key is its subject. Published again, it is a duplicate by its id."""
        lines = [fact_line(subject=f"kz-{n}", note="Уволен") for n in range(9)]
        facts_file(tmp_path, lines[0], "{}", *lines[1:])
        first = run("publish --json facts.ndjson", tmp_path, env=env)
        second = run("publish -", tmp_path, "\n".join(lines), env)
        records = read(kafka_server, topic, 18)

        assert (1, ["accepted", "bad", *["accepted"] * 8]) == (
            first.returncode,
            [result["result"] for result in ndjson(first.stdout)],
        )
        assert (0, "9 accepted, 0 bad\n") == (second.returncode, second.stderr)
        assert {LOG_APPEND_TIME} == {record.timestamp_type for record in records}
        assert all(record.partition == home(record.key.decode()) for record in records)
        assert {b"application/json"} == {dict(record.headers)["content-type"] for record in records}
        printed = {(result["id"], result["subject"]) for result in ndjson(first.stdout) if result["id"]}
        assert printed == {(dict(record.headers)["ce_id"].decode(), record.key.decode()) for record in records}
        assert {"applied": 9, "duplicate": 9} == outcomes(tmp_path, env)

    def test_no_database_is_needed(self, tmp_path: Path, env: Env) -> None:
        """An ingestion tool may run on a machine that reaches only the broker."""
        nowhere = env | {"CASETRAIL_DATABASE_URL": f"sqlite:///{tmp_path}/no/c.db"}

        assert 0 == run("publish -", tmp_path, fact_line(), nowhere).returncode

    def test_facts_from_a_slow_pipe_are_in_the_topic_at_once(
        self, tmp_path: Path, env: Env, kafka_server: str, topic: str
    ) -> None:
        """The facts of a tool that runs for days must not wait for its end."""
        with start("publish -", tmp_path, env) as tool:
            for count in (1, 2):
                tool.tell(fact_line(subject=f"kz-{count}") + "\n")
                read(kafka_server, topic, count)
            code, _, said = tool.end()

        assert (0, "2 accepted, 0 bad\n") == (code, said)

    def test_a_file_of_many_batches_goes_in_whole(
        self, tmp_path: Path, env: Env, kafka_server: str, topic: str
    ) -> None:
        """The order within each partition is kept."""
        done = run("publish -", tmp_path, many(4500), env)
        records = read(kafka_server, topic, 4500)

        assert (0, "4500 accepted, 0 bad\n") == (done.returncode, done.stderr)
        numbers = [[int(r.key[3:]) for r in records if r.partition == partition] for partition in range(3)]
        assert [sorted(some) for some in numbers] == numbers

    def test_the_largest_fact_goes_in(self, tmp_path: Path, env: Env, kafka_server: str, topic: str) -> None:
        """Kafka takes a fact of the largest size that casetrail allows."""
        _, event = complete(fact_line(note="x").encode(), NOW)
        line = fact_line(note="x" * (MAX_BYTES - len(event) - 100))
        done = run("publish -", tmp_path, line, env)

        assert (0, "1 accepted, 0 bad\n") == (done.returncode, done.stderr)
        assert len(read(kafka_server, topic, 1)[0].value) > MAX_BYTES - 1000

    @pytest.mark.parametrize("settings", [None, {"retention.ms": "1000"}])
    def test_a_topic_that_is_missing_or_forgets_is_refused(
        self, tmp_path: Path, env: Env, kafka_topics: Callable[..., str], settings: Mapping[str, str] | None
    ) -> None:
        """It is refused before any fact is sent, in one line, with the next step."""
        topic = kafka_topics(1, settings) if settings else "casetrail.nowhere"
        done = run("publish -", tmp_path, fact_line(), env | {"CASETRAIL_KAFKA_TOPIC": topic})

        assert (3, 1) == (done.returncode, len(done.stderr.splitlines()))
        assert ("retention.ms is 1000 (want -1" if settings else "run `casetrail topics create`") in done.stderr

    def test_exactly_the_facts_that_are_not_acknowledged_are_named(self, kafka_server: str, topic: str) -> None:
        """The fact before the refused one stays in the topic."""
        beyond = (
            "b",
            complete(fact_line(subject="b").encode(), NOW)[1].replace(b'"2022-03-27"', b'"' + b"x" * 2_000_000 + b'"'),
        )
        with closing(KafkaLog(settings_for(kafka_server, topic))) as log:
            with pytest.raises(NotAcknowledged, match="MessageSizeTooLarge") as error:
                log.append([*facts("a"), beyond, *facts("c")])
            assert [1, 2] == error.value.missing
            log.append(facts("d"))

        assert {b"a", b"d"} == {record.key for record in read(kafka_server, topic, 2)}


@pytest.mark.slow
def test_a_second_run_finishes_the_job(kafka_broker: Broker, tmp_path: Path) -> None:
    """The broker is away at the start or hangs later: facts not accepted are named, and none is applied twice."""
    env = variables(
        kafka_broker.address,
        "casetrail.events.v1",
        f"sqlite:///{ready(tmp_path) / 'casetrail.db'}",
        clock_margin_seconds=60,
        kafka_publish_timeout_seconds=3,
    )
    assert 0 == run("topics create", tmp_path, env=env).returncode
    lines = [fact_line(subject=f"kz-{n}") for n in range(4)]
    facts_file(tmp_path, *lines)

    kafka_broker.stop()
    away = run("publish facts.ndjson", tmp_path, env=env)
    kafka_broker.start()
    with start("publish --json -", tmp_path, env) as tool:
        tool.tell(lines[0] + "\n{}\n")
        accepted = json.loads(tool.stdout.readline())
        kafka_broker.freeze()
        tool.tell(lines[1] + "\n" + lines[2] + "\n")
        code, out, err = tool.end()
    kafka_broker.thaw()
    finished = run("publish facts.ndjson", tmp_path, env=env)

    assert (3, "") == (away.returncode, away.stdout)
    assert f"casetrail: nothing is accepted: Kafka at {kafka_broker.address}: nothing listens there" in away.stderr
    assert ("accepted", 3) == (accepted["result"], code)
    assert [("bad", 2), ("not_accepted", 3), ("not_accepted", 4)] == [
        (result["result"], result["line"]) for result in ndjson(out)
    ]
    assert "casetrail: -:3-4: not accepted, nor any line after -:4: Kafka at" in err
    assert (0, "4 accepted, 0 bad\n") == (finished.returncode, finished.stderr)
    assert 4 == outcomes(tmp_path, env)["applied"]


@pytest.mark.slow
class TestCorrect:
    """`correct` and `retract` with CASETRAIL_LOG=kafka."""

    def test_facts_that_are_not_projected_yet_count(
        self, tmp_path: Path, env: Env, kafka_server: str, topic: str
    ) -> None:
        """The second of two corrections must not undo the first. Both are read from the person's home partition."""
        source = "--source-title Letter --yes"
        run("publish -", tmp_path, fact_line(), env)
        (record,) = read(kafka_server, topic, 1)
        fact_id = dict(record.headers)["ce_id"].decode()
        early = run(f"correct {fact_id} --set note=x {source}", tmp_path, env=env)
        outcomes(tmp_path, env)
        for change in ("occurred=2022-03-01", "note=both"):
            # Two corrections of one fact within a second would have one id.
            time.sleep(1)
            assert 0 == run(f"correct {fact_id} --set {change} {source}", tmp_path, env=env).returncode
        seen = run(f"retract {fact_id} --reason mistake {source}", tmp_path, env=env)

        assert (2, True) == (early.returncode, "1 record of the log is not projected yet" in early.stderr)
        assert (0, True) == (seen.returncode, '- occurred: "2022-03-01"' in seen.stderr)
        assert '- note: "both"' in seen.stderr
        assert {"applied": 4} == outcomes(tmp_path, env)


@pytest.mark.slow
class TestOtherClients:
    """Any client of Kafka that sends the documented headers can publish."""

    def test_kcat_publishes_and_reads(self, tmp_path: Path, env: Env, kafka_server: str, topic: str) -> None:
        """With the right partitioner its facts are at home. Otherwise they are forwarded, and applied once."""
        place = ("-b", kafka_server, "-t", topic)
        for placing in ("murmur2_random", "consistent_random"):
            for subject, event in facts("kz-a", "kz-b", "kz-c", "kz-d"):
                headers = [word for pair in headers_of(event).items() for word in ("-H", "=".join(pair))]
                words = ("-P", *place, "-k", subject, "-X", f"topic.partitioner={placing}", *headers)
                kcat(*words, stdin=to_binary(event)[1])
            if placing == "murmur2_random":
                assert all(record.partition == home(record.key.decode()) for record in read(kafka_server, topic, 4))
        away = sum(record.partition != home(record.key.decode()) for record in read(kafka_server, topic, 8))
        printed = kcat("-C", *place, "-o", "beginning", "-e", "-q", "-f", "%k %h %s\\n")

        assert 0 < away < 4
        assert {"applied": 4, "duplicate": 4 - away, "forwarded": away} == outcomes(tmp_path, env)
        assert {"kz-a", "kz-b", "kz-c", "kz-d"} == {line.partition(" ")[0] for line in printed.splitlines()}
        assert "ce_type=Dismissed" in printed

    def test_javas_console_tools_publish_and_read(
        self, tmp_path: Path, env: Env, kafka_server: str, topic: str
    ) -> None:
        """Java's partitioner is the same, so no option is needed."""
        lines = []
        for subject in ("kz-a", "kz-b", "kz-c"):
            _, event = complete(fact_line(subject=subject).encode(), NOW)
            headers = ",".join(":".join(pair) for pair in headers_of(event).items())
            lines.append(f"{headers}\t{subject}\t{to_binary(event)[1].decode()}\n")
        shape = ("--reader-property", "parse.key=true", "--reader-property", "parse.headers=true")
        place = ("--bootstrap-server", kafka_server, "--topic", topic)
        java("ConsoleProducer", *place, *shape, stdin="".join(lines).encode())
        assert 0 == run("publish -", tmp_path, fact_line(subject="kz-d"), env).returncode
        read(kafka_server, topic, 4)
        reading = ("--from-beginning", "--max-messages", "4", "--timeout-ms", "30000")
        shown = ("--formatter-property", "print.key=true", "--formatter-property", "print.headers=true")
        printed = java("consumer.ConsoleConsumer", *place, *reading, *shown).splitlines()

        assert {"applied": 4} == outcomes(tmp_path, env)
        assert ["kz-a", "kz-b", "kz-c", "kz-d"] == sorted(line.split("\t")[1] for line in printed)
        assert all("ce_type:Dismissed" in line.split("\t")[0] for line in printed)
