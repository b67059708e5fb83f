"""The earliest timer is known without asking, and is the one in the table."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from projections.tables import LIVE
from projections.timers import Timers
from tests.stories import database, dismissed, instant, project, projector

PEOPLE = "abc"
DAYS = st.none() | st.integers(0, 3)
STEPS = st.lists(st.tuples(st.sampled_from(PEOPLE), DAYS, st.booleans()), max_size=12)

MADE = database()
project(projector(MADE), [dismissed("2022-03-27", subject=name) for name in PEOPLE])


def on(day: int | None) -> datetime | None:
    """An instant of that day, or none."""
    return None if day is None else instant("2030-01-01") + timedelta(days=day)


@given(STEPS)
def test_whoever_writes_says_what_and_the_table_agrees(steps: list[tuple[str, int | None, bool]]) -> None:
    """Whether or not it was looked up in between."""
    subjects = LIVE.subjects
    timers = Timers(0, subjects)
    with MADE.connect() as conn:
        conn.execute(update(subjects).values(due=None))
        written: dict[str, datetime | None] = {}
        for name, day, looks in steps:
            conn.execute(update(subjects).where(subjects.c.subject_id == name).values(due=on(day)))
            timers.moved(written.get(name), on(day))
            written[name] = on(day)
            there = conn.scalar(select(func.min(subjects.c.due)))
            if looks:
                timers.look(conn)
            assert not timers.exact or timers.soonest == there
            assert there is None or (timers.soonest is not None and timers.soonest <= there)
        assert timers.overdue(conn, instant("2030-01-02")) == {
            name for name, due in written.items() if due is not None and due < instant("2030-01-02")
        }
        conn.rollback()


def test_nobody_is_asked_about_what_is_known() -> None:
    """As after each record that moves no timer."""
    timers = Timers(0, LIVE.subjects)
    with MADE.connect() as conn:
        timers.look(conn)
        timers.moved(on(3), on(2))
        conn.execute(update(LIVE.subjects).values(due=on(0)))

        assert timers.look(conn) != on(0)
        timers.forget()
        assert timers.look(conn) == on(0)
        conn.rollback()
