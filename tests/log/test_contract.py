"""The same facts have the same results with each log and each database (docs/design.md, 7)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import pytest
from sqlalchemy import Engine

from projections.projector.rebuild import rebuild
from projections.queries.verify import verify
from projections.tables.checkpoint import Checkpoint
from projections.tables.schema import LIVE, ledger
from services.log.local import LocalLog, LocalReader
from services.log.open import side_writer
from services.workers.projector_loop import Loop
from tests.support.builders import (
    Line,
    Row,
    charged,
    corrected,
    described,
    detained,
    dismissed,
    instant,
    records,
    retracted,
    rows,
    statuses,
    wanted,
)
from tests.support.rules import dismissals
from tests.support.topic import PARTITIONS, Sent, drained, migrated, send, settings_for, structured, total

pytestmark = pytest.mark.slow

RULES = dismissals()

A_DISMISSED = dismissed("2022-03-27")
B_DISMISSED = dismissed("2022-03-27", subject="b")
B_DETAINED = detained("2022-04-20", subject="b")
C_WANTED = wanted("2022-04-01", subject="c")
STORY: list[Line] = [
    described("2022-01-01", name="Серик"),
    A_DISMISSED,
    # The arrest is published first. Recorded a millisecond after the dismissal, it would rightly be too late.
    B_DETAINED,
    B_DISMISSED,
    C_WANTED,
    charged("2022-05-01", subject="c", charges=[{"title": "взятка", "amount": 0.1}]),
    retracted(C_WANTED),
    corrected(B_DETAINED, occurred="2022-04-19"),
    A_DISMISSED,
    A_DISMISSED | {"data": A_DISMISSED["data"] | {"note": "another"}},
]
RUBBISH = (b"{", b"\xff", b'{"type": "Detained"}')


class World(Protocol):
    """A log and a database, with methods to publish to the one and to project into the other."""

    engine: Engine

    def publish(self, lines: Sequence[Line | bytes]) -> None:
        """Send facts, and bytes that are not facts."""
        ...

    def project(self) -> Sequence[Checkpoint]:
        """Project all records, and advance the watermark."""
        ...


class Embedded:
    """A world whose log is a table of the same database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def publish(self, lines: Sequence[Line | bytes]) -> None:
        """Append *lines* to the log."""
        LocalLog(self.engine).append_records([(record.key, record.value) for record in records(lines)])

    def project(self) -> Sequence[Checkpoint]:
        """Read the log to its end."""
        source = LocalReader(self.engine)
        loop = Loop(self.engine, RULES, source, batch_records=4, clock_margin_seconds=60)
        return loop.drain(source.ends([0]))


class Production:
    """A world whose log is a topic of three partitions."""

    def __init__(self, engine: Engine, address: str, topic: str) -> None:
        self.engine = engine
        self.address = address
        self.settings = settings_for(address, topic, clock_margin_seconds=0)

    def publish(self, lines: Sequence[Line | bytes]) -> None:
        """Send *lines* to the topic, facts in both modes by turns."""
        send(self.address, self.settings.kafka_topic, [self._sent(n, line) for n, line in enumerate(lines)])

    def project(self) -> Sequence[Checkpoint]:
        """Join the group, and read every partition to its end."""
        return drained(self.engine, self.settings, RULES)

    def _sent(self, n: int, line: Line | bytes) -> Line | Sent:
        if isinstance(line, bytes):
            return Sent(None, line, [("content-type", b"application/cloudevents+json")])
        return structured(line) if n % 2 else line


