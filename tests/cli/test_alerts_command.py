"""`casetrail alerts`: the list, one alert in full, acknowledgements, and the notices as they are written."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, select

from projections.projector.side_writer import SideWriter
from projections.rules.files.loading import pack
from projections.tables.schema import LIVE, ledger, partitions
from tests.support import builders
from tests.support.alerted import ARRESTED, EVERYBODY, LATE, SILENT, acknowledge, alert_of
from tests.support.builders import described, detained, instant, investigated
from tests.support.reading import answer, ask, database_with
from tests.support.rules import dismissals


def found(folder: Path, options: str = "") -> list[tuple[str, str]]:
    """The subjects of the listed alerts, with their states."""
    return sorted((alert["subject_id"], alert["state"]) for alert in answer(f"alerts {options}", folder))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", {"silent": "open", "arrested": "open"}),
        ("--all", {"silent": "open", "arrested": "open", "late": "retracted"}),
        ("--rule dismissal-before-arrest", {"arrested": "open"}),
        ("--subject silent", {"silent": "open"}),
        ("--severity warning", {"silent": "open"}),
        ("--agency полиц", {"silent": "open"}),
        ("--all --since 2022-07-04", {"late": "retracted"}),
        ("--since 2022-07-03T00:00:00Z", {"silent": "open"}),
        ("--known-at 2022-05-31", {}),
        ("--known-at 2022-06-30", {"arrested": "open"}),
        ("--known-at 2022-08-30", {"arrested": "open", "late": "open", "silent": "open"}),
        ("--known-at 2022-08-30 --since 2022-07-03T00:00:00Z", {"late": "open", "silent": "open"}),
        ("--known-at 2022-09-01", {"arrested": "open", "silent": "open"}),
        ("--known-at 2022-09-01 --all", {"arrested": "open", "late": "retracted", "silent": "open"}),
    ],
)
def test_filters_and_moments(tmp_path: Path, options: str, expected: dict[str, str]) -> None:
    """
    Open and acknowledged alerts are listed by default.

    Filters narrow the list, and a moment shows its own knowledge.
    """
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01")

    assert sorted(expected.items()) == found(tmp_path, options)


def test_limit_gives_the_latest(tmp_path: Path) -> None:
    """Alerts are listed latest opened first."""
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01")

    assert ["silent", "arrested"] == [alert["subject_id"] for alert in answer("alerts", tmp_path)]
    assert ["silent"] == [alert["subject_id"] for alert in answer("alerts --limit 1", tmp_path)]


def test_an_alert_has_its_whole_life(tmp_path: Path) -> None:
    """The shape and the life are those of docs/design.md."""
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01")
    alert = alert_of(tmp_path, "late")

    assert [
        *("alert_id", "rule", "rule_version", "severity", "subject_id"),
        *("state", "anchor", "evidence", "group_by", "group", "subjects", "in_doubt", "unread", "explanation", "life"),
        "trial",
    ] == list(alert)
    assert [
        {"state": "open", "at": "2022-07-03T00:00:00Z", "cause": "deadline", "fact_id": None},
        {"state": "retracted", "at": "2022-09-01T00:00:00Z", "cause": "late_knowledge", "fact_id": LATE["id"]},
    ] == alert["life"]


def test_at_a_moment_an_alert_says_what_it_said_then(tmp_path: Path) -> None:
    """A name learnt in August is not in a sentence of July."""
    database_with(tmp_path, SILENT, described("2022-08-01", subject="silent", name="Sam"), passed="2022-10-01")

    assert alert_of(tmp_path, "silent")["explanation"].startswith("Sam was dismissed")
    (then,) = answer("alerts --known-at 2022-07-31", tmp_path)
    assert then["explanation"].startswith("silent was dismissed")
    assert 1 == len(then["life"])


def test_what_completed_an_alert_by_then_is_evidence_then(tmp_path: Path) -> None:
    """A second arrest known by the moment is evidence, though it changed no state. One known later is not."""
    second = detained("2022-06-20", subject="arrested", case="c")
    database_with(tmp_path, *ARRESTED, second, passed="2022-10-01")
    ids = [fact["id"] for fact in (*ARRESTED, second)]

    assert [ids] == [alert["evidence"] for alert in answer("alerts --known-at 2022-06-21", tmp_path)]
    assert [ids[:2]] == [alert["evidence"] for alert in answer("alerts --known-at 2022-06-15", tmp_path)]
    assert answer("alerts", tmp_path) == answer("alerts --known-at 2030", tmp_path)


def test_the_table_says_what_was_found(tmp_path: Path) -> None:
    """The table has the person, the rule, the date, and a sentence that a person can check."""
    database_with(tmp_path, SILENT, passed="2022-10-01")
    shown = ask("alerts", tmp_path).stdout

    for part in ("warning", "open", "2022-07-03", "dismissed-without-follow-up", "silent was dismissed (2022-03-27)"):
        assert part in shown


@pytest.mark.parametrize(
    "options",
    ["--severity loud", "--since 2022-13", "--cursor 0:1", "--follow --limit 1", "--follow --cursor x", "show 87dd"],
)
def test_what_cannot_be_meant_is_a_mistake_of_usage(tmp_path: Path, options: str) -> None:
    """The exit code is 2, and nothing is printed on stdout."""
    database_with(tmp_path)
    done = ask(f"alerts {options}", tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr


@pytest.mark.parametrize("options", ["", " --json", " --all", " --follow --cursor 0"])
def test_a_rule_that_is_not_known_is_a_slip(tmp_path: Path, options: str) -> None:
    """A reader would take an empty list for good news."""
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01")
    done = ask(f"alerts --rule dismissd{options}", tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    known = ", ".join(rule.id for rule in pack().every)
    assert f'--rule: "dismissd" is not known (want one of {known})' in done.stderr


def test_a_rule_that_was_given_up_has_its_alerts(tmp_path: Path) -> None:
    """Its alerts are listed by its id, though the rule is no longer configured."""
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01")
    rules = tmp_path / "rules.yaml"
    shipped = files("projections.rules").joinpath("pack", "dismissals.yaml").read_text("utf-8")
    rules.write_text(shipped.replace("dismissal-before-arrest", "another"), "utf-8")
    done = ask("alerts --rule dismissal-before-arrest --json", tmp_path, CASETRAIL_RULES=str(rules))

    assert ["arrested"] == [alert["subject_id"] for alert in json.loads(done.stdout)]


def test_show_gives_evidence_with_sources_and_the_life(tmp_path: Path) -> None:
    """The output has all that is needed to check the alert. The first eight characters of its id are enough."""
    database_with(tmp_path, *EVERYBODY, passed="2022-10-01")
    alert = alert_of(tmp_path, "arrested")
    shown = ask(f"alerts show {alert['alert_id'][:8].upper()}", tmp_path).stdout

    assert "Evidence:\n  Dismissed, 2022-05-01 (fact Dismissed arrested 2022-05-01)\n    source: “Decree”\n" in shown
    assert "  Detained, 2022-06-01 (fact Detained arrested 2022-06-01)\n" in shown
    assert "Life:\n  2022-06-02T00:00:00Z open (followed, fact Detained arrested 2022-06-01)\n" in shown
    assert shown.endswith("\nMessages:\n  nobody was told\n")
    assert alert | {"deliveries": []} == answer(f"alerts show {alert['alert_id']}", tmp_path)


@pytest.mark.parametrize("command", ["show", "ack --by ann"])
def test_an_unknown_alert_is_said_to_be_so(tmp_path: Path, command: str) -> None:
    """The exit code is 1, and the message is on stderr."""
    database_with(tmp_path)
    done = ask(f"alerts {command} 87ddf79b", tmp_path)

    assert (1, "") == (done.returncode, done.stdout)
    assert "no alert 87ddf79b is known" in done.stderr


def test_an_acknowledged_alert_stands_and_says_by_whom(tmp_path: Path) -> None:
    """The alert is acknowledged, not settled, and has the name of the person."""
    database_with(tmp_path, SILENT, passed="2022-10-01")

    assert 0 == acknowledge(tmp_path).returncode
    (alert,) = answer("alerts", tmp_path)
    assert "acknowledged" == alert["state"]
    assert ("person", "ann", "asked the ministry") == tuple(alert["life"][-1][key] for key in ("cause", "by", "note"))


def test_only_an_open_alert_is_acknowledged(tmp_path: Path) -> None:
    """The exit code is 1, the message names the present state, and nothing is written."""
    engine = database_with(tmp_path, *EVERYBODY, passed="2022-10-01")
    acknowledge(tmp_path)
    before = chain(engine)
    again, late = acknowledge(tmp_path), acknowledge(tmp_path, "late")

    assert (1, 1) == (again.returncode, late.returncode)
    assert "is acknowledged, not open" in again.stderr
    assert "is retracted, not open" in late.stderr
    assert before == chain(engine)


def test_an_acknowledgement_has_an_end_and_is_taken_back(tmp_path: Path) -> None:
    """The life shows the end of an acknowledgement, and the person that took it back."""
    database_with(tmp_path, SILENT, passed="2022-10-01")
    alert = alert_of(tmp_path, "silent")["alert_id"]
    done = ask(f"alerts ack {alert} --by ann --until 2099-03-02", tmp_path, CASETRAIL_ZONE="Asia/Almaty")
    seen = alert_of(tmp_path, "silent")
    shown = ask(f"alerts show {alert}", tmp_path).stdout
    back, again = (ask(f"alerts unack {alert} --by bob --note late", tmp_path) for _ in range(2))
    (after,) = answer("alerts", tmp_path)

    assert (0, 0, 1) == (done.returncode, back.returncode, again.returncode)
    assert ("acknowledged", "2099-03-01T19:00:00Z") == (seen["state"], seen["life"][-1]["until"])
    assert "acknowledged by ann until 2099-03-01T19:00:00Z (person)" in shown
    assert ("open", "unacknowledged", "bob", "late") == (
        after["state"],
        *(after["life"][-1][key] for key in ("cause", "by", "note")),
    )
    assert "is open, not acknowledged" in again.stderr
    assert 0 == ask("rebuild --check", tmp_path).returncode


def test_an_acknowledgement_does_not_end_in_the_past(tmp_path: Path) -> None:
    """An end that has passed is a mistake in usage, and nothing is written."""
    engine = database_with(tmp_path, SILENT, passed="2022-10-01")
    alert = alert_of(tmp_path, "silent")["alert_id"]
    before = chain(engine)
    done = ask(f"alerts ack {alert} --by ann --until 2022-12-01", tmp_path)

    assert (2, before) == (done.returncode, chain(engine))
    assert '--until: "2022-12-01" has passed' in done.stderr


def test_of_two_who_acknowledge_at_once_one_has_done_it(tmp_path: Path) -> None:
    """The second person learns that the alert is not open any more, though it was when the command looked."""
    engine = database_with(tmp_path, SILENT, passed="2022-10-01")
    alert = alert_of(tmp_path, "silent")["alert_id"]

    ann = iter([SideWriter(engine, 0)])

    def first(conn: Connection) -> None:
        if conn.get_execution_options().get("casetrail_writes"):
            for side_writer in ann:
                side_writer.acknowledge(alert, "silent", "ann", None, instant("2022-10-02"))

    event.listen(Engine, "begin", first)
    try:
        bob = ask(f"alerts ack {alert} --by bob", tmp_path)
    finally:
        event.remove(Engine, "begin", first)

    assert (1, f"casetrail: alert {alert} is acknowledged, not open\n") == (bob.returncode, bob.stderr)
    assert [None, "ann"] == [step.get("by") for step in alert_of(tmp_path, "silent")["life"]]


def chain(engine: Engine) -> list[str]:
    """The hashes of the ledger."""
    with engine.connect() as conn:
        return list(conn.scalars(select(ledger.c.hash).order_by(ledger.c.seq)))


def test_a_projector_at_work_is_not_thrown_out_by_an_acknowledgement(tmp_path: Path) -> None:
    """The projector keeps its epoch and learns of the acknowledgement, so it can end the alert later."""
    engine = database_with(tmp_path)
    projector = builders.projector(engine)
    builders.project(projector, [SILENT])
    projector.advance_watermark(instant("2022-10-01"), instant("2022-10-01"))
    acknowledge(tmp_path)
    builders.project(projector, [investigated("2022-04-20", subject="silent", recorded="2022-11-01T00:00:00Z")])

    assert ["open", "acknowledged", "retracted"] == [step["state"] for step in alert_of(tmp_path, "silent")["life"]]


def test_a_visitor_concludes_by_the_rules_in_force_and_not_by_its_own(tmp_path: Path) -> None:
    """An acknowledgement with another release, or with other settings, changes no rule."""
    engine = database_with(tmp_path, SILENT, passed="2022-10-01")
    with engine.connect() as conn:
        before = conn.execute(select(partitions.c.rules_version, partitions.c.epoch)).one()
    (tmp_path / "rules.yaml").write_text(OTHER_RULES, "utf-8")
    alert = alert_of(tmp_path, "silent")["alert_id"]
    done = ask(f"alerts ack {alert} --by ann", tmp_path, CASETRAIL_RULES="rules.yaml")
    with engine.connect() as conn:
        after = conn.execute(select(partitions.c.rules_version, partitions.c.epoch)).one()

    assert (0, before) == (done.returncode, after)
    assert (dismissals().version,) == (before.rules_version,)


def test_a_visit_leaves_alone_who_is_not_asked_about(tmp_path: Path) -> None:
    """An acknowledgement writes one row of the ledger and one change, and leaves other people's alerts alone."""
    engine = database_with(tmp_path, *EVERYBODY, passed="2022-10-01")
    before = {row["alert_id"]: row for row in builders.rows(engine, LIVE.alerts)}
    mine = alert_of(tmp_path, "silent")["alert_id"]
    SideWriter(engine, 0).acknowledge(mine, "silent", "ann", None, instant("2022-10-02"))
    after = {row["alert_id"]: row for row in builders.rows(engine, LIVE.alerts)}

    assert [mine] == [alert_id for alert_id, row in after.items() if row != before[alert_id]]


OTHER_RULES = """\
rules:
  - id: other
    title: Another rule
    on: Dismissed
    then: Died
    within: P1D
    explain: "{name}"
"""


def test_an_ambiguous_beginning_names_no_alert(tmp_path: Path) -> None:
    """Otherwise one of two alerts would be acknowledged by chance."""
    engine = database_with(tmp_path, SILENT, passed="2022-10-01")
    (row,) = builders.rows(engine, LIVE.alerts)
    with engine.begin() as conn:
        conn.execute(LIVE.alerts.insert().values(row | {"alert_id": f"{row['alert_id'][:-1]}x"}))
    done = ask(f"alerts show {row['alert_id'][:8]}", tmp_path)

    assert 1 == done.returncode
    assert re.search("more than one alert begins with", done.stderr)


def test_a_database_without_alerts_lists_none(tmp_path: Path) -> None:
    """The array is empty, and the exit code is 0: an empty list is an answer."""
    database_with(tmp_path)

    assert [] == answer("alerts", tmp_path)
    assert ("", "there are no alerts to show\n") == (
        ask("alerts --all", tmp_path).stdout,
        ask("alerts --all", tmp_path).stderr,
    )
    assert "--all includes ended alerts" in ask("alerts", tmp_path).stderr
