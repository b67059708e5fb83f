"""The brokers of the tests work as real ones do, and end with the tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from tests.support.kafka import Broker, make_topic, shared_broker
from tests.support.places import ROOT

LOG_APPEND_TIME = 1
SECONDS = 60
# Two processes share a folder. The first starts the broker. Both print its address and wait until they are ended.
USE = """
import sys
from pathlib import Path
from tests.support.kafka import shared_broker
with shared_broker(Path(sys.argv[1])) as address:
    print(address, flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.slow


def produce(address: str, topic: str, keys: list[str], timestamp_ms: int | None = None) -> list[tuple[int, int]]:
    """Produce a record for each of *keys*; return the partition and offset of each."""
    with closing(KafkaProducer(bootstrap_servers=address, enable_idempotence=True, acks="all")) as producer:
        futures = [
            producer.send(topic, key.encode(), key.encode(), [("n", str(n).encode())], timestamp_ms=timestamp_ms)
            for n, key in enumerate(keys)
        ]
        producer.flush(SECONDS)
        acknowledged = [future.get(SECONDS) for future in futures]
    return [(metadata.partition, metadata.offset) for metadata in acknowledged]


def consume(address: str, topic: str, wanted: int) -> list[ConsumerRecord]:
    """Read *wanted* records of *topic* from the beginning, in the order of partitions and offsets."""
    consumer = KafkaConsumer(bootstrap_servers=address, isolation_level="read_committed", auto_offset_reset="none")
    with closing(consumer):
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        records: list[ConsumerRecord] = []
        deadline = time.monotonic() + SECONDS
        while len(records) < wanted and time.monotonic() < deadline:
            records += [record for some in consumer.poll(timeout_ms=200).values() for record in some]
    return sorted(records, key=lambda record: (record.partition, record.offset))


def brokers(folder: Path) -> list[int]:
    """Return the ids of the processes that are brokers on data in *folder*."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"kafka.Kafka" in words and str(folder).encode() in words:
            found.append(int(process.name))
    return found


def gone(folder: Path) -> bool:
    """Wait for the end of the brokers on data in *folder*; return whether they ended."""
    deadline = time.monotonic() + SECONDS
    while brokers(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not brokers(folder)


@pytest.fixture
def users(tmp_path: Path, kafka_programs: None) -> Iterator[Callable[[], tuple["subprocess.Popen[str]", str]]]:  # noqa: ARG001 - it may skip
    """Yield a function that starts a process on the shared broker; it returns the process and the broker's address."""
    processes = []

    def use() -> tuple["subprocess.Popen[str]", str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USE, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout
        return process, process.stdout.readline().strip()

    yield use
    for process in processes:
        process.kill()
        process.communicate()


def test_what_is_produced_is_read_back_at_the_brokers_time(kafka_server: str, kafka_topic: str) -> None:
    """Keys, values and headers are unchanged, and the time is the broker's, not the producer's."""
    keys = [f"kz-{n}" for n in range(20)]
    before = time.time() * 1000

    given = produce(kafka_server, kafka_topic, keys, timestamp_ms=0)
    records = consume(kafka_server, kafka_topic, 20)

    assert sorted(given) == [(record.partition, record.offset) for record in records]
    assert {record.timestamp_type for record in records} == {LOG_APPEND_TIME}
    assert all(before - 1000 <= record.timestamp <= time.time() * 1000 + 1000 for record in records)
    by_place = {(record.partition, record.offset): record for record in records}
    assert [(by_place[place].key, by_place[place].value, by_place[place].headers) for place in given] == [
        (key.encode(), key.encode(), [("n", str(n).encode())]) for n, key in enumerate(keys)
    ]


@pytest.mark.parametrize("again", [1, 2])
def test_a_topic_for_a_test_is_empty_and_its_own(kafka_server: str, kafka_topic: str, again: int) -> None:
    """No test reads the records of another."""
    produce(kafka_server, kafka_topic, ["kz-a"] * again)

    assert len(consume(kafka_server, kafka_topic, again)) == again


def test_a_broker_that_was_killed_has_kept_what_it_acknowledged(kafka_broker: Broker) -> None:
    """It restarts on the same port with the same data, after a kill and after an orderly shutdown."""
    topic = make_topic(kafka_broker.address, partitions=1)
    produce(kafka_broker.address, topic, ["kz-a"])

    kafka_broker.restart()
    produce(kafka_broker.address, topic, ["kz-b"])
    kafka_broker.stop()
    kafka_broker.start()

    assert [record.key for record in consume(kafka_broker.address, topic, 2)] == [b"kz-a", b"kz-b"]


def test_one_broker_serves_all_and_ends_with_the_last(
    users: Callable[[], tuple["subprocess.Popen[str]", str]], tmp_path: Path
) -> None:
    """Two workers share one broker. The first may end; when the other is killed, the broker ends too."""
    first, first_address = users()
    second, second_address = users()

    assert first_address == second_address
    first.communicate()
    produce(second_address, make_topic(second_address, partitions=1), ["kz-a"])
    assert len(brokers(tmp_path)) == 1
    second.send_signal(signal.SIGKILL)
    assert gone(tmp_path)


def test_a_broker_does_not_outlive_its_keeper(tmp_path: Path) -> None:
    """The broker ends even if its keeper is killed."""
    with shared_broker(tmp_path):
        (broker,) = brokers(tmp_path)
        keeper = int(Path(f"/proc/{broker}/stat").read_text().rpartition(")")[2].split()[1])

        os.kill(keeper, signal.SIGKILL)

        assert gone(tmp_path)
