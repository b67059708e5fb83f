"""
A peer of the projector: the latest fact of each person, kept by quixstreams.

One process keeps the latest fact of each person in the state of quixstreams. Its PostgreSQL sink upserts the fact with
its own defaults: at least once, a changelog topic behind the state, a commit every five seconds. There is no validation
beyond JSON, no history, no audit chain and no rules. quixstreams needs an older pydantic than casetrail does. So this
program runs on a Python of its own (`PEERS` in `benchmarks.production`) and imports no module of casetrail.
"""

import argparse
from typing import Any

import quixstreams
from psycopg2.extensions import parse_dsn
from quixstreams import Application, State
from quixstreams.sinks.community.postgresql import PostgreSQLSink

Headers = list[tuple[str, bytes]]


def consume(bootstrap: str, topic: str, database: str, group: str, count: int) -> None:
    """Keep the latest fact of each person in the first *count* records of *topic*, as the consumer *group*."""
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
    """Return the latest published fact of a person, and the number of records about the person."""
    latest = state.get("latest") or {"subject_id": key, "published": "", "facts": 0}
    if data["published"] >= latest["published"]:
        attributes = dict(headers)
        latest["fact_type"] = attributes["ce_type"].decode()
        latest["fact_id"] = attributes["ce_id"].decode()
        latest["published"] = data["published"]
    latest["facts"] += 1
    state.set("latest", latest)
    return latest


def main() -> None:
    """Read the options, and consume the topic."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quix", description=__doc__.strip().splitlines()[0])
    parser.add_argument("--version", action="version", version=f"quixstreams {quixstreams.__version__}")
    parser.add_argument("bootstrap", help="HOST:PORT of the broker")
    parser.add_argument("topic")
    parser.add_argument("database", help="postgresql://... of an empty database")
    parser.add_argument("group", help="the consumer group, which commits its progress")
    parser.add_argument("count", type=int, help="the number of records to read")
    arguments = parser.parse_args()
    consume(arguments.bootstrap, arguments.topic, arguments.database, arguments.group, arguments.count)


if __name__ == "__main__":
    main()
