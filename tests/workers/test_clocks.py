"""The clocks of this machine, the database and the broker may differ by a margin, and no more."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from events.errors import Infrastructure
from projections.tables.database import write_transaction
from services.log.kafka.records import check_stamps
from services.log.local import LocalLog
from tests.support.builders import detained, dismissed, instant, records
from tests.support.draining import drain
from tests.support.topic import PARTITIONS, loop_of, migrated, reader_of, send, settings_for

pytestmark = pytest.mark.slow
MARGIN = timedelta(seconds=2)


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """Return a database with a clock of its own, and a fact to project."""
    made = migrated(postgres_url)
    LocalLog(made).append_records([(record.key, record.value) for record in records([dismissed("2022-03-27")])])
    yield made
    made.dispose()


def clock_off(engine: Engine, seconds: int) -> None:
    """Set the clock of the database of *engine* off by *seconds*."""
    with write_transaction(engine) as conn:
        conn.exec_driver_sql(
            "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
            f"$$ SELECT pg_catalog.clock_timestamp() + interval '{seconds} seconds' $$"
        )
        conn.exec_driver_sql(
            f"ALTER DATABASE {engine.dialect.identifier_preparer.quote(str(engine.url.database))} "
            "SET search_path = public, pg_catalog"
        )
    engine.dispose()


def test_a_slow_answer_is_not_a_difference_of_clocks(engine: Engine) -> None:
    """A busy database, or a pause of this process during the question, must not end a projector."""

    def linger(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "clock_timestamp" in statement:
            time.sleep(0.5)

    event.listen(engine, "before_cursor_execute", linger)
    event.listen(engine, "after_cursor_execute", linger)

    assert 1 == drain(engine, clock_margin_seconds=0.2).position


@pytest.mark.parametrize(("seconds", "difference"), [(-3600, r"\+3600\.0 s"), (3600, r"-3600\.0 s")])
def test_clocks_that_differ_too_much_stop_the_projector(engine: Engine, seconds: int, difference: str) -> None:
    """The error names the difference and its direction."""
    clock_off(engine, seconds)

    with pytest.raises(Infrastructure, match=f"this machine's clock is {difference} off the database's"):
        drain(engine)


def test_clocks_may_differ_by_the_margin(engine: Engine) -> None:
    """The earlier clock is the watermark."""
    clock_off(engine, -10)

    assert 1 == drain(engine, clock_margin_seconds=60).position


def test_a_broker_with_a_clock_that_is_ahead_stops_the_projector() -> None:
    """Its stamps move the watermark: a day ahead, a silence would be reported a day too early."""
    read = records([dismissed("2022-03-27", recorded="2022-04-01T00:00:00Z"), detained("2022-04-02")])
    check_stamps(read, instant("2022-04-02T23:59:58Z"), MARGIN)

    with pytest.raises(Infrastructure, match=r"partition 0, offset 1: the record was stamped 3\.0 s in the future"):
        check_stamps(read, instant("2022-04-02T23:59:57Z"), MARGIN)


def test_the_stamps_of_all_records_are_checked(kafka_server: str, kafka_topic: str, sqlite_url: str) -> None:
    """The margin here is impossible to meet: no record is read a minute before its stamp."""
    engine = migrated(sqlite_url)
    send(kafka_server, kafka_topic, [dismissed("2022-03-27")])
    with reader_of(settings_for(kafka_server, kafka_topic)) as source:
        source.slack = timedelta(minutes=-1)
        with pytest.raises(Infrastructure, match="was stamped"):
            loop_of(engine, source).drain(source.ends(range(PARTITIONS)))
    engine.dispose()
