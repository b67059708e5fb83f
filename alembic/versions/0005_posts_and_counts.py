"""
Add tables for posts, counts, custody, searches and measures.

The tables of conclusions about people are created again and are then empty: `casetrail init` computes their rows from
the ledger. Alerts stay, so that no notice is sent twice.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

revision = "0005"
down_revision = "0004"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Create the tables of people again, and their twins for a rebuild; keep the alerts."""
    for prefix in ("", "rebuild_"):
        op.drop_index(f"ix_{prefix}subjects_due", table_name=f"{prefix}subjects")
        op.drop_table(f"{prefix}subjects")
        op.drop_table(f"{prefix}cases")
        for make in (_subjects, _posts, _cases, _counts, _holds, _searches, _measures):
            make(prefix)
        op.create_index(op.f(f"ix_{prefix}subjects_due"), f"{prefix}subjects", ["position_partition", "due"])
        _names(prefix)
        _alerts(prefix)
    # A rebuild that was stopped has left rows there, and the next one would continue with them.
    for table in ("rebuild_alert_changes", "rebuild_alerts", "rebuild_partitions"):
        op.execute(sa.delete(sa.table(table)))


def _names(prefix: str) -> None:
    op.execute(sa.delete(sa.table(f"{prefix}names")))
    _comment(f"{prefix}names", "folded", "the same in the form in which names are searched for")


def _alerts(prefix: str) -> None:
    first = "id of the anchor it opened with; makes the alert_id"
    with op.batch_alter_table(f"{prefix}alerts") as batch:
        batch.add_column(sa.Column("first_anchor", sa.Text(), nullable=True, comment=first))
    alerts = sa.table(f"{prefix}alerts", sa.column("anchor"), sa.column("first_anchor"))
    op.execute(sa.update(alerts).values(first_anchor=alerts.c.anchor))
    with op.batch_alter_table(f"{prefix}alerts") as batch:
        batch.alter_column("first_anchor", existing_type=sa.Text(), existing_comment=first, nullable=False)
    _comment(f"{prefix}alerts", "anchor", "id of the fact it starts from: the best report of that event")
    reports = "[fact_id, ...]: the reports of the events that make the pattern, the anchor first"
    _comment(f"{prefix}alerts", "evidence", reports, JSON)
    causes = (
        "followed, deadline, world_changed, late_knowledge, corrected, retracted, rule_changed, same_event or person"
    )
    _comment(f"{prefix}alert_changes", "cause", causes)


def _comment(table: str, column: str, comment: str, kind: TypeEngine[Any] | None = None) -> None:
    """Change the comment of a column on PostgreSQL; SQLite keeps no comments."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(table, column, existing_type=kind or sa.Text(), existing_nullable=False, comment=comment)


def _cell(name: str, what: str) -> list[sa.Column[Any]]:
    """Return the columns of one status and of the fact it rests on; *what* is the comment with its words."""
    return [sa.Column(f"{name}_status", sa.Text(), comment=what), *_since(f"{name}_", "it can have begun")]


def _since(prefix: str, what: str) -> list[sa.Column[Any]]:
    """Return the columns of a beginning: the source's text, the instants, the fact and the number of reports."""
    return [
        sa.Column(f"{prefix}since", sa.Text(), comment="the date as the source wrote it (EDTF)"),
        sa.Column(f"{prefix}since_earliest", INSTANT, comment=f"earliest instant {what}; null: not known"),
        sa.Column(f"{prefix}since_latest", INSTANT, comment=f"latest instant {what}; null: not known"),
        sa.Column(f"{prefix}fact_id", sa.Text(), comment="the fact it rests on"),
        sa.Column(f"{prefix}facts", sa.Integer(), comment="how many facts report that event"),
    ]


def _numbered(what: str) -> list[sa.Column[Any]]:
    """Return the columns of the key of a table with several rows a person."""
    return [
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the person"),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False, comment=f"number of the {what}, from 0"),
    ]


