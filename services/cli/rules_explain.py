"""rules explain: condition by condition, why a rule finds something about a person or stays silent."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import Connection
from typing_extensions import TypedDict

from events.edtf import format_instant
from events.text import near_words
from projections.alerts.explained import Explained, explained
from projections.alerts.shapes import AlertJson
from projections.queries.across import Judged, judged_across
from projections.queries.alerts import AlertFilter, alerts
from projections.queries.subjects import concluded_at, view_of
from projections.rules.patterns.pattern import Rule
from projections.rules.reasons import AnchorReasons, Reason
from projections.rules.rulebook import as_in_force
from projections.subjects.view import SubjectView
from projections.tables.database import snapshot
from services.settings import load_rules, load_settings
from services.words.facts import fact_words
from services.words.reasons import VALUES, reason_words
from services.words.terms import safe

from .app import database
from .options import JsonOption, KnownAtOption, moment_of
from .output import FINDINGS, emit, fail, ignoring_closed_pipe, print_lines
from .rules_app import rules_app
from .unknown import say_unknown


class ReasonJson(TypedDict):
    """A condition or a fact; ``holds`` is true if it speaks for the pattern, null if it decides nothing."""

    what: str
    holds: bool | None
    detail: dict[str, str]
    facts: list[str]


class AnchorReasonsJson(TypedDict):
    """
    The answer for one anchor.

    ``value`` is *standing*, *ended* or *void*. ``alert_id`` and ``state`` are those of the alert in the database, null
    if it has none. ``trial`` says that it is on trial. ``in_doubt`` says that evidence of the alert was taken back by a
    fact that is not judged yet.
    ``due`` is the next instant at which time alone changes the answer.
    """

    fact_id: str
    reports: list[str]
    value: str
    due: str | None
    alert_id: str | None
    state: str | None
    trial: bool
    in_doubt: bool
    reasons: list[ReasonJson]


class ExplainedJson(TypedDict):
    """
    A rule for one person at the instant ``at``; ``due`` is the next instant at which time changes an answer.

    ``judged_before`` is the horizon: a rule across people is explained by facts recorded before it. It is null for a
    rule about one person, and where the rule is not in force.
    """

    rule: str
    subject_id: str
    at: str
    judged_before: str | None
    due: str | None
    anchors: list[AnchorReasonsJson]
    not_anchors: list[ReasonJson]


@rules_app.command("explain", epilog="\b\nExample:\n  casetrail rules explain dismissed-without-follow-up kz-kudebaev")
def explain(
    rule_id: Annotated[str, typer.Argument(metavar="RULE", help="The id of the rule.")],
    subject_id: Annotated[str, typer.Argument(metavar="SUBJECT", help="The person's subject_id.")],
    known_at: KnownAtOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Explain why a rule finds something about a person.

    For each event from which the rule can start, it shows each condition with the facts behind it, the deadline, each
    follow-up with its effect, and the next instant at which time alone changes the answer. For a rule across people,
    it shows the group and the people counted, or the relations and the follow-ups of the others. Exit 1 if the rule
    or the person is not known.
    """
    rule = _rule(rule_id)
    moment = moment_of(None, known_at)
    with snapshot(database(load_settings())) as conn:
        view = view_of(conn, subject_id, moment)
        if view is None:
            say_unknown(conn, subject_id, moment)
            raise typer.Exit(FINDINGS)
        clock = moment.known_at or concluded_at(conn, view)
        # The person's own alerts, and no others: one row for each anchor that ever had one.
        own = AlertFilter(rule=rule.id, subject_id=subject_id, known_at=moment.known_at)
        stored = [*alerts(conn, own), *alerts(conn, own._replace(trial=True))]
        result = explained(rule, subject_id, [row.fact for row in view.facts.values()], clock)
        until, result = _across(conn, rule, subject_id, result, moment.known_at) if rule.across else (None, result)
    shown = _json(rule, view, result, stored, clock) | {"judged_before": format_instant(until) if until else None}
    with ignoring_closed_pipe():
        if as_json:
            emit(shown)
        else:
            print_lines(_lines(rule, view, result, shown))


