"""What a batch asks of PostgreSQL costs the same however much there is: it is looked up, and no table is walked."""

import time
from functools import partial

import pytest
from sqlalchemy import Connection, text

from projections.tables.database import open_database, unhurried, writing
from tests.support.builders import charged, described, detained, project, projector, suspended, wanted
from tests.support.topic import migrated

GROUPS = [[f"kz-{group}-{number}" for number in range(150)] for group in range(10)]
# Nothing that time changes: everybody else would be looked up too.
TOLD = (partial(described, name="A. B."), suspended, wanted, detained, charged)
WRITTEN = ("ledger", "subjects", "posts", "cases", "counts", "holds", "searches", "measures", "names", "alerts")
STATISTICS_SECONDS = 30


def test_a_batch_walks_no_table(postgres_url: str) -> None:
    """Neither to see which facts are known, nor for histories, nor to make room for what they come to."""
    engine = migrated(postgres_url)
    held = projector(engine)

    for month, people in enumerate(GROUPS, 1):
        for day, told in enumerate(TOLD, 10):
            project(held, [told(f"2022-{month:02}-{day}", subject=person) for person in people])

    engine.dispose()
    seen = rows_seen(postgres_url, held.held.seq)
    assert dict.fromkeys(WRITTEN, 0) == {name: seen[name][0] for name in WRITTEN}
    # As long as there are few, PostgreSQL may read them all in the order of an index.
    assert max(seen[name][1] for name in WRITTEN) < 3 * held.held.seq


@pytest.mark.parametrize(("name", "looked_up", "walked"), [("enable_seqscan", "off", "on"), ("jit", "off", "off")])
def test_one_who_compares_whole_tables_may_walk_them(postgres_url: str, name: str, looked_up: str, walked: str) -> None:
    """Until the transaction ends, and whoever has the connection next looks things up again."""
    engine = open_database(postgres_url)

    with writing(engine) as conn:
        before = shown(conn, name)
        unhurried(conn)
        within = shown(conn, name)
    with writing(engine) as conn:
        assert (looked_up, walked, looked_up) == (before, within, shown(conn, name))
    engine.dispose()


def rows_seen(url: str, stored: int) -> dict[str, tuple[int, int]]:
    """
    How many rows of each table PostgreSQL has walked, and how many it has fetched by an index.

    Once it has counted that so many are *stored* in the ledger: it does so some time after a connection has ended.
    """
    engine, deadline = open_database(url), time.monotonic() + STATISTICS_SECONDS
    query = text("SELECT relname, n_tup_ins, seq_tup_read, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables")
    while True:
        with engine.connect() as conn:
            counted = {name: told for name, *told in conn.execute(query)}
        if counted["ledger"][0] >= stored:
            break
        assert time.monotonic() < deadline, "the statistics come within seconds"
        time.sleep(0.05)
    engine.dispose()
    return {name: (walked, fetched) for name, (_, walked, fetched) in counted.items()}


def shown(conn: Connection, name: str) -> str:
    """What PostgreSQL says of one of its settings."""
    return str(conn.scalar(text(f"SHOW {name}")))
