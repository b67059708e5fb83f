"""A database that contains every kind of event that shapes a conclusion."""

from typing import Any

from sqlalchemy import Engine

from projections.projector.projector import Projector
from projections.tables.database import write_transaction
from projections.tables.schema import LIVE, ledger, outbox, partitions
from tests.support.builders import (
    charged,
    conclusions,
    corrected,
    described,
    detained,
    dismissed,
    instant,
    project,
    projector,
    retracted,
    rows,
    rulebook,
    stated,
    wanted,
)

A_DISMISSED = dismissed("2022-03-27", recorded="2022-03-28T09:00:00Z")
B_DISMISSED = dismissed("2022-03", subject="b", published="2022-04-01", recorded="2022-04-02T09:00:00Z")
B_DETAINED = detained("2022-04-20", subject="b", recorded="2022-04-27T08:00:00Z")
DAY = 86_400


def populate(engine: Engine) -> Projector:
    """Project every kind of event that shapes a conclusion, and return the last projector."""
    held = projector(engine)
    project(held, [A_DISMISSED, B_DISMISSED, B_DETAINED, b"nonsense", A_DISMISSED])
    project(held, [described("2022-03-27", name="Serik", recorded="2022-05-01T00:00:00Z")])
    held.advance_watermark(instant("2022-08-01"), instant("2022-08-01"))
    acknowledge(held, "a")
    held.replay([5], instant("2022-08-01"))
    late = corrected(B_DETAINED, "2022-09-01", occurred="2022-02-20")
    sought = [wanted("2022-08", subject="c"), stated("MeasureImposed", "2022-08", subject="c", kind="travel_ban")]
    project(held, [late, charged("2022-08", subject="c"), *sought, retracted(late, "2022-10-01")])
    held = projector(engine, rulebook(**{"for": 30 * DAY}), "2022-10-02")
    project(held, [dismissed("2022-11-01", subject="d", recorded="2022-11-02T00:00:00Z")])
    held.advance_watermark(instant("2023-02-01"), instant("2023-02-01"))
    acknowledge(held, "d")
    project(held, [detained("2022-11-20", subject="d", recorded="2023-03-01T00:00:00Z")])
    return held


def acknowledge(held: Projector, subject: str, at: str = "2022-08-02") -> None:
    """Acknowledge the open alert about *subject*."""
    alert = next(
        row for row in rows(held.engine, LIVE.alerts) if (row["subject_id"], row["state"]) == (subject, "open")
    )
    held.acknowledge(alert["alert_id"], subject, "Aigul", "seen", instant(at))


def written(engine: Engine) -> dict[str, Any]:
    """Return all rows that a rebuild could touch, except for the epoch."""
    return {
        **conclusions(engine),
        "outbox": rows(engine, outbox),
        "partitions": rows(engine, partitions, "epoch"),
        "ledger": rows(engine, ledger),
    }


def change(engine: Engine, *statements: Any) -> None:
    """Write to the tables directly, without the program."""
    with write_transaction(engine) as conn:
        for statement in statements:
            conn.execute(statement)