def _rule(rule_id: str) -> Rule:
    book = load_rules(load_settings())
    rules: dict[str, Rule] = {rule.id: rule for rule in as_in_force(book.every).every}
    if rule_id not in rules:
        others = ", ".join(near_words(rule_id, rules, cutoff=0.4)) or ", ".join(rules)
        fail(f"no rule {safe(rule_id)} is known (known: {others})", FINDINGS)
    return rules[rule_id]


def _across(
    conn: Connection, rule: Rule, subject_id: str, result: Explained, known_at: datetime | None
) -> tuple[datetime | None, Explained]:
    """Return the instant before which other people are known, and *result* with the part of the others."""
    fulfilled = [one.anchor.id for one in result.anchors if one.value == "standing"]
    judged = judged_across(conn, rule, subject_id, fulfilled, known_at)
    return judged.until, result._replace(anchors=tuple(_completed(one, judged) for one in result.anchors))


def _completed(one: AnchorReasons, judged: Judged) -> AnchorReasons:
    if one.anchor.id not in judged.answers:
        return one
    value, more = judged.answers[one.anchor.id]
    return one._replace(value=value, reasons=(*one.reasons, *more))


def _json(rule: Rule, view: SubjectView, result: Explained, stored: list[AlertJson], clock: datetime) -> ExplainedJson:
    return {
        "rule": rule.id,
        "subject_id": view.subject_id,
        "at": format_instant(clock),
        "judged_before": None,
        "due": format_instant(result.due) if result.due else None,
        "anchors": [_anchor_json(reasons, stored) for reasons in result.anchors],
        "not_anchors": [_reason_json(reason) for reason in result.not_anchors],
    }


def _anchor_json(reasons: AnchorReasons, stored: list[AlertJson]) -> AnchorReasonsJson:
    alert = next((alert for alert in stored if _is_of(alert, reasons)), None)
    return {
        "fact_id": reasons.anchor.id,
        "reports": list(reasons.reports),
        "value": reasons.value,
        "due": format_instant(reasons.due) if reasons.due else None,
        "alert_id": alert["alert_id"] if alert else None,
        "state": alert["state"] if alert else None,
        "trial": alert is not None and alert["trial"],
        "in_doubt": alert is not None and alert["in_doubt"],
        "reasons": [_reason_json(reason) for reason in reasons.reasons],
    }


def _is_of(alert: AlertJson, reasons: AnchorReasons) -> bool:
    """Return whether *alert* starts from an event; that of a group belongs to each event in its evidence."""
    facts = alert["evidence"] if alert["subject_id"] is None else [alert["anchor"]]
    return not set(facts).isdisjoint(reasons.reports)


def _reason_json(reason: Reason) -> ReasonJson:
    return {"what": reason.what, "holds": reason.holds, "detail": dict(reason.detail), "facts": list(reason.facts)}


def _lines(rule: Rule, view: SubjectView, result: Explained, shown: ExplainedJson) -> Iterator[str]:
    yield safe(f"{rule.id}: {rule.title}")
    yield safe(f"{view.subject_id}, as known at {shown['at']}")
    if shown["judged_before"]:
        yield f"The other people: as far as {shown['judged_before']}"
    if not shown["anchors"]:
        yield from ("", f"No known event is of the types from which the rule starts: {', '.join(sorted(rule.on))}.")
    for reasons, anchor in zip(result.anchors, shown["anchors"], strict=True):
        yield from ("", f"{fact_words(view, reasons.anchor.id)}: {VALUES[reasons.value]}")
        if len(reasons.reports) > 1:
            yield safe(f"  reports: {', '.join(reasons.reports)}")
        yield from (f"  {reason_words(reason)}" for reason in reasons.reasons)
        marks = f"{', on trial' if anchor['trial'] else ''}{', in doubt' if anchor['in_doubt'] else ''}"
        alert = f"alert {anchor['alert_id']}: {anchor['state']}{marks}"
        yield f"  {alert if anchor['alert_id'] else 'no alert in the database'}"
    if shown["not_anchors"]:
        yield from ("", "Does not count as an event from which the rule starts:")
        yield from (f"  {reason_words(reason)}" for reason in result.not_anchors)
    yield ""
    yield (
        f"If no fact arrives, the answer can change next at {shown['due']}."
        if shown["due"]
        else ("If no fact arrives, the answer does not change.")
    )