def _subjects(prefix: str) -> None:
    op.create_table(
        f"{prefix}subjects",
        sa.Column("subject_id", sa.Text(), nullable=False, comment="given by the ingestion tool, never reused"),
        sa.Column("name", sa.Text(), comment="the latest known name; null: none is known"),
        sa.Column("post", sa.Text(), comment="the post that `service` rests on"),
        sa.Column("agency", sa.Text(), comment="the agency of that post"),
        sa.Column("region", sa.Text(), comment="the region of that post"),
        sa.Column("jurisdiction", sa.Text(), comment="the person's jurisdiction"),
        sa.Column("name_fact_id", sa.Text(), comment="the fact that names it so"),
        sa.Column("post_fact_id", sa.Text(), comment="the fact that names it so"),
        sa.Column("agency_fact_id", sa.Text(), comment="the fact that names it so"),
        sa.Column("region_fact_id", sa.Text(), comment="the fact that names it so"),
        sa.Column("jurisdiction_fact_id", sa.Text(), comment="the fact that names it so"),
        sa.Column("headline", sa.Text(), nullable=False, comment="one word for lists"),
        *_cell("service", "unknown, in_office, suspended, removed, dismissed, resigned, retired, term_ended, "
               "left_office or deceased"),
        *_cell("custody", "the strictest: unknown, detained, remanded, house_arrest, paroled, bailed, released, "
               "extradited, imprisoned, sentence_served or deceased"),
        *_cell("wanted", "the widest search: national, international; null: not wanted"),
        *_cell("stage", "furthest stage of an open criminal case, else the last end of one; null: none is known"),
        sa.Column("open_cases", sa.Integer(), nullable=False, comment="number of criminal cases that are open"),
        sa.Column("convicted_cases", sa.Integer(), nullable=False, comment="number of criminal cases with a final conviction"),
        sa.Column("counts_undecided", sa.Integer(), nullable=False, comment="counts of criminal cases: not decided"),
        sa.Column("counts_convicted", sa.Integer(), nullable=False, comment="counts of criminal cases: convicted"),
        sa.Column("counts_acquitted", sa.Integer(), nullable=False, comment="counts of criminal cases: acquitted"),
        sa.Column("counts_ended", sa.Integer(), nullable=False, comment="counts of criminal cases: ended in another way"),
        sa.Column("presumption", sa.Text(), nullable=False,
               comment="presumed_innocent, convicted_not_final, convicted or cleared"),
        sa.Column("anomalies", JSON, nullable=False, comment="[{code, fact_id}, ...]: what does not follow or is flagged"),
        sa.Column("position_partition", sa.Integer(), nullable=False, comment="partition of the last fact folded in"),
        sa.Column("position_offset", BIG, nullable=False, comment="offset of the last fact folded in"),
        sa.Column("due", INSTANT, comment="next instant at which time alone could change an answer"),
        sa.PrimaryKeyConstraint("subject_id", name=op.f(f"pk_{prefix}subjects")),
        comment="The current status of each person, a summary of the tables of their parts.",
    )  # fmt: skip


