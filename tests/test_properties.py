"""What holds of every history: the oracle says the same, no order of arrival matters, nothing vague is certain."""

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
from projections.backtest import backtest
from projections.history import History
from projections.projector import Projector
from projections.tables import LIVE
from projections.tables import ledger as ledger_table
from tests import oracle
from tests.histories import RECORDED, SHORT, cuts, noisy_stories, raw, stories
from tests.stories import (
    Line,
    Row,
    database,
    detained,
    dismissed,
    facts,
    instant,
    project,
    projector,
    retracted,
    rows,
    rulebook,
    statuses,
    story,
    told,
)

CERTAIN, POSSIBLE = rulebook(**SHORT), rulebook(**SHORT, certainty="possible")
END = instant("2023-01-01T00:00:00Z")
DAYS = timedelta(days=1)
SILENCE = oracle.Silence(
    "dismissed-without-follow-up",
    frozenset({"Dismissed"}),
    frozenset({*TRACKS["case"], *TRACKS["custody"], "Reinstated", "DismissalAnnulled", "Died"}),
    10 * DAYS,
    2 * DAYS,
    frozenset({"detained", "remanded", "house_arrest", "imprisoned"}),
    1,
)
FOLLOWING = {
    certainty: oracle.Following(
        "dismissal-before-arrest",
        frozenset({"Dismissed"}),
        frozenset({"Detained", "Arrested", "HouseArrested"}),
        15 * DAYS,
        certain=certainty == "certain",
    )
    for certainty in ("certain", "possible")
}
CORRECTION_FLAGS = {"target_missing", "correction_cycle", "correction_misfit"}
untils = st.sampled_from([instant(text) for text in RECORDED] + [END])


def known(lines: Sequence[Line], until: datetime) -> list[Fact]:
    """The facts recorded by *until*, as a log holds them; each id once."""
    ledger = sorted(facts(*lines), key=lambda fact: fact.recorded)
    return [fact for fact in ledger if fact.recorded <= until]


def expected_status(person: Sequence[Fact], at: datetime) -> dict[str, Any]:
    """The oracle's status in the form of `found_status`."""
    found = oracle.status(oracle.world(person, at))
    cells = {name: found[name] and list(found[name]) for name in ("service", "custody", "wanted", "stage")}
    cases = {
        case_id: (case.stage or None, case.charges, case.authority) for case_id, case in sorted(found["cases"].items())
    }
    left, flags = oracle.in_force(person)
    flags |= {("undated", fact.id) for fact in left if not fact.occurred.dated}
    flags |= {("announced", fact.id) for fact in left if fact.announced}
    words = {name: found[name] for name in ("open_cases", "presumption", "headline")}
    return {**cells, **words, "cases": cases, "flags": flags}


def found_status(row: Row) -> dict[str, Any]:
    """A row of a backtest's subjects in the form of `expected_status`."""

    def cell(name: str) -> list[Any] | None:
        if row[name] is None or row[name]["fact_id"] is None:
            return None
        since = [row[name][end] and instant(row[name][end]) for end in ("since_earliest", "since_latest")]
        return [row[name]["status"], *since, row[name]["fact_id"], row[name]["facts"]]

    cells = {name: cell(name) for name in ("service", "custody", "wanted", "stage")}
    cases = {
        case["case_id"]: (case["stage"] and case["stage"]["status"], case["charges"], case["authority"])
        for case in row["cases"]
    }
    flags = {
        (flag["code"], flag["fact_id"])
        for flag in row["anomalies"]
        if flag["code"] in CORRECTION_FLAGS | {"undated", "announced"}
    }
    words = {name: row[name] for name in ("open_cases", "presumption", "headline")}
    return {**cells, **words, "cases": cases, "flags": flags}


def expected_lives(ledger: Sequence[Fact], certainty: str, until: datetime) -> dict[tuple[str, str], Any]:
    """The oracle's lives of the alerts of everybody."""
    found = {}
    for subject in sorted({fact.subject for fact in ledger}):
        person = [fact for fact in ledger if fact.subject == subject]
        for rule in (SILENCE, FOLLOWING[certainty]):
            for anchor, life in oracle.lives(rule, person, until).items():
                found[rule.id, anchor] = [(state, format_instant(at)) for state, at in life]
    return found


def found_lives(alerts: Sequence[Row]) -> dict[tuple[str, str], Any]:
    """The lives in a backtest's alerts."""
    return {
        (alert["rule"], alert["anchor"]): [(step["state"], step["at"]) for step in alert["life"]] for alert in alerts
    }


