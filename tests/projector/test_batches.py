"""The rows do not depend on batches, cache size, crashes or a rebuild."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError

from projections.ledger.chain import Entry, LogRecord
from projections.projector.derive import Deriver
from projections.projector.projector import Projector
from projections.rules.rulebook import Rulebook
from projections.tables.database import write_transaction
from projections.tables.schema import LIVE, REBUILD, ledger, outbox, partitions
from projections.tables.write_batch import WriteBatch
from tests.oracle.histories import RECORDED, SHORT, cuts, noisy_histories
from tests.support.builders import conclusions, database, dismissed, instant, records, rows, rulebook

BOOKS = (rulebook(**SHORT), rulebook(**SHORT, certainty="possible"), rulebook(**SHORT | {"for": 3 * 86400}))
END = instant("2023-01-01T00:00:00Z")
BEGINNING = instant("2022-01-01T00:00:00Z")

Step = tuple[str, Any]


@st.composite
def scripts(draw: st.DrawFn) -> list[Step]:
    """The steps of a partition: records, and between them time, other rules, acknowledgements and replays."""
    steps: list[Step] = [("record", line) for line in draw(noisy_histories(most=8))]
    for _ in range(draw(st.integers(0, 4))):
        between: Step = draw(
            st.one_of(
                st.tuples(st.just("time"), st.sampled_from(RECORDED).map(instant)),
                st.tuples(st.just("rules"), st.sampled_from(BOOKS)),
                st.tuples(st.just("seen"), st.tuples(st.integers(0, 3), st.sampled_from([None, 1, 20]))),
                st.tuples(st.just("unseen"), st.integers(0, 3)),
                st.tuples(st.just("replay"), st.just(None)),
            )
        )
        steps.insert(draw(st.integers(0, len(steps))), between)
    return [*steps, ("time", END)]


class Reader:
    """One way to read a script: with some batches and some cache size."""

    def __init__(self, cache_facts: int = 200_000, again: Callable[[Callable[[], Any]], Any] | None = None) -> None:
        self.engine = database()
        self.cache_facts = cache_facts
        self.again = again or (lambda act: act())
        self.assign(BOOKS[0])

    def assign(self, rules: Rulebook) -> None:
        """Take the partition over with *rules*."""
        self.checkpoint = Projector(self.engine, rules, cache_facts=self.cache_facts)
        self.again(lambda: self.checkpoint.assign(BEGINNING))

    def follow(self, script: Sequence[Step], edges: Sequence[slice]) -> "Reader":
        """Go through *script*, with batches of records that end at *edges*."""
        ends = {cut.stop for cut in edges}
        log = records([value for kind, value in script if kind == "record"])
        read = 0
        for n, (kind, value) in enumerate(script, 1):
            read += kind == "record"
            if kind != "record" or n in ends:
                self.read(log[self.checkpoint.checkpoint.position : read])
            self.do(kind, value)
        return self

    def read(self, batch: Sequence[LogRecord]) -> None:
        """Project *batch*, unless it is empty."""
        if batch:
            self.again(lambda: self.checkpoint.project(batch, END))

    def do(self, kind: str, value: Any) -> None:
        """Do one step that is not a record."""
        match kind:
            case "time":
                self.again(lambda: self.checkpoint.advance_watermark(value, END))
            case "rules":
                self.assign(value)
            case "seen":
                number, days = value
                for about in self.alert(number):
                    reached = self.checkpoint.checkpoint.watermark or BEGINNING
                    until = reached + timedelta(days=days) if days else None
                    self.again(partial(self.checkpoint.acknowledge, *about, "kim", None, BEGINNING, until))
            case "unseen":
                for about in self.alert(value):
                    self.again(partial(self.checkpoint.unacknowledge, *about, "kim", None, BEGINNING))
            case "replay":
                parked = [row["seq"] for row in rows(self.engine, ledger) if row["outcome"] == "parked"][:1]
                still = parked and not [row for row in rows(self.engine, ledger) if row["entry"] == "replay"]
                if still:
                    self.again(lambda: self.checkpoint.replay(parked, END))

    def alert(self, number: int) -> list[tuple[str, str]]:
        """Return the alert with this number, and its person; nothing if there is no alert."""
        alerts = rows(self.engine, LIVE.alerts)
        own = alerts[number % len(alerts)] if alerts else None
        return [(own["alert_id"], own["subject_id"])] if own else []

    def left(self) -> dict[str, Any]:
        """Return everything that must not depend on the way."""
        notices: dict[str, list[Any]] = defaultdict(list)
        for row in rows(self.engine, outbox):
            notices[row["alert_id"] or row["subject_id"]].append(row["notice"])
        numbers = [row["n"] for row in rows(self.engine, outbox)]
        assert numbers == [*range(1, len(numbers) + 1)]
        return {
            **conclusions(self.engine),
            "ledger": rows(self.engine, ledger),
            "notices": dict(notices),
            "partitions": rows(self.engine, partitions),
        }


def one_by_one(script: Sequence[Step]) -> list[slice]:
    """Return one batch for each step."""
    return [slice(n, n + 1) for n in range(len(script))]


@settings(max_examples=30)
@given(st.data(), scripts())
def test_no_size_of_a_batch_or_of_the_memory_matters(data: st.DataObject, script: list[Step]) -> None:
    """Subjects, alerts, lives, hashes and notices are the same for any batches, from the cache or loaded again."""
    expected = Reader().follow(script, one_by_one(script)).left()
    small = data.draw(st.sampled_from([0, 5]))

    assert expected == Reader().follow(script, data.draw(cuts(len(script)))).left()
    assert expected == Reader(small).follow(script, data.draw(cuts(len(script)))).left()


@settings(max_examples=30)
@given(st.data(), scripts())
def test_rebuilt_equals_live(data: st.DataObject, script: list[Step]) -> None:
    """A rebuild from the ledger, with any batches and any cache size, leads to the live rows."""
    live = Reader().follow(script, data.draw(cuts(len(script))))
    rebuild(live.engine, data.draw(cuts(live.checkpoint.checkpoint.seq)), data.draw(st.sampled_from([0, 5, 200_000])))

    assert conclusions(live.engine) == conclusions(live.engine, REBUILD)


def test_a_rebuild_dates_other_rules_by_their_watermark() -> None:
    """A rebuild dates a change of rules by the watermark of that time, although passing time leaves no row."""
    script: list[Step] = [
        ("record", dismissed("2022-03-01", recorded=RECORDED[0])),
        ("time", instant("2022-03-20")),
        ("time", instant("2022-03-25")),
        ("rules", BOOKS[2]),
        ("time", END),
    ]
    live = Reader().follow(script, one_by_one(script))
    rebuild(live.engine, [slice(0, None)], 0)

    assert instant("2022-03-25") in {row["at"] for row in rows(live.engine, LIVE.alert_changes)}
    assert conclusions(live.engine) == conclusions(live.engine, REBUILD)


def rebuild(engine: Engine, edges: Sequence[slice], cache_facts: int) -> None:
    """Compute all conclusions of the ledger into the tables of a rebuild."""
    deriver = Deriver(0, BOOKS[0], REBUILD, cache_facts=cache_facts)
    with engine.connect() as conn:
        entries = [Entry(**row) for row in conn.execute(select(ledger).order_by(ledger.c.seq)).mappings()]
    watermark = None
    for cut in edges:
        with write_transaction(engine) as conn:
            writes = WriteBatch()
            watermark = deriver.derive(conn, entries[cut], watermark, writes)
            writes.write(conn)


@contextmanager
def failing(engine: Engine, countdown: int) -> Iterator[None]:
    """Make the statement numbered *countdown* fail once; a commit counts as a statement."""
    left = [countdown]

    def count(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OperationalError("the statement", {}, Exception("the connection is gone"))

    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)
        event.remove(engine, "commit", count)


@settings(max_examples=25)
@given(st.data(), scripts())
def test_a_failure_in_the_middle_leaves_no_trace(data: st.DataObject, script: list[Step]) -> None:
    """A failed statement leaves no row of its step, and the repeated step leads to the same rows."""
    expected = Reader().follow(script, one_by_one(script)).left()
    countdowns = iter(data.draw(st.lists(st.integers(1, 25), min_size=len(script) * 2, max_size=len(script) * 2)))
    crashing = Reader()

    def crash_first(act: Callable[[], Any]) -> None:
        try:
            with failing(crashing.engine, next(countdowns)):
                act()
        except OperationalError:
            act()

    crashing.again = crash_first
    result = crashing.follow(script, data.draw(cuts(len(script)))).left()

    # A repeated assignment raises the epoch once more, and nothing else.
    for left in (expected, result):
        left["partitions"] = [row | {"epoch": None} for row in left["partitions"]]
    assert expected == result


def test_the_steps_of_a_script_have_effects() -> None:
    """The steps of a script have their effects: an acknowledgement, a change of rules, a timer."""
    script: list[Step] = [
        ("record", dismissed("2022-03-01", recorded=RECORDED[0])),
        ("time", instant("2022-03-20")),
        ("seen", (0, None)),
        ("rules", BOOKS[2]),
        ("time", END),
    ]
    reader = Reader().follow(script, one_by_one(script))
    entries = [row["entry"] for row in rows(reader.engine, ledger)]

    assert ["rules", "record", "watermark", "acknowledgement", "rules"] == entries
    assert ["open", "acknowledged", "superseded", "acknowledged"] == [
        row["state"] for row in rows(reader.engine, LIVE.alert_changes)
    ]
