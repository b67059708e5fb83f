"""The rules that ship, as a whole: each explains itself, and none says more than the careers show."""

import json
from pathlib import Path
from typing import Any

import pytest

from events.edtf import parse_instant
from projections.projector.backtest import backtest
from projections.rules.files.loading import pack
from projections.rules.patterns.pattern import Rule
from tests.support.places import ROOT
from tests.support.rules import english

CASES = ROOT / "tests" / "support" / "cases"
UNREADABLE = {"blank-source.ndjson", "space-in-ids.ndjson"}


def alerts_of(path: Path) -> list[dict[str, Any]]:
    """Return the alerts of the whole pack about the people of *path*."""
    report: Any = backtest(path.read_bytes().splitlines(), pack(), parse_instant("2026-11-01")).report
    alerts: list[dict[str, Any]] = report["alerts"]
    return alerts


@pytest.mark.parametrize("rule", pack().rules, ids=lambda rule: rule.id)
def test_each_rule_explains_itself(rule: Rule) -> None:
    """A reader learns the reason of the rule, and the cases in which it is wrong."""
    assert rule.why
    assert rule.wrong_when
    assert "{name}" in english(rule)


@pytest.mark.parametrize("rule", [rule for rule in pack().rules if rule.waits], ids=lambda rule: rule.id)
def test_a_silence_says_only_that_nothing_is_known(rule: Rule) -> None:
    """That nothing happened is more than anybody knows, and the sentence names the time that was searched."""
    assert "is known" in english(rule)
    assert any(word in english(rule) for word in ("days after", "{limit.value} after", "days after that term"))


def test_no_rule_speaks_after_a_death() -> None:
    """No career has an alert that opened after its person had died, except by facts of the time before."""
    for path in sorted(CASES.glob("*.ndjson")):
        died = {
            fact["subject"]: fact["data"]["occurred"].rpartition("/")[2]
            for fact in map(json.loads, path.read_text("utf-8-sig").splitlines())
            if fact["type"] == "Died"
        }
        late = [a for a in alerts_of(path) if a["state"] == "open" and a["subject_id"] in died]

        assert [] == [a["rule"] for a in late if a["life"][-1]["at"] > died[a["subject_id"]]], path.name


def test_the_careers_raise_these_alerts() -> None:
    """Each alert on the careers was read and compared with the facts: its sentence is true."""
    found = sorted(
        (path.stem, alert["rule"], alert["state"])
        for path in CASES.glob("*.ndjson")
        if path.name not in UNREADABLE
        for alert in alerts_of(path)
        if alert["rule"] not in {"dismissed-without-follow-up", "dismissal-before-arrest"}
    )

    assert [
        ("acquittal-overturned", "case-gone-quiet", "open"),
        ("acquittal-quashed", "case-gone-quiet", "open"),
        ("acquittal-quashed", "case-gone-quiet", "resolved"),
        ("acquittal-quashed", "indicted-not-tried", "resolved"),
    ] == [row for row in found if row[0].startswith("acquittal")]
    assert {"resolved"} == {state for name, rule, state in found if name == "pardon-annulled"}
    assert [] == [
        row for row in found if row[0] in {"came-back", "same-day-posts", "after-death", "two-hours-acquitted"}
    ]
    assert 5 == sum(row[:2] == ("review-of-a-final-verdict-partial-pardon", "case-gone-quiet") for row in found)
