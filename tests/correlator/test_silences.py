"""Silences: rows of the correlator's chain, beside the correlator or before it has ever run."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from projections.correlator.chain_entries import NewSilence
from projections.correlator.correlator import add_silence, end_silence
from projections.correlator.progress import correlator_progress, short_reach
from projections.projector.rebuild import rebuild
from projections.queries.silences import SilenceEnd, SilenceRow, silences
from projections.queries.verify import verify
from projections.rules.rulebook import Rulebook
from projections.tables.columns import METADATA
from projections.tables.database import open_database
from projections.tables.schema import CORRELATOR, LIVE, ledger
from tests.support.builders import instant, rows
from tests.support.correlating import TOPIC, House, counting, life, ministry

AT, LATER, UNTIL = instant("2022-07-01"), instant("2022-07-02"), instant("2022-08-01")
NEW = NewSilence("officials", None, "Ministry", UNTIL, "ann", "reported on", AT)
COUNT = Rulebook((counting(),))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty database of each kind with all tables."""
    engine = open_database(database_url)
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


def stored(engine: Engine) -> list[SilenceRow]:
    """Return all silences of the database."""
    with engine.connect() as conn:
        return silences(conn)


def chain(engine: Engine) -> list[str]:
    """Return the kinds of rows in the correlator's chain, which must be without a fault."""
    with engine.connect() as conn:
        assert [] == verify(conn).findings
    return [row["entry"] for row in rows(engine, ledger) if row["partition"] == CORRELATOR]


def test_a_silence_is_a_row_of_the_chain_until_it_ends(engine: Engine) -> None:
    """A silence and its early end are rows beside the correlator, and a rebuild leaves them in effect."""
    house = House(1, engine, COUNT).judge(ministry("abc"), "2022-07-01")
    silence_id = add_silence(engine, TOPIC, NEW)
    (before,) = stored(engine)
    ended = [end_silence(engine, TOPIC, silence_id, SilenceEnd(LATER, by, "known")) for by in ("kim", "ann")]
    house.judge([line for line in ministry("abcdef") if line not in ministry("abc")], "2022-08-01")

    assert SilenceRow(silence_id, "officials", None, "Ministry", UNTIL, "ann", "reported on", AT) == before
    assert (True, False) == (before.is_active(LATER), before.is_active(UNTIL))
    assert [True, False] == ended
    assert [before._replace(ended=SilenceEnd(LATER, "kim", "known"))] == stored(engine)
    assert ["rules", "silence", "silence_end"] == chain(engine)
    assert [] == rebuild(engine, COUNT, lambda _: None)
    assert [before._replace(ended=SilenceEnd(LATER, "kim", "known"))] == stored(engine)


def test_a_silence_begins_the_chain_before_any_correlator(engine: Engine) -> None:
    """Without rules across people a silence can be added, and the correlator stays idle and is not late."""
    house = House(1, engine, Rulebook(())).judge(ministry("abc"), "2022-07-01")
    add_silence(engine, TOPIC, NEW)
    house.correlator = house.correlate()
    house.judge([], "2022-08-01")

    assert house.correlator.idle
    assert ["silence"] == chain(engine)
    with engine.connect() as conn:
        assert (None, None) == (short_reach(conn, TOPIC), correlator_progress(conn, TOPIC))
    assert [] == rebuild(engine, Rulebook(()), lambda _: None)


def test_rules_after_a_silence_are_quiet_about_the_past(engine: Engine) -> None:
    """The first rules across people are told from their own horizon on, although a silence began the chain."""
    house = House(1, engine, Rulebook(())).judge(ministry("abc"), "2022-07-01")
    add_silence(engine, TOPIC, NEW)
    house.rules = COUNT
    house.correlator = house.correlate()
    house.correlator.catch_up(instant("2030"))
    (alert,) = house.alerts()

    assert ["open 2022-02-09 followed"] == life(alert)
    assert [False] == [row["told"] for row in rows(engine, LIVE.alert_changes)]
    assert ["silence", "rules"] == chain(engine)
    assert [] == rebuild(engine, COUNT, lambda _: None)


def test_silences_at_the_same_time_wait_for_each_other(postgres_url: str) -> None:
    """Several people add the first silence at once, and each gets a row of its own."""
    engine = open_database(postgres_url)
    METADATA.create_all(engine)
    people = [threading.Thread(target=add_silence, args=(engine, TOPIC, NEW)) for _ in range(6)]
    for person in people:
        person.start()
    for person in people:
        person.join()

    assert 6 == len({row.silence_id for row in stored(engine)})
    assert ["silence"] * 6 == chain(engine)
    engine.dispose()


def test_ids_of_two_databases_differ() -> None:
    """The same silence at the same place of two chains has two ids, since the rows before it differ."""
    first, second = House(1, rules=COUNT), House(1, rules=Rulebook((counting(title="Others"),)))

    assert add_silence(first.engine, TOPIC, NEW) != add_silence(second.engine, TOPIC, NEW)
