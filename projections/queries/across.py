"""A rule across people for the events of one person: the others whom it concerns, as the correlator has judged them."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Connection, or_, select

from events.edtf import BEGINNING, LOCAL_DAY_SLACK, later
from events.record import again
from projections.across.contribution import Contribution, contributions_of
from projections.across.explained import Answer, count_reasons, pair_reasons
from projections.across.pairs import Side, pair_findings
from projections.across.relations import relations_of, relations_to
from projections.history.history import History
from projections.rules.patterns.across import CountRule, OfRule
from projections.rules.patterns.pattern import Rule
from projections.rules.reasons import Reason
from projections.subjects.fold import Fold, Step
from projections.tables.ledger_rows import facts_known_before, rules_in_force
from projections.tables.schema import CORRELATOR, LIVE, partitions

if TYPE_CHECKING:
    from events.facts import Fact

MOST: Final = 100
"""The most other people whose facts are read for one event."""
_INSTANT: Final = timedelta(microseconds=1)


class Judged(NamedTuple):
    """
    A rule across people for one person.

    Attributes:
        until: the instant before which everything is known here: the horizon, or that of an earlier knowledge.
        answers: the answer for each event that fulfils the conditions on one person, by the id of its best report.
    """

    until: datetime | None
    answers: Mapping[str, Answer]


def judged_across(
    conn: Connection, rule: Rule, subject_id: str, events: Collection[str], known_at: datetime | None
) -> Judged:
    """
    Explain *rule* for *events* of one person, from the rows that the correlator wrote and the ledger before its reach.

    At most `MOST` other people are read for one event. They are found by the rows of now, also at an earlier knowledge.

    Args:
        conn: a transaction that sees one state of the database.
        rule: the rule, as if it were enabled.
        subject_id: the person.
        events: the ids of facts that fulfil its conditions on one person.
        known_at: the last instant of which the facts are known; None: as far as everything is judged.
    """
    until = conn.scalar(select(partitions.c.watermark).where(partitions.c.partition == CORRELATOR))
    in_force = {one.id: one.version for one in rules_in_force(conn, CORRELATOR).across if one.enabled != "false"}
    if until is None or in_force.get(rule.id) != rule.version:
        return Judged(None, {event: ("void", [Reason("not_in_force", holds=False)]) for event in events})
    if known_at is not None:
        until = min(until, known_at + _INSTANT)
    subject = _people(conn, rule, [subject_id], until).get(subject_id)
    own = contributions_of(rule, subject) if subject is not None else []
    answers: dict[str, Answer] = {}
    for event in events:
        if subject is None or event not in subject.history.counting:
            answers[event] = ("void", [Reason("beyond", holds=False)])
        elif isinstance(rule, CountRule):
            answers[event] = _counted(conn, rule, next((one for one in own if one.fact_id == event), None), until)
    if isinstance(rule, OfRule) and subject is not None:
        answers |= _paired(conn, rule, subject_id, subject, [event for event in events if event not in answers], until)
    return Judged(until, answers)


def _people(conn: Connection, rule: Rule, subject_ids: Iterable[str], until: datetime) -> dict[str, Step]:
    """Return the state of people who have facts recorded before *until*."""
    facts: dict[str, list[Fact]] = {}
    for subject_id, headers, value, recorded in facts_known_before(conn, subject_ids, until):
        facts.setdefault(subject_id, []).append(again(headers, value, recorded))
    clock = until - _INSTANT
    folds = {subject_id: Fold(History(own, clock), rule.on) for subject_id, own in sorted(facts.items())}
    return {
        subject_id: Step(fold.history, fold.status, fold.history.next_due, moved=True, everywhere=True)
        for subject_id, fold in folds.items()
    }


def _counted(conn: Connection, rule: CountRule, own: Contribution | None, until: datetime) -> Answer:
    if own is None:
        return count_reasons(rule, None, (), {})
    people = _people(conn, rule, {own.subject_id, *_near(conn, rule, own)}, until)
    group = [one for step in people.values() for one in contributions_of(rule, step) if one.group == own.group]
    facts = {fact_id: fact for step in people.values() for fact_id, fact in step.history.counting.items()}
    return count_reasons(rule, own, (one for one in group if one.fact_id != own.fact_id), facts)


def _near(conn: Connection, rule: CountRule, own: Contribution) -> Iterable[str]:
    """Return the people of the group with an event that a window around *own* can count."""
    table, reach = LIVE.contributions, rule.longest + LOCAL_DAY_SLACK
    query = select(table.c.subject_id).distinct().where(table.c.rule == rule.id, table.c.group_key == own.group)
    earliest, latest = own.occurred.earliest, own.occurred.latest
    if earliest is not None:
        low = earliest - min(reach, earliest - BEGINNING)
        query = query.where(or_(table.c.latest >= low, table.c.latest.is_(None)))
    if latest is not None:
        query = query.where(or_(table.c.earliest <= later(latest, reach), table.c.earliest.is_(None)))
    return conn.scalars(query.order_by(table.c.subject_id).limit(MOST)).all()


def _paired(  # noqa: PLR0913, PLR0917 - the rule and the person, at an instant
    conn: Connection, rule: OfRule, subject_id: str, subject: Step, events: Iterable[str], until: datetime
) -> dict[str, Answer]:
    table = LIVE.links
    linked = select(table).where(or_(table.c.subject_id == subject_id, table.c.other_id == subject_id))
    named = {one for row in conn.execute(linked.limit(MOST)) for one in row} - {subject_id}
    steps = _people(conn, rule, named, until)
    told = [one for step in steps.values() for one in relations_of(step.history)]
    relations = [] if rule.is_by else relations_to(subject_id, relations_of(subject.history), told)
    own, others = _side(rule, subject), {other_id: _side(rule, step) for other_id, step in steps.items()}
    findings = {one.anchor.fact_id: one for one in pair_findings(rule, own, others, relations)}
    return {event: pair_reasons(rule, findings.get(event), relations, own, others) for event in events}


def _side(rule: OfRule, step: Step) -> Side:
    return Side(contributions_of(rule, step), step.history.counting, step.status.clearing())
