"""Properties of every history: the oracle agrees, the order of arrival does not matter, nothing vague is certain."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from events.canonical import content
from events.decode import complete
from events.edtf import format_instant, parse
from events.errors import Unreadable
from events.facts import Fact
from events.vocabulary import TRACKS
from projections.alerts.shapes import AlertJson
from projections.history.history import History
from projections.projector.backtest import backtest
from projections.projector.projector import Projector
from projections.rules.patterns.absence import AbsenceRule
from projections.rules.patterns.sequence import SequenceRule
from projections.tables.schema import LIVE
from projections.tables.schema import ledger as ledger_table
from tests.oracle import oracle
from tests.oracle.histories import RECORDED, SHORT, cuts, histories, noisy_histories, raw
from tests.oracle.model_time import Event, world
from tests.support.builders import (
    Line,
    Row,
    accused,
    database,
    detained,
    dismissed,
    encoded,
    facts,
    instant,
    project,
    projector,
    retracted,
    rows,
    rulebook,
    stated,
    statuses,
)

CERTAIN, POSSIBLE = rulebook(**SHORT), rulebook(**SHORT, certainty="possible")
END = instant("2023-01-01T00:00:00Z")
DAYS = timedelta(days=1)
HELD = frozenset({"detained", "remanded", "house_arrest", "paroled", "bailed", "imprisoned", "extradited"})
IN_A_CASE = frozenset(
    "materials_referred investigation suspect charged overturned indicted trial convicted appeal".split()  # noqa: SIM905
)
QUIET_CASE = frozenset({"Accused", "AllegationWithdrawn"})
SILENCE = oracle.Silence(
    "dismissed-without-follow-up",
    frozenset({"Dismissed", "Removed"}),
    frozenset({*TRACKS["case"], *TRACKS["custody"]})
    - QUIET_CASE
    - {"WantedCancelled", "Released", "ExtraditionRefused", "SentenceServed"}
    | {"Reinstated", "DismissalAnnulled", "Elected", "Appointed", "Transferred"},
    10 * DAYS,
    2 * DAYS,
    frozenset({"deceased"}),
    HELD,
    IN_A_CASE,
    closings=frozenset({"ChargesDropped", "CaseClosed", "Amnestied", "Pardoned"}),
)
FOLLOWING = {
    certainty: oracle.Following(
        "dismissal-before-arrest",
        frozenset({"Dismissed", "Removed", "Resigned", "Retired", "TermEnded", "LeftOffice"}),
        frozenset({"Detained", "Arrested", "HouseArrested"}),
        15 * DAYS,
        certainty == "certain",
        frozenset(),
        HELD,
        frozenset(),
    )
    for certainty in ("certain", "possible")
}
untils = st.sampled_from([instant(text) for text in RECORDED] + [END])


def known(lines: Sequence[Line], until: datetime) -> list[Fact]:
    """Return the facts recorded by *until*, as a log has them; each id once."""
    ledger = sorted(facts(*lines), key=lambda fact: fact.recorded)
    return [fact for fact in ledger if fact.recorded <= until]


Lives = dict[str, tuple[str, list[tuple[str, str]]]]
"""By alert_id: the anchor, and each state with its instant."""


def expected_lives(ledger: Sequence[Fact], certainty: str, until: datetime) -> Lives:
    """Return the oracle's lives of all alerts."""
    found = {}
    for subject in sorted({fact.subject for fact in ledger}):
        person = [fact for fact in ledger if fact.subject == subject]
        for rule in (SILENCE, FOLLOWING[certainty]):
            for alert in oracle.lives(rule, person, until):
                found[alert.id] = alert.anchor, [(state, format_instant(at)) for state, at in alert.life]
    return found


def found_lives(alerts: Sequence[AlertJson]) -> Lives:
    """Return the lives of the alerts of a backtest."""
    return {
        alert["alert_id"]: (alert["anchor"], [(step["state"], step["at"]) for step in alert["life"]])
        for alert in alerts
    }


