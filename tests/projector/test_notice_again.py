"""A notice of a change that an earlier release told of, and that a rebuild by this one dropped."""

from sqlalchemy import Engine, insert, update

from projections.tables.schema import outbox, partitions
from tests.support.builders import database, dismissed, instant, project, projector, rows

NEWS = [dismissed("2022-03-27", subject="a", recorded="2022-03-28T09:00:00Z")]


def test_a_change_that_has_a_notice_gets_no_second_one(engine: Engine) -> None:
    """The alert opens under its old id, and the projector does not stand still at the notice that was sent."""
    earlier = database()
    told = projector(earlier)
    project(told, NEWS)
    told.advance_watermark(instant("2023-01-01"), instant("2023-01-01"))
    sent = rows(earlier, outbox)
    held = projector(engine)
    with engine.begin() as conn:
        conn.execute(insert(outbox), sent)
        conn.execute(update(partitions).values(notices=len(sent)))
    held = projector(engine)
    project(held, NEWS)
    held.advance_watermark(instant("2023-01-01"), instant("2023-01-01"))

    assert sent
    assert sent == rows(engine, outbox)
    earlier.dispose()
