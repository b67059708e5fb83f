"""A ledger with every kind of row, and the attacks of a person with the rights of an owner."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, select, text, update

from projections.ledger.chain import GENESIS, chained
from projections.queries.verify import Finding, heads, verify
from projections.tables.database import open_database
from projections.tables.schema import LIVE, ledger, partitions
from services.database import migrate
from tests.support.builders import Line, described, detained, dismissed, instant, project, projector

DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
DETAINED = detained("2022-04-20", subject="b", recorded="2022-04-27T08:00:00Z")
FIRST: list[Line | bytes] = [
    DISMISSED,
    DISMISSED | {"recorded": "2022-03-29T09:00:00Z"},
    DISMISSED | {"data": DISMISSED["data"] | {"note": "another"}, "recorded": "2022-03-30T09:00:00Z"},
    b'{"type":"Unheard"}',
    DETAINED,
]
LAST = described("2022-03-27", name="Serik", recorded="2022-08-02T00:00:00Z")
SILENT = instant("2022-08-01")
LENGTH = 11
BROKEN = "its hash does not follow from its content and the row before it"


def full_ledger(url: str) -> Engine:
    """
    Create a database with one partition, read to its end.

    Its rows: 1 the rules; 2-6 the records at offset 0-4 (applied, duplicate, conflict, parked, applied); 7 a watermark;
    8 an acknowledgement; 9 a replay and 10 a dismissal of the parked record; 11 the record at offset 5.
    """
    engine = open_database(url)
    migrate(engine)
    held = projector(engine)
    project(held, FIRST)
    held.advance_watermark(SILENT, SILENT)
    with engine.connect() as conn:
        alert = conn.execute(select(LIVE.alerts)).one()
    held.acknowledge(alert.alert_id, "a", "Aigul", None, SILENT)
    held.replay([5], SILENT)
    held.dismiss(9, "a test", SILENT)
    project(held, [LAST])
    return engine


def attack(conn: Connection, *statements: str) -> None:
    """Remove the triggers, as an attacker with the rights of an owner would, and run *statements*."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("ALTER TABLE ledger DISABLE TRIGGER USER"))
    else:
        for name in conn.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            conn.execute(text(f"DROP TRIGGER {name}"))
    for statement in statements:
        conn.execute(text(statement))


def rewrite(conn: Connection) -> None:
    """Recompute every hash, so that the chain holds again, as an attacker would after reading the docs."""
    last = GENESIS
    for row in conn.execute(select(ledger).order_by(ledger.c.seq)).all():
        last = chained(last, row)
        conn.execute(update(ledger).where(ledger.c.seq == row.seq).values(hash=last))
    conn.execute(update(partitions).values(hash=last))


def findings(conn: Connection, kept: Sequence[str] = ()) -> list[Finding]:
    """Return the findings of a walk over the ledger."""
    return list(verify(conn, kept).findings)


def head(conn: Connection) -> str:
    """Return the last hash."""
    return str(heads(conn)[0]["hash"])