OLD_CASE_ENDS = [
    line | {"recorded": "2022-03-06T00:00:00Z"}
    for line in (accused("2022-01-01"), dismissed("2022-03-01"), stated("CaseClosed", "2022-03-05", case="c"))
]
"""Too rare among random facts: the end of a case that is older than the dismissal."""


@settings(max_examples=150)
@example(OLD_CASE_ENDS, END, "certain")
@given(histories(), untils, st.sampled_from(["certain", "possible"]))
def test_lives_are_those_of_the_oracle(lines: list[Line], until: datetime, certainty: str) -> None:
    """A plain evaluation of the full set of facts leads to the same alerts, anchors, states and instants."""
    report = backtest(raw(lines), {"certain": CERTAIN, "possible": POSSIBLE}[certainty], until).report

    assert expected_lives(known(lines, until), certainty, until) == found_lives(report["alerts"])


def test_the_rules_of_the_oracle_are_those_of_the_pack() -> None:
    """The oracle's copies have the types and exceptions of the rules that ship."""
    arrest, quiet = CERTAIN.rules

    assert isinstance(quiet, AbsenceRule)
    assert isinstance(arrest, SequenceRule)
    assert (SILENCE.on, SILENCE.absent) == (quiet.on, quiet.absent)
    assert (FOLLOWING["certain"].on, FOLLOWING["certain"].then) == (arrest.on, arrest.then)
    for rule, ours in ((quiet, SILENCE), (arrest, FOLLOWING["certain"])):
        assert rule.unless is not None
        assert (rule.unless.service, rule.unless.custody, rule.unless.stage) == (ours.service, ours.custody, ours.stage)
        assert {"service", "custody", "stage"} >= rule.unless.model_dump(exclude_defaults=True).keys()


def naive_outcomes(lines: Sequence[Line | bytes]) -> list[str]:
    """Return the outcome of each record, read in this order."""
    first: dict[str, Any] = {}
    outcomes = []
    for line in raw(lines):
        try:
            fact, _ = complete(line, END)
        except Unreadable:
            outcomes.append("parked")
            continue
        said = {name: json.loads(line)[name] for name in ("source", "type", "subject", "data")}
        outcomes.append("applied" if fact.id not in first else "duplicate" if first[fact.id] == said else "conflict")
        first.setdefault(fact.id, said)
    return outcomes


@settings(max_examples=40)
@given(st.data(), noisy_histories())
def test_every_record_ends_as_exactly_one_outcome(data: st.DataObject, lines: list[Line | bytes]) -> None:
    """The counts add up to the records read, after replays and dismissals too, and are those of the last outcomes."""
    held = projector(engine := database(), CERTAIN)
    expected = naive_outcomes(lines)
    for cut in data.draw(cuts(len(lines))):
        project(held, lines[cut])
    parked = [row["seq"] for row in rows(engine, ledger_table) if row["outcome"] == "parked"]
    for seq in parked:
        match data.draw(st.integers(0, 2)):
            case 0:
                held.replay([seq], END)
            case 1:
                held.dismiss(seq, "known", END)
            case _:
                pass
    written = [row for row in rows(engine, ledger_table) if row["outcome"]]
    last = {row["log_offset"]: row["outcome"] for row in written}

    assert expected == [row["outcome"] for row in written if row["entry"] == "record"]
    assert dict(enumerate(expected)) == last
    counts = {
        name: getattr(held.checkpoint, name) for name in ("applied", "duplicate", "conflict", "parked", "forwarded")
    }
    assert counts == {name: expected.count(name) for name in counts}
    assert len(lines) == held.checkpoint.read == held.checkpoint.position == sum(counts.values())
    assert all(
        row["value"] and row["reason"]
        for row in written
        if row["outcome"] in {"parked", "conflict"} and row["entry"] == "record"
    )


# All after the days of the stories: a fact that is recorded before its own day stays dated ahead.
LATE = ("2022-04-06T00:00:00Z", "2022-04-08T00:00:00Z", "2022-04-13T00:00:00Z", "2022-05-01T00:00:00Z")


