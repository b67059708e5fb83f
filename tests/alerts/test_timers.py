"""The earliest timer, which is kept in memory, agrees with the table."""

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
    """Return an instant of that day."""
    return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=day)


def on(day: int | None) -> datetime | None:
    """Return an instant of that day, or None."""
    return None if day is None else at(day)


@given(STEPS)
def test_the_kept_timer_agrees_with_the_table(steps: list[tuple[str, int | None, bool]]) -> None:
    """The kept timer agrees with the table after every write, with and without a query between."""
    subjects = LIVE.subjects
    kept = Timers(0, subjects)
    with MADE.connect() as conn:
        conn.execute(update(subjects).values(due=None))
        written: dict[str, datetime | None] = {}
        for name, day, looks in steps:
            conn.execute(update(subjects).where(subjects.c.subject_id == name).values(due=on(day)))
            kept.moved(written.get(name), on(day))
            written[name] = on(day)
            earliest = conn.scalar(select(func.min(subjects.c.due)))
            if looks:
                kept.earliest(conn)
            assert not kept.exact or kept.soonest == earliest
            assert earliest is None or (kept.soonest is not None and kept.soonest <= earliest)
        assert kept.overdue(conn, instant("2030-01-02")) == {
            name for name, due in written.items() if due is not None and due < instant("2030-01-02")
        }
        conn.rollback()


def test_a_known_timer_is_not_queried_again() -> None:
    """A timer that is known is not queried again, as after each record that moves no timer."""
    kept = Timers(0, LIVE.subjects)
    with MADE.connect() as conn:
        kept.earliest(conn)
        kept.moved(on(3), on(2))
        conn.execute(update(LIVE.subjects).values(due=on(0)))

        assert kept.earliest(conn) != on(0)
        kept.forget()
        assert kept.earliest(conn) == on(0)
        conn.rollback()


class Kept(Timers):
    """The timers of a table with its only writer, as in a projector."""

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
        """Move the timers that are due before *until*, and those in *news*, to *until* plus some days, or to none."""
        due = self.overdue(self.conn, at(until)) if self.may_be_due(at(until)) else set()
        for name, after in {**dict.fromkeys(due), **news}.items():
            self.put(name, None if after is None else until + after)
        while self.may_be_due(at(until)):
            for name in self.overdue(self.conn, at(until)):
                self.put(name, None)

    def holds(self) -> bool:
        """Return whether no timer in the table is before the kept one, and one equals it if it is exact."""
        earliest = self.conn.scalar(select(func.min(LIVE.subjects.c.due)))
        bounded = earliest is None or (self.soonest is not None and self.soonest <= earliest)
        return bounded and (not self.exact or self.soonest == earliest)


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
def test_no_timer_is_missed(steps: list[Any]) -> None:
    """No timer is missed if more are due than one query reads, or if some move meanwhile."""
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
                    kept.earliest(conn)
                case _:
                    kept.forget()
            assert kept.holds()
        conn.rollback()