def _posts(prefix: str) -> None:
    op.create_table(
        f"{prefix}posts",
        *_numbered("post"),
        sa.Column("post", sa.Text(), comment="the post, in the words of one fact"),
        sa.Column("agency", sa.Text(), comment="its agency, in the words of that fact"),
        sa.Column("region", sa.Text(), comment="its region, in the words of that fact"),
        sa.Column("jurisdiction", sa.Text(), comment="the jurisdiction that fact names"),
        sa.Column("post_id", sa.Text(), comment="the id that fact gives the post"),
        sa.Column("words_fact_id", sa.Text(), comment="the fact whose words these are"),
        sa.Column("acting", sa.Boolean(), nullable=False, comment="whether it is held for the time being only"),
        sa.Column("acting_fact_id", sa.Text(), comment="the fact that says so"),
        sa.Column("status", sa.Text(), nullable=False, comment="in_office, suspended, moved, removed, dismissed, resigned, "
               "retired, term_ended, left_office or deceased"),
        *_since("", "it can have begun"),
        sa.Column("began", sa.Text(), comment="when the person took it, as the source wrote it; null: not known"),
        sa.Column("began_earliest", INSTANT, comment="earliest instant that can have been; null: not known"),
        sa.Column("began_latest", INSTANT, comment="latest instant that can have been; null: not known"),
        sa.Column("began_fact_id", sa.Text(), comment="the fact that says so"),
        sa.Column("ground", sa.Text(), comment="the ground of a dismissal or removal"),
        sa.Column("until", sa.Text(), comment="the end that was ordered for a suspension, as the source wrote it"),
        sa.PrimaryKeyConstraint("subject_id", "n", name=op.f(f"pk_{prefix}posts")),
        comment="Each post of each person, held or former.",
    )  # fmt: skip


def _cases(prefix: str) -> None:
    op.create_table(
        f"{prefix}cases",
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the person the case is about"),
        sa.Column("case_id", sa.Text(), nullable=False, comment="given by the ingestion tool"),
        sa.Column("kind", sa.Text(), nullable=False, comment="criminal (also where no source says), disciplinary, "
               "administrative or civil"),
        sa.Column("kind_fact_id", sa.Text(), comment="the fact that names the kind; null: none does"),
        *_cell("stage", "accused ... appeal, or the end: final, dropped, closed, acquitted, withdrawn, amnestied, "
               "pardoned; null: no step of it is known"),
        sa.Column("is_open", sa.Boolean(), nullable=False, comment="whether the case is open"),
        sa.Column("suspended", sa.Boolean(), nullable=False, comment="whether the investigation is suspended"),
        sa.Column("suspended_fact_id", sa.Text(), comment="the fact that says so"),
        sa.Column("sentence", sa.Text(), comment="the last sentence in words"),
        sa.Column("parts", JSON, nullable=False, comment="[{kind, term, amount, currency, until}, ...] of that sentence"),
        sa.Column("sentence_fact_id", sa.Text(), comment="the fact that states them"),
        sa.Column("charges", JSON, nullable=False, comment="[{count_id, article, title, ...}, ...] as last stated"),
        sa.Column("charges_fact_id", sa.Text(), comment="the fact that states them"),
        sa.Column("authority", sa.Text(), comment="the authority last named"),
        sa.Column("authority_fact_id", sa.Text(), comment="the fact that names it"),
        sa.PrimaryKeyConstraint("subject_id", "case_id", name=op.f(f"pk_{prefix}cases")),
        comment="Each case of each person.",
    )  # fmt: skip


def _counts(prefix: str) -> None:
    op.create_table(
        f"{prefix}counts",
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the person the case is about"),
        sa.Column("case_id", sa.Text(), nullable=False, comment="the case"),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False, comment="number of the count in it, from 0"),
        sa.Column("count_id", sa.Text(), comment="the id that its source gives it"),
        sa.Column("article", sa.Text(), comment="the article of the law"),
        sa.Column("title", sa.Text(), comment="what it is called; null here, in article and count_id: the whole case"),
        sa.Column("counts", sa.Integer(), nullable=False, comment="how many alike it stands for"),
        sa.Column("amount", JSON, comment="the sum it is about"),
        sa.Column("currency", sa.Text(), comment="the currency of the sum"),
        sa.Column("charge_fact_id", sa.Text(), comment="the fact whose words these are; null: the whole case"),
        sa.Column("status", sa.Text(), nullable=False, comment="undecided, convicted, acquitted, dropped, closed, withdrawn, "
               "replaced, amnestied or pardoned"),
        *_since("", "that can have come about"),
        sa.Column("authority", sa.Text(), comment="the court or body named by the fact it rests on"),
        sa.Column("verdict", sa.Text(), comment="convicted or acquitted, a pardon leaves it; null: none stands"),
        sa.Column("verdict_fact_id", sa.Text(), comment="the fact with the verdict"),
        sa.Column("final", sa.Boolean(), nullable=False, comment="whether the verdict is final"),
        sa.Column("final_fact_id", sa.Text(), comment="the fact that made it final"),
        sa.Column("on_appeal", sa.Boolean(), nullable=False, comment="whether it is on appeal"),
        sa.Column("appeal_fact_id", sa.Text(), comment="the fact that put it there"),
        sa.Column("in_absentia", sa.Boolean(), nullable=False, comment="whether the verdict was given in absence"),
        sa.Column("rehabilitated", sa.Boolean(), nullable=False, comment="whether it ended in a way that clears"),
        sa.Column("sentence_fact_id", sa.Text(), comment="the fact with its sentence"),
        sa.PrimaryKeyConstraint("subject_id", "case_id", "n", name=op.f(f"pk_{prefix}counts")),
        comment="Each count of each case: every charge that was ever stated.",
    )  # fmt: skip


