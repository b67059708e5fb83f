"""A database belongs to one topic, and not to another topic that was made under the same name."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from sqlalchemy import Engine, update

from events.errors import Infrastructure
from projections.tables.database import write_transaction
from projections.tables.origin import Origin, note_partitions, origin_of, progress_of
from projections.tables.schema import origin
from services.log.kafka.topics import id_of
from tests.support.builders import dismissed
from tests.support.commands import SECONDS, run, start
from tests.support.topic import migrated, send, variables
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

CONFIGS = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}
ONE, OTHER = "AAAAAAAAAAAAAAAAAAAAAQ", "AAAAAAAAAAAAAAAAAAAAAg"


def make(address: str, topic: str, *, again: bool = False) -> None:
    """Make *topic* with one partition; with *again*, delete it first."""
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        if again:
            admin.delete_topics([topic])
        admin.create_topics({topic: {"num_partitions": 1, "configs": CONFIGS}}, wait_for_metadata=True)


def recorded_origin(engine: Engine, topic: str) -> Origin:
    """Return the origin that the database has recorded."""
    with engine.connect() as conn:
        row = origin_of(conn, topic)
    assert row
    return row


@pytest.mark.parametrize(
    ("described", "written"),
    [
        ({"topic_id": "00000000-0000-0000-0000-000000000001"}, ONE),
        ({"topic_id": "00000000-0000-0000-0000-000000000000"}, None),
        ({"topic_id": None}, None),
        ({}, None),
    ],
)
def test_an_id_is_written_as_kafkas_tools_write_it(described: dict[str, str | None], written: str | None) -> None:
    """It can be compared with kafka-topics.sh. An old broker has no ids."""
    assert written == id_of(described)


class TestNoted:
    """The origin that a database records, on both kinds of database."""

    @pytest.fixture
    def engine(self, engine: Engine) -> Engine:
        """Return a database of each kind, projected from a topic with a known id."""
        note_partitions(engine, "facts", 1, ONE)
        return engine

    def test_the_id_stays(self, engine: Engine) -> None:
        """It is the same at every later start, like the database's id. A broker without ids changes nothing."""
        first = recorded_origin(engine, "facts")

        assert (ONE, first) == (first.topic_id, note_partitions(engine, "facts", 1, ONE))
        assert first == note_partitions(engine, "facts", 1)

    def test_another_id_is_refused(self, engine: Engine) -> None:
        """The error names both ids, the meaning and the next step."""
        with pytest.raises(
            Infrastructure, match=f"has the id {OTHER}, but this database was built from {ONE}: the topic"
        ):
            note_partitions(engine, "facts", 1, OTHER)

        assert ONE == recorded_origin(engine, "facts").topic_id

    def test_a_database_from_before_takes_the_id(self, engine: Engine) -> None:
        """It was projected before ids were recorded, or from a broker without ids, or its id was removed."""
        with write_transaction(engine) as conn:
            conn.execute(update(origin).values(topic_id=None))
        note_partitions(engine, "facts", 1)
        before = recorded_origin(engine, "facts")

        assert before._replace(topic_id=OTHER) == note_partitions(engine, "facts", 1, OTHER)


class TestMadeAgain:
    """A topic that was deleted and created again."""

    @pytest.fixture
    def env(self, kafka_server: str, kafka_topics: Callable[..., str], tmp_path: Path) -> Iterator[dict[str, str]]:
        """Yield variables of a database that read one record, before the topic was created again with two others."""
        topic = f"casetrail.again.{tmp_path.name}.{id(tmp_path)}"
        database, notices = f"sqlite:///{tmp_path / 'casetrail.db'}", kafka_topics(1)
        settings = variables(kafka_server, topic, database, kafka_alerts_topic=notices)
        make(kafka_server, topic)
        migrated(settings["CASETRAIL_DATABASE_URL"]).dispose()
        send(kafka_server, topic, [dismissed("2022-03-27")])
        done = run("project", tmp_path, env=settings)
        assert 0 == done.returncode, done.stderr
        make(kafka_server, topic, again=True)
        send(kafka_server, topic, [dismissed("2022-03-27", subject=who) for who in ("b", "c")])
        yield settings
        with closing(KafkaAdminClient(bootstrap_servers=kafka_server)) as admin:
            admin.delete_topics([topic])

    def test_every_command_that_reads_the_log_notices(self, env: dict[str, str], tmp_path: Path) -> None:
        """Its positions mean other records, although the number of partitions and the position fit."""
        refused = [run(command, tmp_path, env=env) for command in ("project", "run projector", "run notifier", "lag")]
        doctor = run("doctor", tmp_path, env=env)

        assert [3] * 4 == [done.returncode for done in refused]
        assert all("the topic was deleted and created again" in done.stderr for done in refused), refused
        assert "the topic was deleted and created again" in doctor.stdout

    def test_a_projector_at_work_notices(
        self, kafka_server: str, kafka_topics: Callable[..., str], tmp_path: Path
    ) -> None:
        """It ends with the reason, before it reads a record of the other topic."""
        topic, url = kafka_topics(1, CONFIGS), f"sqlite:///{tmp_path / 'casetrail.db'}"
        engine = migrated(url)
        send(kafka_server, topic, [dismissed("2022-03-27")])
        with start("run projector", tmp_path, variables(kafka_server, topic, url)) as projector:
            wait_until(lambda: [each.position for each in progress_of(engine, topic)] == [1])
            make(kafka_server, topic, again=True)
            send(kafka_server, topic, [dismissed("2022-03-27", subject=who) for who in ("b", "c")])
            code = projector.process.wait(SECONDS)
            _, _, said = projector.end()
        read = [each.position for each in progress_of(engine, topic)]
        engine.dispose()

        assert (3, [1]) == (code, read)
        assert "the topic was deleted and created again" in said
