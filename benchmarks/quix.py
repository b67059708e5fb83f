"""
A peer of the projector: the latest fact of each person, kept by quixstreams.

One process keeps the latest fact of each person in the state of quixstreams and upserts it by its PostgreSQL sink, with
its own defaults: at least once, a changelog topic behind the state, a commit every five seconds. No validation beyond
JSON, no history, no audit chain, no rules. quixstreams wants an older pydantic than we do, so this runs on a Python of
its own (`PEERS` in `benchmarks.production`) and imports nothing of ours.
"""

import argparse
from typing import Any

import quixstreams
from psycopg2.extensions import parse_dsn
from quixstreams import Application, State
from quixstreams.sinks.community.postgresql import PostgreSQLSink

Headers = list[tuple[str, bytes]]


def consume(bootstrap: str, topic: str, database: str, group: str, count: int) -> None:
    """Keep the latest fact of each person of the *count* records of *topic*, for the consumer *group*."""
    application = Application(bootstrap, consumer_group=group, auto_offset_reset="earliest", loglevel="WARNING")
    records = application.dataframe(application.topic(topic, key_deserializer="str", value_deserializer="json"))
    sink = PostgreSQLSink(
        **{"password": ""} | parse_dsn(database),
        table_name="latest",
        primary_key_columns="subject_id",
        upsert_on_primary_key=True,
        include_metadata=False,
    )
    records.apply(_latest, stateful=True, metadata=True).sink(sink)
    application.run(count=count, collect=False)


def _latest(data: dict[str, Any], key: str, _timestamp: int, headers: Headers, state: State) -> dict[str, Any]:
    """Return what is latest about a person by when it was published, and how many records there were of them."""
    known = state.get("latest") or {"subject_id": key, "published": "", "facts": 0}
    if data["published"] >= known["published"]:
        attributes = dict(headers)
        known["fact_type"] = attributes["ce_type"].decode()
        known["fact_id"] = attributes["ce_id"].decode()
        known["published"] = data["published"]
    known["facts"] += 1
    state.set("latest", known)
    return known


def main() -> None:
    """Consume what is in a topic."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quix", description=__doc__.strip().splitlines()[0])
    parser.add_argument("--version", action="version", version=f"quixstreams {quixstreams.__version__}")
    parser.add_argument("bootstrap", help="HOST:PORT of the broker")
    parser.add_argument("topic")
    parser.add_argument("database", help="postgresql://... of an empty database")
    parser.add_argument("group", help="the consumer group, whose committed offsets tell how far it is")
    parser.add_argument("count", type=int, help="how many records there are, after which to stop")
    chosen = parser.parse_args()
    consume(chosen.bootstrap, chosen.topic, chosen.database, chosen.group, chosen.count)


if __name__ == "__main__":
    main()
