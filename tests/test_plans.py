"""What a batch asks of PostgreSQL costs the same however much there is: it is looked up, and no table is walked."""

import time

from sqlalchemy import text

from projections.database import open_database
from tests.stories import charged, described, detained, dismissed, project, projector
from tests.topic import migrated

DAYS = [f"2022-03-{day:02}" for day in range(1, 13)]
PEOPLE = [f"kz-{number}" for number in range(40)]
TOLD = (described, dismissed, detained, charged)
ASKED = ("ledger", "subjects", "cases", "names", "alerts")
STATISTICS_SECONDS = 30


def test_a_batch_walks_no_table(postgres_url: str) -> None:
    """Neither to see which facts are known, nor for histories, nor to make room for what they come to."""
    engine = migrated(postgres_url)
    held = projector(engine)
    held.keep(0)

    for day in DAYS:
        project(held, [told(day, subject=person, name=f"{person} {day}") for person in PEOPLE for told in TOLD[:1]])
        project(held, [told(day, subject=person) for person in PEOPLE for told in TOLD[1:]])

    engine.dispose()
    assert dict.fromkeys(ASKED, 0) == rows_walked(postgres_url, held.held.seq)


def rows_walked(url: str, stored: int) -> dict[str, int]:
    """How many rows PostgreSQL has walked, by table, once it has counted that so many are *stored* in the ledger."""
    engine, deadline = open_database(url), time.monotonic() + STATISTICS_SECONDS
    query = text("SELECT relname, seq_tup_read, n_tup_ins FROM pg_stat_user_tables")
    walked: dict[str, int] = {}
    while not walked:
        assert time.monotonic() < deadline, "the statistics come within seconds"
        with engine.connect() as conn:
            counted = {name: (walked, inserted) for name, walked, inserted in conn.execute(query)}
        if counted["ledger"][1] >= stored:
            walked = {name: counted[name][0] for name in ASKED}
    engine.dispose()
    return walked
