"""The records that are published during the faults: invented facts, from the command and from another client."""

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError

from services.publish.samples import generate

from .fleet import casetrail

FACTS_PER_SUBJECT: Final = 10
UNTIL: Final = datetime(2026, 1, 1, tzinfo=UTC)
BY_COMMAND: Final = 0.4
COMMAND_SECONDS: Final = 4.0
"""Seconds between two runs of the command at least, because each takes a while to start."""

ASTRAY: Final = 0.03
SPOILT: Final = 0.01
LARGEST_CHUNK: Final = 250
BAD: Final = "harness-bad"
"""The header that marks a record that cannot be read."""

NEVER_MS: Final = 10 * 60 * 1000
STRUCTURED: Final = ("content-type", b"application/cloudevents+json; charset=utf-8")
SUBJECT: Final = re.compile(rb'"subject":"([^"]+)"')


class Record(NamedTuple):
    """A record in the form that a client sends; *partition* None stands for the partition of its key."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int | None = None


class Feed:
    """
    A stream of facts that is published in two threads: by the command and by a producer.

    Attributes:
        ids: the ids of the readable facts; each must be applied once.
        acknowledged: the value of each record that the broker acknowledged to the producer, by (partition, offset).
        findings: wrong outputs of the command.
        published: the number of lines through the command, and of its repeated runs.
    """

    def __init__(self, seed: int, facts: int, partitions: int, seconds: float) -> None:
        self.ids: set[str] = set()
        self.acknowledged: dict[tuple[int, int], bytes] = {}
        self.findings: list[str] = []
        self.published = {"lines": 0, "runs": 0, "runs_again": 0, "records": 0}
        self._random = Random(seed)  # noqa: S311 - not a secret
        self._partitions = partitions
        self._seconds = seconds
        self._by_command = min(BY_COMMAND, seconds / COMMAND_SECONDS * (LARGEST_CHUNK / 2) / facts)
        self._threads: list[threading.Thread] = []
        self._commanded: list[list[bytes]] = []
        self._sent: list[list[Record]] = []
        self._divide([*generate(facts // FACTS_PER_SUBJECT, seed, facts_per_subject=FACTS_PER_SUBJECT, until=UNTIL)])

    def start(self, address: str, topic: str, folder: Path, env: Mapping[str, str]) -> None:
        """Start both threads."""
        works = [
            threading.Thread(target=self._command, args=(folder, env), daemon=True),
            threading.Thread(target=self._produce, args=(address, topic), daemon=True),
        ]
        for work in works:
            work.start()
        self._threads = works

    def join(self, deadline_seconds: float) -> bool:
        """Wait for the end of publishing, and return whether it was reached."""
        end = time.monotonic() + deadline_seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _divide(self, lines: Sequence[bytes]) -> None:
        """Decide which lines the command publishes and which a client sends, and in which form."""
        start = 0
        while start < len(lines):
            size = self._random.randint(1, LARGEST_CHUNK)
            chunk = lines[start : start + size]
            start += size
            good = [line for line in chunk if not _is_bad(line)]
            self.ids |= {json.loads(line)["id"] for line in good}
            if self._random.random() < self._by_command:
                self._commanded.append(good)
                chunk = [line for line in chunk if _is_bad(line)]
            self._sent.append([record for line in chunk for record in self._records(line)])

    def _records(self, line: bytes) -> Iterator[Record]:
        """Yield the record of *line*, sometimes in a wrong partition, and sometimes after an unreadable record."""
        match = SUBJECT.search(line)
        assert match, "every line names its subject"
        key = match[1]
        astray = self._random.random() < ASTRAY
        partition = self._random.randrange(self._partitions) if astray else None
        if _is_bad(line):
            headers = [STRUCTURED, (BAD, b"generated")]
            yield Record(key, line.replace(b'"recorded":', b'"heard":'), headers, partition)
            return
        event = _completed(json.loads(line))
        if self._random.random() < SPOILT:
            yield self._spoilt(key, event)
        if self._random.random() < 0.5:  # noqa: PLR2004 - both forms equally often
            yield Record(key, json.dumps(event).encode(), [STRUCTURED], partition)
        else:
            yield Record(key, *_binary(event), partition)

    def _spoilt(self, key: bytes, event: dict[str, Any]) -> Record:
        value, headers = _binary(event)
        match self._random.randrange(3):
            case 0:
                return Record(key, b"", [*headers, (BAD, b"empty")])
            case 1:
                return Record(b"somebody-else", value, [*headers, (BAD, b"key")])
        return Record(key, value, [(BAD, b"no headers")])

    def _command(self, folder: Path, env: Mapping[str, str]) -> None:
        started = time.monotonic()
        for number, lines in enumerate(self._commanded):
            _wait(started + self._seconds * number / len(self._commanded))
            self.published["lines"] += len(lines)
            while True:
                done = casetrail(["publish", "-"], folder, env, b"".join(line + b"\n" for line in lines))
                self.published["runs"] += 1
                if done.returncode == 0:
                    break
                self.published["runs_again"] += 1
                if done.returncode != 3:  # noqa: PLR2004 - the broker is away: a second run finishes the job
                    self.findings.append(f"publish ended with {done.returncode}: {done.stderr.decode()[-500:]}")
                    break

    def _produce(self, address: str, topic: str) -> None:
        started = time.monotonic()
        with closing(KafkaProducer(bootstrap_servers=address, linger_ms=20, delivery_timeout_ms=NEVER_MS,
                                   max_block_ms=NEVER_MS)) as producer:  # fmt: skip
            for number, records in enumerate(self._sent):
                _wait(started + self._seconds * number / len(self._sent))
                left = records
                while left:
                    left = self._send(producer, topic, left)

    def _send(self, producer: KafkaProducer, topic: str, records: Sequence[Record]) -> list[Record]:
        """Send *records*, and return those that are not acknowledged."""
        futures = [producer.send(topic, value, key, headers, place) for key, value, headers, place in records]
        failed = []
        for record, future in zip(records, futures, strict=True):
            try:
                at = future.get(NEVER_MS / 1000)
            except KafkaError:
                failed.append(record)
            else:
                self.acknowledged[at.partition, at.offset] = record.value
                self.published["records"] += 1
        return failed


def _is_bad(line: bytes) -> bool:
    """Return whether `generate` has spoilt *line*: broken JSON, an unknown type, or an unknown field."""
    try:
        event = json.loads(line)
    except ValueError:
        return True
    return event["type"] == "Vanished" or "rumour" in event["data"]


def _completed(event: dict[str, Any]) -> dict[str, Any]:
    del event["recorded"]
    return {
        "specversion": "1.0",
        "time": "2026-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "dataversion": "1",
        **event,
    }


def _binary(event: dict[str, Any]) -> tuple[bytes, list[tuple[str, bytes]]]:
    attributes = {name: text for name, text in event.items() if name not in {"data", "datacontenttype"}}
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    return json.dumps(event["data"]).encode(), [("content-type", b"application/json"), *headers]


def _wait(deadline: float) -> None:
    time.sleep(max(0.0, deadline - time.monotonic()))