@settings(max_examples=150)
@given(stories(), untils, st.sampled_from(["certain", "possible"]))
def test_statuses_and_lives_are_those_of_the_oracle(lines: list[Line], until: datetime, certainty: str) -> None:
    """A plain fold over the full set of facts comes to the same, for every word, date and instant."""
    report = backtest(raw(lines), {"certain": CERTAIN, "possible": POSSIBLE}[certainty], until).report
    ledger = known(lines, until)
    people = {fact.subject: [each for each in ledger if each.subject == fact.subject] for fact in ledger}

    assert {row["subject_id"]: found_status(row) for row in report["subjects"]} == {
        # At the end the watermark is `until`; what is due at that very instant waits for the records stamped with it.
        subject: expected_status(person, _counted_by(person, until))
        for subject, person in people.items()
    }
    assert expected_lives(ledger, certainty, until) == found_lives(report["alerts"])


def _counted_by(person: Sequence[Fact], until: datetime) -> datetime:
    """The instant as of which a person's announced facts count: *until* itself only if a record of theirs has it."""
    return until if person[-1].recorded == until else until - timedelta(microseconds=1)


def naive_outcomes(lines: Sequence[Line | bytes]) -> list[str]:
    """What becomes of each record, read in this order."""
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
@given(st.data(), noisy_stories())
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
    counts = {name: getattr(held.held, name) for name in ("applied", "duplicate", "conflict", "parked", "forwarded")}
    assert counts == {name: expected.count(name) for name in counts}
    assert len(lines) == held.held.read == held.held.position == sum(counts.values())
    assert all(
        row["value"] and row["reason"]
        for row in written
        if row["outcome"] in {"parked", "conflict"} and row["entry"] == "record"
    )


@settings(max_examples=60)
@given(st.data(), stories(stamped=False))
@example(None, [dismissed("2022-03-01", id="x"), detained("2022-03-01", id="x2", published="2022-03-05")])
def test_no_order_of_arrival_matters(data: st.DataObject | None, lines: list[Line]) -> None:
    """The same statuses, and the same open alerts with their evidence and words, once time has passed."""
    shuffled = data.draw(st.permutations(lines)) if data else lines[::-1]
    stamps = (
        sorted(data.draw(st.lists(st.sampled_from(RECORDED), min_size=len(lines), max_size=len(lines))))
        if (data)
        else list(RECORDED[: len(lines)])
    )

    assert outcome_of(lines, stamps) == outcome_of(shuffled, stamps)