@pytest.fixture(params=["local-sqlite", "local-postgresql", "kafka-sqlite", "kafka-postgresql"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Yield each log with each database."""
    log, database = request.param.split("-")
    engine = migrated(request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[database]))
    if log == "local":
        yield Embedded(engine)
    else:
        make: Callable[..., str] = request.getfixturevalue("kafka_topics")
        yield Production(engine, request.getfixturevalue("kafka_server"), make(PARTITIONS))
    engine.dispose()


def headlines(engine: Engine) -> dict[str, str]:
    """Return each person's headline."""
    return {row["subject_id"]: row["headline"] for row in rows(engine, LIVE.subjects)}


def lives(engine: Engine) -> dict[tuple[str, str], list[str]]:
    """Return the states that each alert went through, by its rule and anchor."""
    found: dict[tuple[str, str], list[str]] = {(row["rule"], row["anchor"]): [] for row in rows(engine, LIVE.alerts)}
    names = {row["alert_id"]: (row["rule"], row["anchor"]) for row in rows(engine, LIVE.alerts)}
    for row in sorted(rows(engine, LIVE.alert_changes), key=lambda row: (row["alert_id"], row["n"])):
        found[names[row["alert_id"]]].append(row["state"])
    return found


def parked(engine: Engine) -> list[Row]:
    """Return the parked records, sorted by their bytes."""
    return sorted((row for row in rows(engine, ledger) if row["outcome"] == "parked"), key=lambda row: row["value"])


def sound(engine: Engine) -> bool:
    """Return whether chains, counts and positions are in order."""
    with engine.connect() as conn:
        return verify(conn).findings == []


def test_the_same_facts_have_the_same_results(world: World) -> None:
    """Statuses, outcomes and alerts are equal in every world."""
    world.publish(STORY)
    done = world.project()
    names = {status["subject_id"]: status["name"] for status in statuses(world.engine)}

    assert {"read": 10, "applied": 8, "duplicate": 1, "conflict": 1} == total(done)
    assert {"a": "dismissed", "b": "detained", "c": "charged"} == headlines(world.engine)
    assert {"a": "Серик", "b": None, "c": None} == names
    assert {
        ("dismissed-without-follow-up", A_DISMISSED["id"]): ["open"],
        ("dismissal-before-arrest", B_DISMISSED["id"]): ["open"],
    } == lives(world.engine)
    assert sound(world.engine)


def test_what_is_sent_again_changes_nothing(world: World) -> None:
    """All facts are sent again in reverse: statuses and alerts stay, and one more conflict waits."""
    world.publish(STORY)
    world.project()
    before, told_before = statuses(world.engine), lives(world.engine)
    world.publish(STORY[::-1])
    done = world.project()

    assert {"read": 20, "applied": 8, "duplicate": 10, "conflict": 2} == total(done)
    assert [1, 0, 0] == [row["unread"] for row in before]
    assert [row | {"unread": 2 * row["unread"]} for row in before] == statuses(world.engine)
    assert told_before == lives(world.engine)


def test_what_cannot_be_read_is_parked_and_kept(world: World) -> None:
    """It is parked with its bytes and the reason. Replayed, it stays parked, and the counts add up."""
    world.publish([*RUBBISH, A_DISMISSED])
    done = world.project()
    found = parked(world.engine)
    for row in found:
        side_writer(world.engine, row["partition"]).replay([row["seq"]], instant("2030"))

    assert {"read": 4, "applied": 1, "parked": 3} == total(done) == total(world.project())
    assert sorted(RUBBISH) == [row["value"] for row in found]
    assert sorted(["not_json", "not_utf8", "invalid"]) == sorted(row["reason"].partition(":")[0] for row in found)
    assert sound(world.engine)


def test_a_person_may_acknowledge_beside_the_projectors(world: World) -> None:
    """It needs no broker, and the projector continues."""
    world.publish([A_DISMISSED])
    world.project()
    (alert,) = rows(world.engine, LIVE.alerts)
    (person,) = rows(world.engine, LIVE.subjects)
    seen = side_writer(world.engine, person["position_partition"])
    seen.acknowledge(alert["alert_id"], "a", "ann", None, instant("2022-10-01"))
    world.publish([detained("2022-12-01")])
    world.project()

    assert [["open", "acknowledged", "resolved"]] == [*lives(world.engine).values()]
    assert sound(world.engine)


def test_a_rebuild_gives_the_rows_that_are_there(world: World) -> None:
    """The rows of every partition are compared."""
    world.publish([*STORY, *RUBBISH])
    world.project()

    assert [] == rebuild(world.engine, RULES, lambda _: None)
    assert sound(world.engine)
