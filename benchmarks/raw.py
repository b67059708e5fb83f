"""
The yardstick of the projector: the same records consumed, validated and stored, with no conclusions drawn.

One process reads every partition of a topic to its end with kafka-python's own poll. It validates each record with the
same pydantic types. It writes a batch in one transaction: COPY into a plain table, one upsert for each subject, and the
position of each partition. It has no audit chain, no statuses, no rules, and no search for duplicates.
"""

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from pydantic_core import to_json

from events.vocabulary import EVENT

BATCH = 4000
POLL_MS = 200
FETCH_BYTES = 4_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TYPES = ("int4", "int8", "text", "text", "text", "timestamptz", "bytea")
TABLES = """
CREATE TABLE raw_facts (partition int, log_offset bigint, fact_id text, fact_type text, subject_id text,
    recorded timestamptz, value bytea, PRIMARY KEY (partition, log_offset));
CREATE TABLE raw_subjects (subject_id text PRIMARY KEY, fact_type text, fact_id text, recorded timestamptz);
CREATE TABLE raw_positions (partition int PRIMARY KEY, position bigint);
"""
UPSERT = """
INSERT INTO raw_subjects SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[])
ON CONFLICT (subject_id) DO UPDATE SET fact_type = excluded.fact_type, fact_id = excluded.fact_id,
    recorded = excluded.recorded
"""
ADVANCE = "INSERT INTO raw_positions VALUES (%s, %s) ON CONFLICT (partition) DO UPDATE SET position = excluded.position"
Row = tuple[int, int, str, str, str, datetime, bytes]


def consume(bootstrap: str, topic: str, database: str) -> None:
    """Store every record that is in *topic* at the start."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_poll_records=BATCH,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    partitions = [TopicPartition(topic, partition) for partition in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    ends = {at: end for at, end in consumer.end_offsets(partitions).items() if end}
    with psycopg.connect(database) as conn:
        conn.execute(TABLES)
        conn.commit()
        while ends:
            for at, records in consumer.poll(timeout_ms=POLL_MS).items():
                _store(conn, list(_rows(records)))
                if records[-1].offset + 1 >= ends[at]:
                    del ends[at]
    consumer.close()


def _rows(records: Sequence[ConsumerRecord]) -> Iterator[Row]:
    for record in records:
        event = EVENT.validate_json(_event(record))
        recorded = EPOCH + timedelta(milliseconds=record.timestamp)
        yield (
            record.partition,
            record.offset,
            event["id"],
            event["type"],
            event["subject"],
            recorded,
            record.value,
        )


def _event(record: ConsumerRecord) -> bytes:
    attributes: dict[str, Any] = {
        name[3:]: value.decode() for name, value in record.headers if name.startswith("ce_") and value
    }
    return b"".join((to_json(attributes)[:-1], b',"data":', record.value, b"}"))


def _store(conn: psycopg.Connection, rows: list[Row]) -> None:
    with conn.cursor() as cursor, cursor.copy("COPY raw_facts FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(TYPES)
        for row in rows:
            copy.write_row(row)
    last = {row[4]: row for row in rows}
    columns = [[row[at] for row in last.values()] for at in (4, 3, 2, 5)]
    conn.execute(UPSERT, columns)
    partition, offset, *_ = rows[-1]
    conn.execute(ADVANCE, (partition, offset + 1))
    conn.commit()


def main() -> None:
    """Read the options, and consume the topic."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.raw", description=__doc__.strip().splitlines()[0])
    parser.add_argument("bootstrap", help="HOST:PORT of the broker")
    parser.add_argument("topic")
    parser.add_argument("database", help="postgresql://... of an empty database")
    arguments = parser.parse_args()
    consume(arguments.bootstrap, arguments.topic, arguments.database)


if __name__ == "__main__":
    main()
