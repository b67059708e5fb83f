"""
The tables of the correlator, and the evidence of alerts across people.

The evidence is rows, so that evidence that grows is an insert.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Boolean, Column, Connection, Index, Integer, Table, Text, select

from .columns import METADATA, Big, Instant, Json
from .database import in_values, values_parameter


def correlated(prefix: str) -> Table:
    """Return the table of the people that the rules across people concern, with *prefix* before its name."""
    return Table(
        f"{prefix}correlated",
        METADATA,
        Column("subject_id", Text, primary_key=True, comment="a person with a fact of a type such a rule starts from"),
        Column("due", Instant, comment="next instant at which a fact that was announced counts"),
        Index(f"ix_{prefix}correlated_due", "due"),
        comment="The people that the rules across people concern.",
    )


def contributions(prefix: str) -> Table:
    """Return the table of contributions, with *prefix* before its name."""
    return Table(
        f"{prefix}contributions",
        METADATA,
        Column("rule", Text, primary_key=True, comment="id of the rule"),
        Column("fact_id", Text, primary_key=True, comment="the best report of the event"),
        Column("subject_id", Text, nullable=False, comment="the person"),
        Column("group_key", Text, nullable=False, comment="the group in the form in which groups are compared"),
        Column("group_shown", Text, nullable=False, comment="the group as this fact's source writes it"),
        Column("earliest", Instant, comment="earliest instant of the event; null: not known"),
        Column("latest", Instant, comment="latest instant of the event; null: not known"),
        Column("earliest_exact", Boolean, nullable=False, comment="whether the earliest instant is from a date-time"),
        Column("latest_exact", Boolean, nullable=False, comment="whether the latest instant is from a date-time"),
        Column("marked", Boolean, nullable=False, comment="whether the source marks the date as uncertain"),
        Column("cleared", Boolean, nullable=False, comment="whether the person was cleared of the event since"),
        Column("recorded", Instant, nullable=False, comment="when its first report that is in force was recorded"),
        Column("reports", Json, nullable=False, comment="[fact_id, ...]: all reports of the event, the best first"),
        Column("jurisdictions", Json, comment="[name, ...]: they select the limit of the rule; null: it has none"),
        Index(f"ix_{prefix}contributions_rule_group_key_latest", "rule", "group_key", "latest"),
        Index(f"ix_{prefix}contributions_subject_id", "subject_id"),
        comment="The events that rules across people count, each with its group.",
    )


def links(prefix: str) -> Table:
    """Return the table of links between people, with *prefix* before its name."""
    return Table(
        f"{prefix}links",
        METADATA,
        Column("subject_id", Text, primary_key=True, comment="the person whose facts name the other one"),
        Column("other_id", Text, primary_key=True, comment="the other person"),
        Index(f"ix_{prefix}links_other_id", "other_id"),
        comment="The people that a fact of another person names, by a relation or as its author.",
    )


def alert_evidence(prefix: str) -> Table:
    """Return the table of the evidence of alerts across people, with *prefix* before its name."""
    return Table(
        f"{prefix}alert_evidence",
        METADATA,
        Column("alert_id", Text, primary_key=True, comment="an alert across people"),
        Column("fact_id", Text, primary_key=True, comment="a fact in its evidence"),
        Column("subject_id", Text, nullable=False, comment="the person this fact is about"),
        Column("n", Integer, nullable=False, comment="its place; those of one place are ordered by `at`"),
        Column("at", Instant, comment="latest instant of its event, by which the evidence is ordered"),
        Index(f"ix_{prefix}alert_evidence_fact_id", "fact_id"),
        Index(f"ix_{prefix}alert_evidence_subject_id", "subject_id"),
        comment="The evidence of each alert across people.",
    )


def correlator_positions(prefix: str) -> Table:
    """Return the table of the correlator's positions, with *prefix* before its name."""
    return Table(
        f"{prefix}correlator_positions",
        METADATA,
        Column("partition", Integer, primary_key=True, autoincrement=False, comment="partition of the log"),
        Column("seq", Big, nullable=False, comment="place of the last row of its chain that was read"),
        comment="The correlator's position in the chain of each partition.",
    )


class EvidenceRow(NamedTuple):
    """A row of ``alert_evidence``. The fields are the columns, in their order."""

    alert_id: str
    fact_id: str
    subject_id: str
    n: int
    at: datetime | None


class Evidence(NamedTuple):
    """The facts in the evidence of an alert, in their order, and the people they are about, by subject_id."""

    fact_ids: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


NO_EVIDENCE = Evidence()


def evidence_rows(conn: Connection, table: Table, alert_ids: Iterable[str]) -> dict[str, dict[str, EvidenceRow]]:
    """Return the rows of the evidence of *alert_ids* in *table*, by alert and fact, in their order."""
    query = (
        select(table)
        .where(in_values(conn.dialect.name, table.c.alert_id))
        .order_by(table.c.alert_id, table.c.n, table.c.at.is_(None), table.c.at, table.c.fact_id)
    )
    rows: dict[str, dict[str, EvidenceRow]] = {}
    for row in conn.execute(query, values_parameter(conn, alert_ids)):
        rows.setdefault(row.alert_id, {})[row.fact_id] = EvidenceRow(*row)
    return rows


def evidence_of_alerts(conn: Connection, table: Table, alert_ids: Iterable[str]) -> dict[str, Evidence]:
    """Return the evidence of the alerts *alert_ids* in *table*, by the alert; those of one person have no rows."""
    return {
        alert_id: Evidence(tuple(rows), tuple(sorted({row.subject_id for row in rows.values()})))
        for alert_id, rows in evidence_rows(conn, table, alert_ids).items()
    }
