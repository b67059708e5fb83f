"""A database belongs to one topic: not to another that was made under its name."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from sqlalchemy import Engine, update

from events.errors import Infrastructure
from projections.tables.database import writing
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
    """Make *topic*, with one partition, after deleting it where it is there already."""
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        if again:
            admin.delete_topics([topic])
        admin.create_topics({topic: {"num_partitions": 1, "configs": CONFIGS}}, wait_for_metadata=True)


def known(engine: Engine, topic: str) -> Origin:
    """What the database says of where it comes from."""
    with engine.connect() as conn:
        found = origin_of(conn, topic)
    assert found
    return found


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"topic_id": "00000000-0000-0000-0000-000000000001"}, ONE),
        ({"topic_id": "00000000-0000-0000-0000-000000000000"}, None),
        ({"topic_id": None}, None),
        ({}, None),
    ],
)
def test_an_id_is_written_as_kafkas_tools_write_it(told: dict[str, str | None], kept: str | None) -> None:
    """So that it can be held against kafka-topics.sh; an old broker gives none."""
    assert kept == id_of(told)


class TestNoted:
    """What the database keeps of its topic, on both kinds."""

    @pytest.fixture
    def engine(self, engine: Engine) -> Engine:
        """A database of each kind, projected from a topic of which the id was known."""
        note_partitions(engine, "facts", 1, ONE)
        return engine

    def test_the_id_stays(self, engine: Engine) -> None:
        """At any later start it is the same, and so is that of the database; a broker that gives none is no other."""
        first = known(engine, "facts")

        assert (ONE, first) == (first.topic_id, note_partitions(engine, "facts", 1, ONE))
        assert first == note_partitions(engine, "facts", 1)

    def test_another_id_is_refused(self, engine: Engine) -> None:
        """With both, what it means, and what to do."""
        with pytest.raises(Infrastructure, match=f"has the id {OTHER}, this database was projected from {ONE}: it was"):
            note_partitions(engine, "facts", 1, OTHER)

        assert ONE == known(engine, "facts").topic_id

    def test_a_database_from_before_takes_the_id(self, engine: Engine) -> None:
        """It was projected before the id was kept, or by a broker that gave none, or was told to forget."""
        with writing(engine) as conn:
            conn.execute(update(origin).values(topic_id=None))
        note_partitions(engine, "facts", 1)
        before = known(engine, "facts")

        assert before._replace(topic_id=OTHER) == note_partitions(engine, "facts", 1, OTHER)


class TestMadeAgain:
    """A topic that was deleted and made again."""

    @pytest.fixture
    def env(self, kafka_server: str, kafka_topics: Callable[..., str], tmp_path: Path) -> Iterator[dict[str, str]]:
        """The settings of a database that has read one record of a topic, which has been made again with two others."""
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

    def test_it_is_noticed_wherever_a_log_is_looked_at(self, env: dict[str, str], tmp_path: Path) -> None:
        """Its positions mean other records, though there are as many partitions and the position is among them."""
        refused = [run(command, tmp_path, env=env) for command in ("project", "run projector", "run notifier", "lag")]
        doctor = run("doctor", tmp_path, env=env)

        assert [3] * 4 == [done.returncode for done in refused]
        assert all("it was deleted and made again" in done.stderr for done in refused), refused
        assert "it was deleted and made again" in doctor.stdout

    def test_a_projector_at_work_notices(
        self, kafka_server: str, kafka_topics: Callable[..., str], tmp_path: Path
    ) -> None:
        """It ends, with the reason, before it has read a record of the other topic."""
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
        assert "it was deleted and made again" in said
