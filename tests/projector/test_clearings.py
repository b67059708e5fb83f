"""The notices that a person is cleared, and that this is set aside."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, update

from events.edtf import BEGINNING
from projections.history.history import History
from projections.projector.projector import Projector
from projections.projector.rebuild import rebuild
from projections.rules.rulebook import Rulebook
from projections.subjects.fold import Fold
from projections.tables.delivery.tries import Due
from projections.tables.schema import LIVE, outbox, partitions
from services.delivery.composing import Composer
from services.delivery.config.model import Feed, Receiver
from tests.oracle.histories import cuts, histories
from tests.support.builders import (
    Line,
    acquitted,
    charged,
    database,
    described,
    detained,
    facts,
    instant,
    investigated,
    project,
    projector,
    retracted,
    rows,
    stated,
)

CHARGED = charged("2022-01-01", case="c", recorded="2022-01-02T00:00:00Z")
ACQUITTED = acquitted("2022-02-01", case="c", recorded="2022-02-02T00:00:00Z")
TAKEN_BACK = retracted(ACQUITTED, "2022-03-01", recorded="2022-03-02T00:00:00Z")
AGAIN = charged("2022-04-01", case="d", recorded="2022-04-02T00:00:00Z")
NOW = instant("2022-06-01")
LAWS = st.sampled_from(["Charged", "Acquitted", "CaseClosed", "Died", "Detained", "Retracted", "Corrected", "Released"])


def told(engine: Engine) -> list[tuple[str, str | None, str]]:
    """Return kind, fact and cause of the notices of people, in their order."""
    sent = [row for row in rows(engine, outbox) if row["kind"] != "notice"]
    return [(row["kind"], row["notice"]["fact_id"], row["notice"]["cause"]) for row in sent]


def again(engine: Engine) -> None:
    """Rebuild all conclusions."""
    rebuild(engine, Rulebook(()), lambda _: None)


def change(engine: Engine, presumption: str) -> None:
    """Write *presumption* into the rows of people, as another release would have concluded it."""
    with engine.begin() as conn:
        conn.execute(update(LIVE.subjects).values(presumption=presumption))


def test_an_acquittal_is_told_with_its_fact(engine: Engine) -> None:
    """The row of the outbox is about the person and no alert, and states the presumption and the fact."""
    held = projector(engine)
    project(held, [CHARGED, ACQUITTED])

    (row,) = rows(engine, outbox)

    assert ("cleared", "a", None, 1) == (row["kind"], row["subject_id"], row["alert_id"], held.checkpoint.notices)
    assert {
        "notice_id": row["notice_id"],
        "kind": "cleared",
        "subject_id": "a",
        "subjects": ["a"],
        "presumption": "cleared",
        "at": "2022-02-02T00:00:00Z",
        "cause": "world_changed",
        "fact_id": ACQUITTED["id"],
    } == row["notice"]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (TAKEN_BACK, "retracted"),
        (AGAIN, "world_changed"),
        (investigated("2021-12-01", case="e", recorded="2022-05-01T00:00:00Z"), "late_knowledge"),
    ],
)
def test_its_end_is_told_with_its_cause(line: Line, cause: str) -> None:
    """A retraction, a new case and an old case that becomes known late set it aside."""
    held = projector()
    project(held, [CHARGED, ACQUITTED])
    project(held, [line])

    assert ("cleared_withdrawn", line["id"], cause) == told(held.engine)[-1]


def test_a_clearing_and_its_end_in_one_batch_are_both_told() -> None:
    """Each step counts, and not only the end of the batch."""
    held = projector()
    project(held, [CHARGED, ACQUITTED, TAKEN_BACK])

    assert ["cleared", "cleared_withdrawn"] == [kind for kind, _, _ in told(held.engine)]


def test_a_clearing_by_time_is_told_then() -> None:
    """A death that is dated ahead ends custody in another case when its day is over, and its fact is named."""
    held = projector()
    elsewhere = detained("2022-01-15", case="e", recorded="2022-01-16T00:00:00Z")
    ahead = stated("Died", "2022-03-01", published="2022-02-01", recorded="2022-02-03T00:00:00Z")
    project(held, [CHARGED, elsewhere, ACQUITTED, ahead])
    before = told(held.engine)
    held.advance_watermark(instant("2022-04-01"), instant("2022-04-01"))

    assert [] == before
    assert [("cleared", ahead["id"], "world_changed")] == told(held.engine)


@settings(max_examples=12, deadline=None)
@given(st.data(), histories(drawn_from=LAWS, people="ab"))
def test_batches_and_memory_change_no_notice(data: st.DataObject, lines: Sequence[Line]) -> None:
    """For any batches, from memory or loaded again, each person gets the same notices in the same order."""

    def sent(edges: Sequence[slice], cache_facts: int) -> dict[str, list[object]]:
        held = Projector(database(), Rulebook(()), cache_facts=cache_facts)
        held.assign(BEGINNING)
        for part in edges:
            project(held, ordered[part])
        held.advance_watermark(instant("2030"), instant("2030"))
        again(held.engine)
        notices = rows(held.engine, outbox)
        assert [*range(1, len(notices) + 1)] == [row["n"] for row in notices]
        return {own: [row["notice"] for row in notices if row["subject_id"] == own] for own in "ab"}

    ordered = sorted(lines, key=lambda line: str(line["recorded"]))
    expected = sent([slice(n, n + 1) for n in range(len(ordered))], 200_000)

    assert expected == sent(data.draw(cuts(len(ordered))), 200_000)
    assert expected == sent(data.draw(cuts(len(ordered))), 0)


@settings(max_examples=40, deadline=None)
@given(histories(drawn_from=LAWS, people="a"))
def test_the_notices_follow_the_presumption_of_the_row(lines: Sequence[Line]) -> None:
    """A person counts as cleared exactly if their row says so, the dead too."""
    known = facts(*lines)
    fold = Fold(History(known, max(fact.recorded for fact in known) + timedelta(days=4000)), frozenset())

    assert fold.status.is_cleared() is (fold.status.summary().presumption == "cleared")


def test_a_person_cleared_long_ago_is_told_of_once(engine: Engine) -> None:
    """An earlier release told of no clearing: after the upgrade, neither a new fact nor a rebuild tells of it."""
    project(projector(engine), [CHARGED, ACQUITTED])
    with engine.begin() as conn:
        conn.execute(delete(outbox))
        conn.execute(update(partitions).values(notices=0))
    project(projector(engine), [described("2022-03-01", name="Ada", recorded="2022-03-02T00:00:00Z")])
    again(engine)

    assert [] == told(engine)


def test_a_rebuild_tells_the_difference_once(engine: Engine) -> None:
    """A rebuild by other code tells only people whose presumption differs, a second one nobody, and the next again."""
    project(
        projector(engine), [CHARGED, ACQUITTED, charged("2022-01-01", subject="b", recorded="2022-02-03T00:00:00Z")]
    )
    change(engine, "presumed_innocent")
    again(engine)
    once = told(engine)
    again(engine)
    twice = told(engine)
    change(engine, "presumed_innocent")
    again(engine)

    assert [("cleared", ACQUITTED["id"], "world_changed"), ("cleared", None, "rebuilt")] == once == twice
    assert [*once, once[-1]] == told(engine)
    assert "2022-02-03T00:00:00Z" == rows(engine, outbox)[-1]["notice"]["at"]


def test_a_rebuild_of_lost_rows_tells_nobody(engine: Engine) -> None:
    """The earlier presumption is not known without a live row, such as after a migration that empties the tables."""
    project(projector(engine), [CHARGED, ACQUITTED])
    before = rows(engine, outbox)
    with engine.begin() as conn:
        conn.execute(delete(LIVE.subjects))
    again(engine)

    assert before == rows(engine, outbox)


@pytest.mark.parametrize("number", [0, 1])
def test_the_message_names_the_fact(number: int) -> None:
    """The composer words both notices from the rows of the outbox, with the fact that brought them about."""
    held = projector()
    project(
        held, [described("2021-12-01", name="Ada", recorded="2021-12-02T00:00:00Z"), CHARGED, ACQUITTED, TAKEN_BACK]
    )
    row = rows(held.engine, outbox)[number]
    due = Due(
        "desk", 1, "", row["notice_id"], row["kind"], None, 0, row["n"], 1, None, NOW, 0, None, None, None, None, None
    )
    with held.engine.connect() as conn:
        message = Composer(Receiver("desk", Feed("desk"))).message(conn, due)
    assert message is not None

    assert ("a",) == message.subject_ids
    assert "Ada" in message.text.title
    assert (ACQUITTED, TAKEN_BACK)[number]["data"]["published"] in message.text.plain
