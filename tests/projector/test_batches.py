"""However the same log is read (in batches, with a small memory, crashing, rebuilt), the same rows come out."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError

from projections.ledger.chain import Entry, LogRecord
from projections.projector.derive import Concluder
from projections.projector.projector import Projector
from projections.rules.rulebook import Rulebook
from projections.tables.database import writing
from projections.tables.schema import LIVE, REBUILD, ledger, outbox, partitions
from projections.tables.write_batch import Writes
from tests.oracle.histories import RECORDED, SHORT, cuts, noisy_stories
from tests.support.builders import conclusions, database, dismissed, instant, records, rows, rulebook

BOOKS = (rulebook(**SHORT), rulebook(**SHORT, certainty="possible"), rulebook(**SHORT | {"for": 3 * 86400}))
END = instant("2023-01-01T00:00:00Z")
BEGINNING = instant("2022-01-01T00:00:00Z")

Step = tuple[str, Any]


@st.composite
def scripts(draw: st.DrawFn) -> list[Step]:
    """What happens to a partition: records, and between them time that passes, other rules, people who have seen it."""
    steps: list[Step] = [("record", line) for line in draw(noisy_stories(most=8))]
    for _ in range(draw(st.integers(0, 4))):
        between: Step = draw(
            st.one_of(
                st.tuples(st.just("time"), st.sampled_from(RECORDED).map(instant)),
                st.tuples(st.just("rules"), st.sampled_from(BOOKS)),
                st.tuples(st.just("seen"), st.integers(0, 3)),
                st.tuples(st.just("replay"), st.just(None)),
            )
        )
        steps.insert(draw(st.integers(0, len(steps))), between)
    return [*steps, ("time", END)]


class Reader:
    """One way to read a script: with batches cut somehow, and a memory of some size."""

    def __init__(self, cache_facts: int = 200_000, again: Callable[[Callable[[], Any]], Any] | None = None) -> None:
        self.engine = database()
        self.cache_facts = cache_facts
        self.again = again or (lambda act: act())
        self.assign(BOOKS[0])

    def assign(self, rules: Rulebook) -> None:
        """Take the partition over with *rules*."""
        self.held = Projector(self.engine, rules, cache_facts=self.cache_facts)
        self.again(lambda: self.held.assign(BEGINNING))

    def follow(self, script: Sequence[Step], edges: Sequence[slice]) -> "Reader":
        """Go through *script*, records in batches that end where *edges* do."""
        ends = {cut.stop for cut in edges}
        log = records([what for kind, what in script if kind == "record"])
        read = 0
        for n, (kind, what) in enumerate(script, 1):
            read += kind == "record"
            if kind != "record" or n in ends:
                self.read(log[self.held.held.position : read])
            self.do(kind, what)
        return self

    def read(self, batch: Sequence[LogRecord]) -> None:
        """Project *batch*, if there is anything in it."""
        if batch:
            self.again(lambda: self.held.project(batch, END))

    def do(self, kind: str, what: Any) -> None:
        """One step that is not a record."""
        match kind:
            case "time":
                self.again(lambda: self.held.advance_watermark(what, END))
            case "rules":
                self.assign(what)
            case "seen":
                alerts = rows(self.engine, LIVE.alerts)
                if alerts:
                    alert = alerts[what % len(alerts)]
                    seen = (alert["alert_id"], alert["subject_id"], "kim", None, BEGINNING)
                    self.again(lambda: self.held.acknowledge(*seen))
            case "replay":
                parked = [row["seq"] for row in rows(self.engine, ledger) if row["outcome"] == "parked"][:1]
                still = parked and not [row for row in rows(self.engine, ledger) if row["entry"] == "replay"]
                if still:
                    self.again(lambda: self.held.replay(parked, END))

    def left(self) -> dict[str, Any]:
        """Everything that must not depend on the way."""
        notices: dict[str, list[Any]] = defaultdict(list)
        for row in rows(self.engine, outbox):
            notices[row["alert_id"]].append(row["notice"])
        numbers = [row["n"] for row in rows(self.engine, outbox)]
        assert numbers == [*range(1, len(numbers) + 1)]
        return {
            **conclusions(self.engine),
            "ledger": rows(self.engine, ledger),
            "notices": dict(notices),
            "partitions": rows(self.engine, partitions),
        }


def one_by_one(script: Sequence[Step]) -> list[slice]:
    """Every record a batch of its own."""
    return [slice(n, n + 1) for n in range(len(script))]


@settings(max_examples=30)
@given(st.data(), scripts())
def test_no_size_of_a_batch_or_of_the_memory_matters(data: st.DataObject, script: list[Step]) -> None:
    """The same subjects, alerts, lives, hashes and notices, one record at a time or many, from memory or anew."""
    expected = Reader().follow(script, one_by_one(script)).left()
    small = data.draw(st.sampled_from([0, 5]))

    assert expected == Reader().follow(script, data.draw(cuts(len(script)))).left()
    assert expected == Reader(small).follow(script, data.draw(cuts(len(script)))).left()


@settings(max_examples=30)
@given(st.data(), scripts())
def test_rebuilt_equals_live(data: st.DataObject, script: list[Step]) -> None:
    """Walking the ledger in its order, in any batches and with any memory, gives the same rows."""
    live = Reader().follow(script, data.draw(cuts(len(script))))
    rebuild(live.engine, data.draw(cuts(live.held.held.seq)), data.draw(st.sampled_from([0, 5, 200_000])))

    assert conclusions(live.engine) == conclusions(live.engine, REBUILD)


def test_a_rebuild_dates_other_rules_by_the_watermark_of_then() -> None:
    """Time that only passed left no row behind, but the rules that came after it say when they came."""
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
    """Conclude all rows of the ledger into the twins."""
    concluder = Concluder(0, BOOKS[0], REBUILD, cache_facts=cache_facts)
    with engine.connect() as conn:
        entries = [Entry(**row) for row in conn.execute(select(ledger).order_by(ledger.c.seq)).mappings()]
    watermark = None
    for cut in edges:
        with writing(engine) as conn:
            writes = Writes()
            watermark = concluder.conclude(conn, entries[cut], watermark, writes)
            writes.write(conn)


@contextmanager
def failing(engine: Engine, countdown: int) -> Iterator[None]:
    """Let the statement numbered *countdown* (a commit is one) fail, once."""
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
    """Whatever statement fails, nothing of the step was written; done again it comes out as if nothing had been."""
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
    found = crashing.follow(script, data.draw(cuts(len(script)))).left()

    # An assignment that was repeated raised the epoch once more; that is all.
    for left in (expected, found):
        left["partitions"] = [row | {"epoch": None} for row in left["partitions"]]
    assert expected == found


def test_a_script_reaches_what_it_is_for() -> None:
    """The steps above do happen: an alert is acknowledged, rules change, a timer fires."""
    script: list[Step] = [
        ("record", dismissed("2022-03-01", recorded=RECORDED[0])),
        ("time", instant("2022-03-20")),
        ("seen", 0),
        ("rules", BOOKS[2]),
        ("time", END),
    ]
    reader = Reader().follow(script, one_by_one(script))
    entries = [row["entry"] for row in rows(reader.engine, ledger)]

    assert ["rules", "record", "watermark", "acknowledgement", "rules", "watermark"] == entries
    assert ["open", "acknowledged", "superseded", "open"] == [
        row["state"] for row in rows(reader.engine, LIVE.alert_changes)
    ]