@settings(max_examples=60)
@given(st.data(), histories(stamped=False))
@example(None, [dismissed("2022-03-01", id="x"), detained("2022-03-01", id="x2", published="2022-03-05")])
def test_no_order_of_arrival_matters(data: st.DataObject | None, lines: list[Line]) -> None:
    """The same statuses, and the same open alerts with their evidence and words, once time has passed."""
    shuffled = data.draw(st.permutations(lines)) if data else lines[::-1]
    stamps = (
        sorted(data.draw(st.lists(st.sampled_from(LATE), min_size=len(lines), max_size=len(lines))))
        if data
        else list(LATE[: len(lines)])
    )

    assert outcome_of(lines, stamps) == outcome_of(shuffled, stamps)


def outcome_of(lines: Sequence[Line], stamps: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """Return the statuses and the open alerts after *lines*, recorded in this order at *stamps*."""
    held = projector(engine := database(), CERTAIN)
    project(held, [line | {"recorded": stamp} for line, stamp in zip(lines, stamps, strict=True)])
    held.advance_watermark(END, END)
    told = ("rule", "anchor", "evidence", "explanation", "severity", "rule_version")
    still = [row for row in rows(engine, LIVE.alerts) if row["state"] == "open"]
    alerts = [{name: row[name] for name in told} for row in still]
    # Not by alert_id: the id is that of the anchor that was recorded first, which the order of arrival decides.
    return statuses(engine), sorted(alerts, key=lambda alert: (alert["rule"], alert["anchor"]))


@settings(max_examples=60)
@given(st.data(), histories(people="a"), untils)
def test_a_history_is_the_same_however_it_grew(data: st.DataObject, lines: list[Line], clock: datetime) -> None:
    """One by one in any order, or all at once: the same world at an instant, and the same flags."""
    whole = History(facts(*lines), clock)
    grown = History([], clock)
    for fact in facts(*data.draw(st.permutations(lines))):
        grown.add(fact, clock)

    assert [fact.id for fact in whole.world] == [fact.id for fact in grown.world]
    assert (whole.flags, whole.announced, whole.undated) == (grown.flags, grown.announced, grown.undated)
    assert [fact.id for fact in whole.events] == [fact.id for fact in grown.events]
    assert whole.stands_for == grown.stands_for
    assert [event.id for event in world(facts(*lines), clock, None)[0]] == [fact.id for fact in whole.events]


@settings(max_examples=40)
@given(st.data(), histories(), st.lists(untils, max_size=5))
def test_silence_is_judged_by_the_logs_clock(data: st.DataObject, lines: list[Line], times: list[datetime]) -> None:
    """With the end of the log reached at any instants in between, the alerts always equal those of the oracle."""
    held = projector(engine := database(), CERTAIN)
    ordered = sorted(lines, key=lambda line: instant(line["recorded"]))
    pauses = {data.draw(st.integers(0, len(lines))): time for time in times}
    for n, line in enumerate([*ordered, None]):
        if n in pauses:
            held.advance_watermark(pauses[n], END)
            _agree(engine, held)
        if line:
            project(held, [line])
    _agree(engine, held)


def _agree(engine: Any, held: Projector) -> None:
    """Check that the alerts so far are those of the facts so far, at the watermark."""
    ledger = [
        fact._replace(recorded=row["recorded"])
        for row in rows(engine, ledger_table)
        if row["outcome"] == "applied"
        for fact in [complete(row["value"], END)[0]]
    ]
    changes: dict[str, list[tuple[str, str]]] = {}
    for row in rows(engine, LIVE.alert_changes):
        changes.setdefault(row["alert_id"], []).append((row["state"], format_instant(row["at"])))
    found = {row["alert_id"]: (row["anchor"], changes[row["alert_id"]]) for row in rows(engine, LIVE.alerts)}
    if held.checkpoint.watermark:
        assert expected_lives(ledger, "certain", held.checkpoint.watermark) == found


NOISE = (None, b"{", b"\xff")
IRRELEVANT = ("Noted", "MeasureImposed", "ReplyRecorded", "SubjectDescribed", "RelationAsserted", "Retracted")
IRRELEVANT_DATA: dict[str, dict[str, Any]] = {
    "Noted": {"title": "Summoned"},
    "MeasureImposed": {"kind": "travel_ban"},
    "ReplyRecorded": {"fact_id": "nothing", "text": "No."},
    "Retracted": {"fact_id": "nothing", "reason": "?"},
    "RelationAsserted": {"other": "b", "relation": "child"},
}


@settings(max_examples=40)
@given(st.data(), histories(most=7))
def test_missing_and_irrelevant_data_ends_no_alert(data: st.DataObject, lines: list[Line]) -> None:
    """Unreadable records, types that no rule names, and retractions of unknown facts change no life."""
    ordered: list[Line | bytes] = [*sorted(lines, key=lambda line: instant(line["recorded"]))]
    expected = backtest(raw(ordered), CERTAIN, END).report["alerts"]
    for n in range(data.draw(st.integers(1, 4))):
        kind, recorded = data.draw(st.sampled_from(IRRELEVANT)), data.draw(st.sampled_from(RECORDED))
        stray = stated(kind, "2022-03-11", recorded=recorded, id=f"stray{n}", **IRRELEVANT_DATA.get(kind, {}))
        added = data.draw(st.sampled_from(NOISE)) or stray
        ordered.insert(data.draw(st.integers(0, len(ordered))), added)

    assert found_lives(expected) == found_lives(backtest(raw(ordered), CERTAIN, END).report["alerts"])


@settings(max_examples=40)
@given(histories())
def test_nothing_marked_is_ever_certain(lines: list[Line]) -> None:
    """With a mark on every date no sequence is certain; a silence can end by an unknown day (docs/design.md, 4.2)."""
    marked = [line | {"data": _marked(line["data"])} for line in lines]
    report = backtest(raw(marked), CERTAIN, END).report

    assert [] == [alert for alert in report["alerts"] if alert["rule"] == "dismissal-before-arrest"]


def _marked(data: dict[str, Any]) -> dict[str, Any]:
    occurred = data["occurred"][:10]
    name = occurred if parse(occurred).marked or "/" in occurred or ".." in occurred else f"{occurred}~"
    inner = {"data": _marked(data["data"])} if isinstance(data.get("data"), dict) and "occurred" in data["data"] else {}
    return data | {"occurred": name if parse(name).marked else "2022-03-10~"} | inner


@settings(max_examples=60)
@given(histories(people="a"))
def test_what_is_called_certain_is_so_for_every_day_the_sources_leave_open(lines: list[Line]) -> None:
    """The events of an open sequence are unmarked, and in order for every day that their dates allow."""
    events, _ = world(facts(*lines), END, None)
    for alert in backtest(raw(lines), CERTAIN, END).report["alerts"]:
        if alert["rule"] != "dismissal-before-arrest" or alert["state"] != "open":
            continue
        (anchor,) = (event.span for event in events if event.id == alert["anchor"])
        named = [event for event in events if event.reports & {*alert["evidence"]} and event.id != alert["anchor"]]
        assert named
        assert {*alert["evidence"]} == {*_reports(events, alert["anchor"]), *(r for e in named for r in e.reports)}
        assert not anchor.marked
        assert anchor.latest
        follows = [event.span for event in named]
        assert [] == [f for f in follows if f.marked or f.earliest is None or f.earliest < anchor.latest]


def _reports(events: Sequence[Event], name: str) -> frozenset[str]:
    return next(event.reports for event in events if event.id == name)


def test_the_content_of_a_fact_is_what_tells_a_duplicate() -> None:
    """The same statement with other white space, order of keys or time is the same."""
    (line,) = encoded(dismissed("2022-03-27"))
    again = json.dumps(dict(reversed(json.loads(line).items())), indent=2).encode()

    assert content(line) == content(again)
    assert ["applied", "duplicate"] == naive_outcomes([line, again])


def test_a_retraction_that_came_first_waits_for_its_fact() -> None:
    """Order does not matter, for corrections least of all."""
    fact = detained("2022-03-10")
    stamps = list(LATE)[:3]
    first = dismissed("2022-03-01")

    assert outcome_of([first, fact, retracted(fact)], stamps) == outcome_of([retracted(fact), fact, first], stamps)
