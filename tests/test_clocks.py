"""This machine's clock and the database's: they may differ by a margin, by which silence is judged later."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event

from events.errors import Infrastructure
from projections.database import writing
from services.locallog import LocalLog
from tests.draining import drain
from tests.stories import dismissed, records
from tests.topic import migrated

pytestmark = pytest.mark.slow


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """A database with a clock of its own, and a fact to project."""
    made = migrated(postgres_url)
    LocalLog(made).append_records([(record.key, record.value) for record in records([dismissed("2022-03-27")])])
    yield made
    made.dispose()


def clock_off(engine: Engine, seconds: int) -> None:
    """Have the database of *engine* say another time than it is."""
    with writing(engine) as conn:
        conn.exec_driver_sql(
            "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
            f"$$ SELECT pg_catalog.clock_timestamp() + interval '{seconds} seconds' $$"
        )
        conn.exec_driver_sql(
            f"ALTER DATABASE {engine.dialect.identifier_preparer.quote(str(engine.url.database))} "
            "SET search_path = public, pg_catalog"
        )
    engine.dispose()


def test_an_answer_that_is_long_in_coming_is_no_difference(engine: Engine) -> None:
    """A busy database, or a pause of our own while it is asked, must not end a projector."""

    def linger(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "clock_timestamp" in statement:
            time.sleep(0.5)

    event.listen(engine, "before_cursor_execute", linger)
    event.listen(engine, "after_cursor_execute", linger)

    assert 1 == drain(engine, clock_margin_seconds=0.2).position


@pytest.mark.parametrize(("seconds", "said"), [(-3600, r"\+3600\.0 s"), (3600, r"-3600\.0 s")])
def test_clocks_that_differ_by_more_than_the_margin_stop_it(engine: Engine, seconds: int, said: str) -> None:
    """Loudly, and saying which of them is ahead."""
    clock_off(engine, seconds)

    with pytest.raises(Infrastructure, match=f"this machine's clock is {said} off the database's"):
        drain(engine)


def test_clocks_may_differ_by_the_margin(engine: Engine) -> None:
    """The earlier of them is the watermark."""
    clock_off(engine, -10)

    assert 1 == drain(engine, clock_margin_seconds=60).position