def outcome_of(lines: Sequence[Line], stamps: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """The statuses and the open alerts at the end, of *lines* recorded in this order at *stamps*."""
    held = projector(engine := database(), CERTAIN)
    project(held, [line | {"recorded": stamp} for line, stamp in zip(lines, stamps, strict=True)])
    held.pass_time(END, END)
    told = ("rule", "anchor", "evidence", "explanation", "severity", "rule_version")
    still = [row for row in rows(engine, LIVE.alerts) if row["state"] == "open"]
    return statuses(engine), [{name: row[name] for name in told} for row in still]


@settings(max_examples=60)
@given(st.data(), stories(people="a"), untils)
def test_a_history_is_the_same_however_it_grew(data: st.DataObject, lines: list[Line], clock: datetime) -> None:
    """One by one in any order, or all at once: the same world at an instant, and the same to say of each fact."""
    whole = History(facts(*lines), clock)
    grown = History([], clock)
    for fact in facts(*data.draw(st.permutations(lines))):
        grown.add(fact, clock)

    assert [fact.id for fact in whole.world] == [fact.id for fact in grown.world]
    assert (whole.flags, whole.announced, whole.undated) == (grown.flags, grown.announced, grown.undated)
    assert [fact.id for fact in oracle.world(facts(*lines), clock)] == [fact.id for fact in whole.world]


@settings(max_examples=40)
@given(st.data(), stories(), st.lists(untils, max_size=5))
def test_silence_is_judged_by_the_logs_clock(data: st.DataObject, lines: list[Line], times: list[datetime]) -> None:
    """With the end of the log found reached at any instants in between, the oracle is never contradicted."""
    held = projector(engine := database(), CERTAIN)
    ordered = sorted(lines, key=lambda line: instant(line["recorded"]))
    pauses = {data.draw(st.integers(0, len(lines))): time for time in times}
    for n, line in enumerate([*ordered, None]):
        if n in pauses:
            held.pass_time(pauses[n], END)
            _agree(engine, held)
        if line:
            project(held, [line])
    _agree(engine, held)


def _agree(engine: Any, held: Projector) -> None:
    """See that the alerts so far are those of the facts so far, at the watermark."""
    ledger = [
        fact._replace(recorded=row["recorded"])
        for row in rows(engine, ledger_table)
        if row["outcome"] == "applied"
        for fact in [complete(row["value"], END)[0]]
    ]
    changes: dict[str, list[tuple[str, str]]] = {}
    for row in rows(engine, LIVE.alert_changes):
        changes.setdefault(row["alert_id"], []).append((row["state"], format_instant(row["at"])))
    found = {(row["rule"], row["anchor"]): changes[row["alert_id"]] for row in rows(engine, LIVE.alerts)}
    if held.held.watermark:
        assert expected_lives(ledger, "certain", held.held.watermark) == found


NOISE = (None, b"{", b"\xff")
IRRELEVANT = ("Suspended", "Transferred", "Retired", "SubjectDescribed", "RelationAsserted", "Retracted")
IRRELEVANT_DATA: dict[str, dict[str, Any]] = {
    "Retracted": {"fact_id": "nothing", "reason": "?"},
    "RelationAsserted": {"other": "b", "relation": "child"},
}


@settings(max_examples=40)
@given(st.data(), stories(most=7))
def test_missing_and_irrelevant_data_ends_no_alert(data: st.DataObject, lines: list[Line]) -> None:
    """What cannot be read, is of a type no rule names, or takes back what nobody knows changes no life."""
    ordered: list[Line | bytes] = [*sorted(lines, key=lambda line: instant(line["recorded"]))]
    expected = backtest(raw(ordered), CERTAIN, END).report["alerts"]
    for n in range(data.draw(st.integers(1, 4))):
        kind, recorded = data.draw(st.sampled_from(IRRELEVANT)), data.draw(st.sampled_from(RECORDED))
        stray = told(kind, "2022-03-11", recorded=recorded, id=f"stray{n}", **IRRELEVANT_DATA.get(kind, {}))
        added = data.draw(st.sampled_from(NOISE)) or stray
        ordered.insert(data.draw(st.integers(0, len(ordered))), added)

    assert found_lives(expected) == found_lives(backtest(raw(ordered), CERTAIN, END).report["alerts"])


@settings(max_examples=40)
@given(stories())
def test_nothing_marked_is_ever_certain(lines: list[Line]) -> None:
    """With a mark on every date no sequence is certain, and no silence is certainly over."""
    marked = [line | {"data": _marked(line["data"])} for line in lines]
    report = backtest(raw(marked), CERTAIN, END).report

    assert [] == [alert for alert in report["alerts"] if alert["rule"] == "dismissal-before-arrest"]
    assert [] == [step for alert in report["alerts"] for step in alert["life"] if step["state"] == "resolved"]


def _marked(data: dict[str, Any]) -> dict[str, Any]:
    occurred = data["occurred"][:10]
    name = occurred if parse(occurred).marked or "/" in occurred or ".." in occurred else f"{occurred}~"
    inner = {"data": _marked(data["data"])} if isinstance(data.get("data"), dict) and "occurred" in data["data"] else {}
    return data | {"occurred": name if parse(name).marked else "2022-03-10~"} | inner


@settings(max_examples=60)
@given(stories())
def test_what_is_called_certain_is_so_for_every_day_the_sources_leave_open(lines: list[Line]) -> None:
    """Of an open sequence, the facts it rests on are unmarked and in order whatever their dates turn out to be."""
    report = backtest(raw(lines), CERTAIN, END).report
    for alert in report["alerts"]:
        if alert["rule"] == "dismissal-before-arrest" and alert["state"] == "open":
            left = {fact.id: fact for fact in oracle.in_force(facts(*lines))[0]}
            anchor, *follows = (left[name].occurred for name in alert["evidence"])
            assert not anchor.marked
            assert anchor.latest
            assert [] == [f for f in follows if f.marked or f.earliest is None or f.earliest < anchor.latest]


def test_the_content_of_a_fact_is_what_tells_a_duplicate() -> None:
    """The same statement with other white space, order of keys or time is the same."""
    (line,) = story(dismissed("2022-03-27"))
    again = json.dumps(dict(reversed(json.loads(line).items())), indent=2).encode()

    assert content(line) == content(again)
    assert ["applied", "duplicate"] == naive_outcomes([line, again])


def test_a_retraction_that_came_first_waits_for_its_fact() -> None:
    """Order does not matter, for corrections least of all."""
    fact = detained("2022-03-10")
    stamps = list(RECORDED)[:3]
    first = dismissed("2022-03-01")

    assert outcome_of([first, fact, retracted(fact)], stamps) == outcome_of([retracted(fact), fact, first], stamps)
