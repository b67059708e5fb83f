"""The queries of a batch use indexes on PostgreSQL, so their cost does not depend on the size of the tables."""

import time
from functools import partial

import pytest
from sqlalchemy import Connection, text

from projections.tables.database import allow_full_scans, open_database, write_transaction
from tests.support.builders import charged, described, detained, project, projector, suspended, wanted
from tests.support.topic import migrated

GROUPS = [[f"kz-{group}-{number}" for number in range(150)] for group in range(10)]
# No fact with a timer: everybody else would be looked up too.
FACTS = (partial(described, name="A. B."), suspended, wanted, detained, charged)
WRITTEN = ("ledger", "subjects", "posts", "cases", "counts", "holds", "searches", "measures", "names", "alerts")
STATISTICS_SECONDS = 30


def test_a_batch_scans_no_table(postgres_url: str) -> None:
    """Queries for known facts and for histories use an index, and so do deletes before new rows are stored."""
    engine = migrated(postgres_url)
    held = projector(engine)

    for month, people in enumerate(GROUPS, 1):
        for day, make in enumerate(FACTS, 10):
            project(held, [make(f"2022-{month:02}-{day}", subject=person) for person in people])

    engine.dispose()
    counts = rows_read(postgres_url, held.checkpoint.seq)
    assert dict.fromkeys(WRITTEN, 0) == {name: counts[name][0] for name in WRITTEN}
    # While a table is small, PostgreSQL may read all of it in the order of an index.
    assert max(counts[name][1] for name in WRITTEN) < 3 * held.checkpoint.seq


@pytest.mark.parametrize(("name", "lookups", "scans"), [("enable_seqscan", "off", "on"), ("jit", "off", "off")])
def test_a_comparison_of_whole_tables_may_scan_them(postgres_url: str, name: str, lookups: str, scans: str) -> None:
    """Scans are allowed until the end of the transaction; the next one on the connection uses indexes again."""
    engine = open_database(postgres_url)

    with write_transaction(engine) as conn:
        before = shown(conn, name)
        allow_full_scans(conn)
        within = shown(conn, name)
    with write_transaction(engine) as conn:
        assert (lookups, scans, lookups) == (before, within, shown(conn, name))
    engine.dispose()


def rows_read(url: str, stored: int) -> dict[str, tuple[int, int]]:
    """
    Return the number of rows of each table that PostgreSQL has read by scans, and by an index.

    Waits until its statistics count *stored* rows of the ledger, which they do some time after a connection has ended.
    """
    engine, deadline = open_database(url), time.monotonic() + STATISTICS_SECONDS
    query = text("SELECT relname, n_tup_ins, seq_tup_read, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables")
    while True:
        with engine.connect() as conn:
            counted = {name: numbers for name, *numbers in conn.execute(query)}
        if counted["ledger"][0] >= stored:
            break
        assert time.monotonic() < deadline, "the statistics come within seconds"
        time.sleep(0.05)
    engine.dispose()
    return {name: (scanned, fetched) for name, (_, scanned, fetched) in counted.items()}


def shown(conn: Connection, name: str) -> str:
    """Return the value of one of PostgreSQL's settings."""
    return str(conn.scalar(text(f"SHOW {name}")))
