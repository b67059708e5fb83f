"""Rules that change, end and are on trial in any order: live equals rebuilt, and notices form whole stories."""

from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.alerts.alert import STANDING
from projections.projector.projector import Projector
from projections.projector.rebuild import rebuild as rebuild_live
from projections.rules.rulebook import Rulebook
from projections.tables.schema import LIVE, REBUILD, outbox
from tests.oracle.histories import DAY, RECORDED, cuts, noisy_histories
from tests.projector.test_batches import END, Reader, Step, one_by_one, rebuild
from tests.support.builders import Row, conclusions, instant, rows
from tests.support.desk import sequence, silence

lengths = st.sampled_from([3 * DAY, 10 * DAY, 20 * DAY])
enabled = st.sampled_from(["true", "true", "trial", "false"])
ended = st.sampled_from([None, "{name}: {anchor.type}, then {then.type} ({then.occurred})."])
withdrawn = st.sampled_from([None, "{name}: not so after {anchor.occurred}, {anchor.post}."])
said = st.sampled_from(["{name}: {anchor.occurred}.", "{name} again."])


@st.composite
def books(draw: st.DrawFn) -> Rulebook:
    """Rulebooks of two rules with other lengths, words and states; either may be missing."""
    words = {"explain": draw(said), "ended_explain": draw(ended), "retracted_explain": draw(withdrawn)}
    states = [{"enabled": draw(enabled), **words} for _ in "ab"]
    quiet = silence(**{"for": draw(lengths), "settle": draw(st.sampled_from([0, 2 * DAY]))}, **states[0])
    followed = sequence(within=draw(lengths), over=draw(st.sampled_from([["Reinstated"], ["Released"]])), **states[1])
    return Rulebook(tuple(rule for rule in (quiet, followed) if draw(st.integers(0, 7))))


@st.composite
def scripts(draw: st.DrawFn) -> list[Step]:
    """Facts, and between them time, acknowledgements and several changes of rules."""
    steps: list[Step] = [("rules", draw(books())), *(("record", line) for line in draw(noisy_histories(most=7)))]
    for _ in range(draw(st.integers(1, 5))):
        between: Step = draw(
            st.one_of(
                st.tuples(st.just("time"), st.sampled_from(RECORDED).map(instant)),
                st.tuples(st.just("rules"), books()),
                st.tuples(st.just("loud rules"), books()),
                st.tuples(st.just("seen"), st.tuples(st.integers(0, 3), st.just(0))),
            )
        )
        steps.insert(draw(st.integers(1, len(steps))), between)
    return [*steps, ("time", END)]


class Teller(Reader):
    """A reader of scripts in which some rules ask to tell of what they find in old history."""

    def do(self, kind: str, value: Any) -> None:
        """Do one step that is not a record."""
        if kind == "loud rules":
            self.checkpoint = Projector(self.engine, value, cache_facts=self.cache_facts, tell_backfilled=True)
            self.checkpoint.assign(END)
        else:
            super().do(kind, value)


@settings(max_examples=60)
@given(st.data(), scripts())
def test_live_equals_rebuilt(data: st.DataObject, script: list[Step]) -> None:
    """Any batches, any cache and a rebuild lead to the same rows and notices; a rebuild sends nothing."""
    expected = Teller().follow(script, one_by_one(script))
    small = data.draw(st.sampled_from([0, 5, 200_000]))
    other = Teller(small).follow(script, data.draw(cuts(len(script))))

    assert expected.left() == other.left()
    rebuild(other.engine, data.draw(cuts(other.checkpoint.checkpoint.seq)), small)
    assert conclusions(other.engine) == conclusions(other.engine, REBUILD)
    sent = rows(expected.engine, outbox)
    assert [] == rebuild_live(expected.engine, Rulebook(()), lambda _: None)
    assert sent == rows(expected.engine, outbox)


@settings(max_examples=150)
@given(scripts())
def test_notices_form_whole_stories(script: list[Step]) -> None:
    """A receiver hears of no end without an opening, of each end of an opening, and of all news in force."""
    engine = Teller().follow(script, one_by_one(script)).engine
    lives: dict[str, list[Row]] = defaultdict(list)
    for change in rows(engine, LIVE.alert_changes):
        lives[change["alert_id"]].append(change)

    assert [row for life in lives.values() for row in notices(life)] == sorted(
        ((row["alert_id"], row["notice"]["state"]) for row in rows(engine, outbox) if row["kind"] == "notice"),
        key=lambda row: row[0],
    )
    for life in lives.values():
        check_story(life)


def notices(life: list[Row]) -> list[tuple[Any, Any]]:
    """Return the alert and the state of each change in *life* that is told."""
    return [(row["alert_id"], row["state"]) for row in life if row["told"]]


def check_story(life: list[Row]) -> None:
    """Follow one life as its receiver does, and compare the receiver's view with the state after each step."""
    heard = open_by_notices = False
    for row, following in zip(life, [*life[1:], None], strict=True):
        stands = row["state"] in STANDING
        if row["told"] and row["state"] == "open":
            assert not open_by_notices, "an opening is told once"
            heard = open_by_notices = True
        elif row["told"]:
            assert heard, "nothing is told of an alert that nobody heard of"
            open_by_notices = open_by_notices and stands
        if row["trial"]:
            assert not row["told"], "a trial is told to nobody"
        if row["state"] == "open" and row["cause"] != "rule_changed" and not row["trial"]:
            assert open_by_notices, "news is told"
        goes_on = following is not None and following["cause"] == "rule_changed" and following["state"] in STANDING
        if not (row["state"] == "superseded" and goes_on):
            assert not open_by_notices or (stands and not row["trial"]), "each end of a told opening is told"
