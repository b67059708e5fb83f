"""The earliest timer is known without asking, and is the one in the table."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, update

from projections.tables import timers
from projections.tables.schema import LIVE
from projections.tables.timers import Timers
from tests.support.builders import database, dismissed, instant, project, projector

PEOPLE = "abcdef"
DAYS = st.none() | st.integers(0, 3)
STEPS = st.lists(st.tuples(st.sampled_from(PEOPLE), DAYS, st.booleans()), max_size=12)

MADE = database()
project(projector(MADE), [dismissed("2022-03-27", subject=name) for name in PEOPLE])


def at(day: int) -> datetime:
    """An instant of that day."""
    return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=day)


def on(day: int | None) -> datetime | None:
    """An instant of that day, or none."""
    return None if day is None else at(day)


@given(STEPS)
def test_whoever_writes_says_what_and_the_table_agrees(steps: list[tuple[str, int | None, bool]]) -> None:
    """Whether or not it was looked up in between."""
    subjects = LIVE.subjects
    kept = Timers(0, subjects)
    with MADE.connect() as conn:
        conn.execute(update(subjects).values(due=None))
        written: dict[str, datetime | None] = {}
        for name, day, looks in steps:
            conn.execute(update(subjects).where(subjects.c.subject_id == name).values(due=on(day)))
            kept.moved(written.get(name), on(day))
            written[name] = on(day)
            there = conn.scalar(select(func.min(subjects.c.due)))
            if looks:
                kept.look(conn)
            assert not kept.exact or kept.soonest == there
            assert there is None or (kept.soonest is not None and kept.soonest <= there)
        assert kept.overdue(conn, instant("2030-01-02")) == {
            name for name, due in written.items() if due is not None and due < instant("2030-01-02")
        }
        conn.rollback()


def test_nobody_is_asked_about_what_is_known() -> None:
    """As after each record that moves no timer."""
    kept = Timers(0, LIVE.subjects)
    with MADE.connect() as conn:
        kept.look(conn)
        kept.moved(on(3), on(2))
        conn.execute(update(LIVE.subjects).values(due=on(0)))

        assert kept.look(conn) != on(0)
        kept.forget()
        assert kept.look(conn) == on(0)
        conn.rollback()


class Kept(Timers):
    """Timers of a table, as whoever projects keeps them: it writes, and says what."""

    def __init__(self, conn: Connection) -> None:
        super().__init__(0, LIVE.subjects)
        self.conn = conn
        self.written: dict[str, int | None] = dict.fromkeys(PEOPLE)
        conn.execute(update(LIVE.subjects).values(due=None))

    def put(self, name: str, day: int | None) -> None:
        """Write the timer of *name*."""
        self.conn.execute(update(LIVE.subjects).where(LIVE.subjects.c.subject_id == name).values(due=on(day)))
        self.moved(on(self.written[name]), on(day))
        self.written[name] = day

    def fire(self, news: Mapping[str, int | None], until: int) -> None:
        """Move whoever is due before *until*, and those of whom there are *news*, to that day or later, or to none."""
        due = self.overdue(self.conn, at(until)) if self.may_be_due(at(until)) else set()
        for name, after in {**dict.fromkeys(due), **news}.items():
            self.put(name, None if after is None else until + after)
        while self.may_be_due(at(until)):
            for name in self.overdue(self.conn, at(until)):
                self.put(name, None)

    def holds(self) -> bool:
        """Whether no timer in the table is before what is known, and one is at that instant if that is exact."""
        there = self.conn.scalar(select(func.min(LIVE.subjects.c.due)))
        bounded = there is None or (self.soonest is not None and self.soonest <= there)
        return bounded and (not self.exact or self.soonest == there)


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(PEOPLE), DAYS),
            st.tuples(st.dictionaries(st.sampled_from(PEOPLE), DAYS), st.integers(0, 4)),
            st.sampled_from(["look", "forget"]),
        ),
        max_size=12,
    )
)
def test_no_timer_is_passed_over(steps: list[Any]) -> None:
    """However many are due at once, of whom the first are looked up first, and whoever is moved meanwhile."""
    with MADE.connect() as conn, patch.multiple(timers, SOME=2, CHUNK=3):
        kept = Kept(conn)
        for step in steps:
            match step:
                case (str(name), day):
                    kept.put(name, day)
                case (news, until):
                    kept.fire(news, until)
                    assert all(day is None or day >= until for day in kept.written.values())
                case "look":
                    kept.look(conn)
                case _:
                    kept.forget()
            assert kept.holds()
        conn.rollback()