def _holds(prefix: str) -> None:
    op.create_table(
        f"{prefix}holds",
        *_numbered("hold"),
        sa.Column("case_id", sa.Text(), comment="the case in which the person is held; null: none is known"),
        sa.Column("status", sa.Text(), nullable=False, comment="detained, remanded, house_arrest, paroled, bailed, released, "
               "extradited, imprisoned, sentence_served or deceased"),
        *_since("", "it can have begun"),
        sa.Column("until", sa.Text(), comment="the end that was ordered, as the source wrote it; no release by itself"),
        sa.Column("until_fact_id", sa.Text(), comment="the fact that says so"),
        sa.Column("authority", sa.Text(), comment="the body named by the fact it rests on"),
        sa.Column("place", sa.Text(), comment="the place named by that fact"),
        sa.Column("counted", sa.Boolean(), nullable=False, comment="whether it counts for the person's row: not if its case "
               "ended without a conviction"),
        sa.PrimaryKeyConstraint("subject_id", "n", name=op.f(f"pk_{prefix}holds")),
        comment="Custody of each person, case by case.",
    )  # fmt: skip


def _searches(prefix: str) -> None:
    op.create_table(
        f"{prefix}searches",
        *_numbered("search"),
        sa.Column("case_id", sa.Text(), comment="the case for which the person is sought; null: none is known"),
        sa.Column("scope", sa.Text(), nullable=False, comment="national (also where no source says) or international"),
        sa.Column("jurisdiction", sa.Text(), comment="the jurisdiction that seeks the person"),
        sa.Column("authority", sa.Text(), comment="the body that seeks the person"),
        *_since("", "it can have begun"),
        sa.Column("counted", sa.Boolean(), nullable=False, comment="whether it counts for the person's row: not if its case "
               "ended without a conviction"),
        sa.PrimaryKeyConstraint("subject_id", "n", name=op.f(f"pk_{prefix}searches")),
        comment="The searches that stand.",
    )  # fmt: skip


def _measures(prefix: str) -> None:
    op.create_table(
        f"{prefix}measures",
        *_numbered("measure"),
        sa.Column("kind", sa.Text(), comment="travel_ban, sanction, asset_freeze, ..."),
        sa.Column("title", sa.Text(), comment="what its source calls it"),
        sa.Column("authority", sa.Text(), comment="the body that imposed it"),
        sa.Column("program", sa.Text(), comment="the program under which it did"),
        sa.Column("case_id", sa.Text(), comment="the case to which it belongs"),
        sa.Column("until", sa.Text(), comment="the end that was ordered, as the source wrote it"),
        sa.Column("until_fact_id", sa.Text(), comment="the fact that says so"),
        *_since("", "it can have begun"),
        sa.PrimaryKeyConstraint("subject_id", "n", name=op.f(f"pk_{prefix}measures")),
        comment="The measures that stand.",
    )
