"""Create the tables of the first release."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table of the first release."""
    op.create_table(
        "alert_changes",
        sa.Column("alert_id", sa.Text(), nullable=False, comment="the alert"),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False, comment="number of the change, from 1"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, acknowledged, resolved, retracted or superseded"),
        sa.Column(
            "at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=False,
            comment="when, by the log's clock (acknowledged: by the person's)",
        ),
        sa.Column(
            "cause",
            sa.Text(),
            nullable=False,
            comment="followed, deadline, world_changed, late_knowledge, corrected, retracted, rule_changed or person",
        ),
        sa.Column(
            "fact_id", sa.Text(), nullable=True, comment="the fact that brought it about; null: time or a person did"
        ),
        sa.Column("rule_version", sa.Text(), nullable=False, comment="version of the rule in force"),
        sa.Column("person", sa.Text(), nullable=True, comment="who acknowledged it"),
        sa.Column("note", sa.Text(), nullable=True, comment="what they noted"),
        sa.PrimaryKeyConstraint("alert_id", "n", name=op.f("pk_alert_changes")),
        comment="The life of each alert.",
    )
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.Text(), nullable=False, comment="UUIDv5 of rule and anchor"),
        sa.Column("rule", sa.Text(), nullable=False, comment="id of the rule"),
        sa.Column("rule_version", sa.Text(), nullable=False, comment="version of the rule that concluded it last"),
        sa.Column("severity", sa.Text(), nullable=False, comment="info, notice, warning or critical"),
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the person it is about"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, acknowledged, resolved, retracted or superseded"),
        sa.Column("anchor", sa.Text(), nullable=False, comment="id of the fact it starts from"),
        sa.Column(
            "evidence",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=False,
            comment="[fact_id, ...]: the anchor and what completes the pattern",
        ),
        sa.Column("explanation", sa.Text(), nullable=False, comment="one sentence that a person can check"),
        sa.Column("changes", sa.Integer(), nullable=False, comment="number of its changes"),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=False,
            comment="when it first opened, by the log's clock",
        ),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=False,
            comment="when it last changed, by the log's clock",
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alerts")),
        comment="The alerts, each in its latest state.",
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alerts_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_alerts_subject_id"), ["subject_id"], unique=False)

    op.create_table(
        "cases",
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the person the case is about"),
        sa.Column("case_id", sa.Text(), nullable=False, comment="given by the ingestion tool"),
        sa.Column(
            "stage_status",
            sa.Text(),
            nullable=True,
            comment="accused ... final, or the end: dropped, closed, acquitted, amnestied, pardoned, overturned",
        ),
        sa.Column(
            "stage_since_earliest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="earliest instant it can have begun; null: not known",
        ),
        sa.Column(
            "stage_since_latest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="latest instant it can have begun; null: not known",
        ),
        sa.Column("stage_fact_id", sa.Text(), nullable=True, comment="the fact it rests on"),
        sa.Column("stage_facts", sa.Integer(), nullable=True, comment="how many facts in a row say so"),
        sa.Column("is_open", sa.Boolean(), nullable=False, comment="whether the case is open"),
        sa.Column(
            "charges",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=False,
            comment="[{article, title, amount, currency}, ...] as last stated",
        ),
        sa.Column("charges_fact_id", sa.Text(), nullable=True, comment="the fact that states them"),
        sa.Column("authority", sa.Text(), nullable=True, comment="the authority last named"),
        sa.Column("authority_fact_id", sa.Text(), nullable=True, comment="the fact that names it"),
        sa.PrimaryKeyConstraint("subject_id", "case_id", name=op.f("pk_cases")),
        comment="Each case of each person.",
    )
    op.create_table(
        "ledger",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False, comment="partition of the log"),
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="place in this partition's chain, from 1, dense",
        ),
        sa.Column(
            "entry", sa.Text(), nullable=False, comment="record, replay, dismissal, watermark, rules or acknowledgement"
        ),
        sa.Column("topic", sa.Text(), nullable=False, comment="topic of the log"),
        sa.Column(
            "log_offset",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="offset in the log; null for entries that are not records",
        ),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=True,
            comment="applied, duplicate, conflict, parked or forwarded; null for other entries",
        ),
        sa.Column(
            "reason", sa.Text(), nullable=True, comment="why a record is parked or in conflict, as `code: words`"
        ),
        sa.Column("fact_id", sa.Text(), nullable=True, comment="id of the fact, where the record could be read"),
        sa.Column("fact_type", sa.Text(), nullable=True, comment="type of the fact, where the record could be read"),
        sa.Column("subject_id", sa.Text(), nullable=True, comment="the person the entry is about"),
        sa.Column(
            "recorded",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=False,
            comment="when the fact was known: never runs backwards in a partition",
        ),
        sa.Column(
            "stamped",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="the log's own stamp of the record",
        ),
        sa.Column("key", sa.LargeBinary(), nullable=True, comment="record key as it came"),
        sa.Column(
            "headers",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=True,
            comment="record headers as they came",
        ),
        sa.Column(
            "value", sa.LargeBinary(), nullable=True, comment="the record's bytes as they came, or the entry's own JSON"
        ),
        sa.Column(
            "hash", sa.Text(), nullable=False, comment="SHA-256 over the hash before it in the partition and this row"
        ),
        sa.CheckConstraint(
            "(outcome is null) = (entry in ('watermark', 'rules', 'acknowledgement'))", name=op.f("ck_ledger_outcome")
        ),
        sa.PrimaryKeyConstraint("partition", "seq", name=op.f("pk_ledger")),
        comment="The audit trail: every record read and everything else that shaped a conclusion. Append only, chained.",
    )
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.create_index(
            "ix_ledger_afterwards",
            ["partition", "log_offset"],
            unique=False,
            sqlite_where=sa.text("entry in ('replay', 'dismissal')"),
            postgresql_where=sa.text("entry in ('replay', 'dismissal')"),
        )
        batch_op.create_index(
            "ix_ledger_fact_id",
            ["fact_id"],
            unique=True,
            sqlite_where=sa.text("outcome = 'applied'"),
            postgresql_where=sa.text("outcome = 'applied'"),
        )
        batch_op.create_index(
            "ix_ledger_subject_id",
            ["subject_id"],
            unique=False,
            sqlite_where=sa.text("outcome = 'applied'"),
            postgresql_where=sa.text("outcome = 'applied'"),
        )
        batch_op.create_index(
            "ix_ledger_troubled",
            ["partition", "seq"],
            unique=False,
            sqlite_where=sa.text("outcome in ('parked', 'conflict')"),
            postgresql_where=sa.text("outcome in ('parked', 'conflict')"),
        )

    op.create_table(
        "log",
        sa.Column(
            "log_offset",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="place in the log, from 0, dense",
        ),
        sa.Column(
            "stamped",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=False,
            comment="when the log accepted the record, by its own clock",
        ),
        sa.Column("key", sa.LargeBinary(), nullable=True, comment="record key: the subject_id in UTF-8"),
        sa.Column(
            "headers",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=True,
            comment="record headers, [[name, value], ...]; null for the JSON form",
        ),
        sa.Column("value", sa.LargeBinary(), nullable=True, comment="the record as it came"),
        sa.PrimaryKeyConstraint("log_offset", name=op.f("pk_log")),
        comment="The embedded log: what was published, in the order it was accepted. Unused when the log is Kafka.",
    )
    op.create_table(
        "names",
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the person"),
        sa.Column("name", sa.Text(), nullable=False, comment="a name or alias as a source spells it"),
        sa.Column("folded", sa.Text(), nullable=False, comment="the same for searching: NFKC, case folded"),
        sa.PrimaryKeyConstraint("subject_id", "name", name=op.f("pk_names")),
        comment="Every known spelling of every name.",
    )
    op.create_table(
        "outbox",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False, comment="partition of the log"),
        sa.Column(
            "n",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="number of the row, from 1, dense",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="notice (of an alert) or forward (a record for another partition)",
        ),
        sa.Column(
            "notice_id",
            sa.Text(),
            nullable=False,
            comment="idempotency key: UUIDv5 of alert_id and change, or the position of the record",
        ),
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the person it is about"),
        sa.Column("alert_id", sa.Text(), nullable=True, comment="the alert that changed"),
        sa.Column(
            "notice",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=True,
            comment="what is told: the alert and its change",
        ),
        sa.Column("target", sa.Integer(), nullable=True, comment="the partition that a record is sent on to"),
        sa.Column("key", sa.LargeBinary(), nullable=True, comment="the record's key"),
        sa.Column(
            "headers",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=True,
            comment="the record's headers",
        ),
        sa.Column("value", sa.LargeBinary(), nullable=True, comment="the record's value"),
        sa.PrimaryKeyConstraint("partition", "n", name=op.f("pk_outbox")),
        sa.UniqueConstraint("notice_id"),
        comment="What is to be sent, written in the transaction that concluded it.",
    )
    op.create_table(
        "partitions",
        sa.Column("topic", sa.Text(), nullable=False, comment="topic of the log"),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False, comment="partition of the log"),
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="offset of the next record to read",
        ),
        sa.Column(
            "watermark",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="instant up to which this partition is known to have been read",
        ),
        sa.Column(
            "epoch",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="raised by every assignment; an older projector cannot write",
        ),
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="place of the last row in the chain",
        ),
        sa.Column("hash", sa.Text(), nullable=False, comment="hash of the last row in the chain"),
        sa.Column(
            "notices",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="number of notices written to the outbox",
        ),
        sa.Column("rules_version", sa.Text(), nullable=True, comment="version of the rules in force"),
        sa.Column(
            "rules_since",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="since when they are in force",
        ),
        sa.Column(
            "read",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="records read; the sum of the five counts that follow",
        ),
        sa.Column(
            "applied",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="positions whose last outcome is applied",
        ),
        sa.Column(
            "duplicate",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="positions whose last outcome is duplicate",
        ),
        sa.Column(
            "conflict",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="positions whose last outcome is conflict",
        ),
        sa.Column(
            "parked",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="positions whose last outcome is parked",
        ),
        sa.Column(
            "forwarded",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="positions whose last outcome is forwarded",
        ),
        sa.Column(
            "progressed",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="when a projector last wrote, by its own clock",
        ),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_partitions")),
        comment="How far each partition has been read, and what its records became.",
    )
    op.create_table(
        "rebuild_alert_changes",
        sa.Column("alert_id", sa.Text(), nullable=False, comment="the alert"),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False, comment="number of the change, from 1"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, acknowledged, resolved, retracted or superseded"),
        sa.Column(
            "at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=False,
            comment="when, by the log's clock (acknowledged: by the person's)",
        ),
        sa.Column(
            "cause",
            sa.Text(),
            nullable=False,
            comment="followed, deadline, world_changed, late_knowledge, corrected, retracted, rule_changed or person",
        ),
        sa.Column(
            "fact_id", sa.Text(), nullable=True, comment="the fact that brought it about; null: time or a person did"
        ),
        sa.Column("rule_version", sa.Text(), nullable=False, comment="version of the rule in force"),
        sa.Column("person", sa.Text(), nullable=True, comment="who acknowledged it"),
        sa.Column("note", sa.Text(), nullable=True, comment="what they noted"),
        sa.PrimaryKeyConstraint("alert_id", "n", name=op.f("pk_rebuild_alert_changes")),
        comment="The life of each alert.",
    )
    op.create_table(
        "rebuild_alerts",
        sa.Column("alert_id", sa.Text(), nullable=False, comment="UUIDv5 of rule and anchor"),
        sa.Column("rule", sa.Text(), nullable=False, comment="id of the rule"),
        sa.Column("rule_version", sa.Text(), nullable=False, comment="version of the rule that concluded it last"),
        sa.Column("severity", sa.Text(), nullable=False, comment="info, notice, warning or critical"),
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the person it is about"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, acknowledged, resolved, retracted or superseded"),
        sa.Column("anchor", sa.Text(), nullable=False, comment="id of the fact it starts from"),
        sa.Column(
            "evidence",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=False,
            comment="[fact_id, ...]: the anchor and what completes the pattern",
        ),
        sa.Column("explanation", sa.Text(), nullable=False, comment="one sentence that a person can check"),
        sa.Column("changes", sa.Integer(), nullable=False, comment="number of its changes"),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=False,
            comment="when it first opened, by the log's clock",
        ),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=False,
            comment="when it last changed, by the log's clock",
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_rebuild_alerts")),
        comment="The alerts, each in its latest state.",
    )
    with op.batch_alter_table("rebuild_alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rebuild_alerts_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_rebuild_alerts_subject_id"), ["subject_id"], unique=False)

    op.create_table(
        "rebuild_cases",
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the person the case is about"),
        sa.Column("case_id", sa.Text(), nullable=False, comment="given by the ingestion tool"),
        sa.Column(
            "stage_status",
            sa.Text(),
            nullable=True,
            comment="accused ... final, or the end: dropped, closed, acquitted, amnestied, pardoned, overturned",
        ),
        sa.Column(
            "stage_since_earliest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="earliest instant it can have begun; null: not known",
        ),
        sa.Column(
            "stage_since_latest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="latest instant it can have begun; null: not known",
        ),
        sa.Column("stage_fact_id", sa.Text(), nullable=True, comment="the fact it rests on"),
        sa.Column("stage_facts", sa.Integer(), nullable=True, comment="how many facts in a row say so"),
        sa.Column("is_open", sa.Boolean(), nullable=False, comment="whether the case is open"),
        sa.Column(
            "charges",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=False,
            comment="[{article, title, amount, currency}, ...] as last stated",
        ),
        sa.Column("charges_fact_id", sa.Text(), nullable=True, comment="the fact that states them"),
        sa.Column("authority", sa.Text(), nullable=True, comment="the authority last named"),
        sa.Column("authority_fact_id", sa.Text(), nullable=True, comment="the fact that names it"),
        sa.PrimaryKeyConstraint("subject_id", "case_id", name=op.f("pk_rebuild_cases")),
        comment="Each case of each person.",
    )
    op.create_table(
        "rebuild_names",
        sa.Column("subject_id", sa.Text(), nullable=False, comment="the person"),
        sa.Column("name", sa.Text(), nullable=False, comment="a name or alias as a source spells it"),
        sa.Column("folded", sa.Text(), nullable=False, comment="the same for searching: NFKC, case folded"),
        sa.PrimaryKeyConstraint("subject_id", "name", name=op.f("pk_rebuild_names")),
        comment="Every known spelling of every name.",
    )
    op.create_table(
        "rebuild_partitions",
        sa.Column("topic", sa.Text(), nullable=False, comment="topic of the log"),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False, comment="partition of the log"),
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="offset of the next record to read",
        ),
        sa.Column(
            "watermark",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="instant up to which this partition is known to have been read",
        ),
        sa.Column(
            "epoch",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="raised by every assignment; an older projector cannot write",
        ),
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="place of the last row in the chain",
        ),
        sa.Column("hash", sa.Text(), nullable=False, comment="hash of the last row in the chain"),
        sa.Column(
            "notices",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="number of notices written to the outbox",
        ),
        sa.Column("rules_version", sa.Text(), nullable=True, comment="version of the rules in force"),
        sa.Column(
            "rules_since",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="since when they are in force",
        ),
        sa.Column(
            "read",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="records read; the sum of the five counts that follow",
        ),
        sa.Column(
            "applied",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="positions whose last outcome is applied",
        ),
        sa.Column(
            "duplicate",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="positions whose last outcome is duplicate",
        ),
        sa.Column(
            "conflict",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="positions whose last outcome is conflict",
        ),
        sa.Column(
            "parked",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="positions whose last outcome is parked",
        ),
        sa.Column(
            "forwarded",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="positions whose last outcome is forwarded",
        ),
        sa.Column(
            "progressed",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="when a projector last wrote, by its own clock",
        ),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_rebuild_partitions")),
        comment="How far a rebuild under way has come.",
    )
    op.create_table(
        "rebuild_subjects",
        sa.Column("subject_id", sa.Text(), nullable=False, comment="given by the ingestion tool, never reused"),
        sa.Column("name", sa.Text(), nullable=True, comment="the latest known name; null: none is known"),
        sa.Column("post", sa.Text(), nullable=True, comment="the latest known post"),
        sa.Column("agency", sa.Text(), nullable=True, comment="the latest known agency"),
        sa.Column("region", sa.Text(), nullable=True, comment="the latest known region"),
        sa.Column("jurisdiction", sa.Text(), nullable=True, comment="the latest known jurisdiction"),
        sa.Column("name_fact_id", sa.Text(), nullable=True, comment="the fact that names it so"),
        sa.Column("post_fact_id", sa.Text(), nullable=True, comment="the fact that names it so"),
        sa.Column("agency_fact_id", sa.Text(), nullable=True, comment="the fact that names it so"),
        sa.Column("region_fact_id", sa.Text(), nullable=True, comment="the fact that names it so"),
        sa.Column("jurisdiction_fact_id", sa.Text(), nullable=True, comment="the fact that names it so"),
        sa.Column("headline", sa.Text(), nullable=False, comment="one word for lists"),
        sa.Column(
            "service_status",
            sa.Text(),
            nullable=True,
            comment="unknown, in_office, suspended, removed, dismissed, resigned, retired, left_office or deceased",
        ),
        sa.Column(
            "service_since_earliest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="earliest instant it can have begun; null: not known",
        ),
        sa.Column(
            "service_since_latest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="latest instant it can have begun; null: not known",
        ),
        sa.Column("service_fact_id", sa.Text(), nullable=True, comment="the fact it rests on"),
        sa.Column("service_facts", sa.Integer(), nullable=True, comment="how many facts in a row say so"),
        sa.Column(
            "custody_status",
            sa.Text(),
            nullable=True,
            comment="unknown, detained, remanded, house_arrest, bailed, released, extradited, imprisoned, sentence_served",
        ),
        sa.Column(
            "custody_since_earliest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="earliest instant it can have begun; null: not known",
        ),
        sa.Column(
            "custody_since_latest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="latest instant it can have begun; null: not known",
        ),
        sa.Column("custody_fact_id", sa.Text(), nullable=True, comment="the fact it rests on"),
        sa.Column("custody_facts", sa.Integer(), nullable=True, comment="how many facts in a row say so"),
        sa.Column("wanted_status", sa.Text(), nullable=True, comment="national, international; null: not wanted"),
        sa.Column(
            "wanted_since_earliest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="earliest instant it can have begun; null: not known",
        ),
        sa.Column(
            "wanted_since_latest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="latest instant it can have begun; null: not known",
        ),
        sa.Column("wanted_fact_id", sa.Text(), nullable=True, comment="the fact it rests on"),
        sa.Column("wanted_facts", sa.Integer(), nullable=True, comment="how many facts in a row say so"),
        sa.Column(
            "stage_status",
            sa.Text(),
            nullable=True,
            comment="furthest stage of an open case, else the last end of one; null: no case",
        ),
        sa.Column(
            "stage_since_earliest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="earliest instant it can have begun; null: not known",
        ),
        sa.Column(
            "stage_since_latest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="latest instant it can have begun; null: not known",
        ),
        sa.Column("stage_fact_id", sa.Text(), nullable=True, comment="the fact it rests on"),
        sa.Column("stage_facts", sa.Integer(), nullable=True, comment="how many facts in a row say so"),
        sa.Column("open_cases", sa.Integer(), nullable=False, comment="number of cases that are open"),
        sa.Column(
            "presumption",
            sa.Text(),
            nullable=False,
            comment="presumed_innocent, convicted_not_final, convicted or cleared",
        ),
        sa.Column(
            "anomalies",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=False,
            comment="[{code, fact_id}, ...]: what does not follow or is flagged",
        ),
        sa.Column("position_partition", sa.Integer(), nullable=False, comment="partition of the last fact folded in"),
        sa.Column(
            "position_offset",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="offset of the last fact folded in",
        ),
        sa.Column(
            "due",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="next instant at which time alone could change an answer",
        ),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_rebuild_subjects")),
        comment="The current status of each person.",
    )
    with op.batch_alter_table("rebuild_subjects", schema=None) as batch_op:
        batch_op.create_index("ix_rebuild_subjects_due", ["position_partition", "due"], unique=False)

    op.create_table(
        "subjects",
        sa.Column("subject_id", sa.Text(), nullable=False, comment="given by the ingestion tool, never reused"),
        sa.Column("name", sa.Text(), nullable=True, comment="the latest known name; null: none is known"),
        sa.Column("post", sa.Text(), nullable=True, comment="the latest known post"),
        sa.Column("agency", sa.Text(), nullable=True, comment="the latest known agency"),
        sa.Column("region", sa.Text(), nullable=True, comment="the latest known region"),
        sa.Column("jurisdiction", sa.Text(), nullable=True, comment="the latest known jurisdiction"),
        sa.Column("name_fact_id", sa.Text(), nullable=True, comment="the fact that names it so"),
        sa.Column("post_fact_id", sa.Text(), nullable=True, comment="the fact that names it so"),
        sa.Column("agency_fact_id", sa.Text(), nullable=True, comment="the fact that names it so"),
        sa.Column("region_fact_id", sa.Text(), nullable=True, comment="the fact that names it so"),
        sa.Column("jurisdiction_fact_id", sa.Text(), nullable=True, comment="the fact that names it so"),
        sa.Column("headline", sa.Text(), nullable=False, comment="one word for lists"),
        sa.Column(
            "service_status",
            sa.Text(),
            nullable=True,
            comment="unknown, in_office, suspended, removed, dismissed, resigned, retired, left_office or deceased",
        ),
        sa.Column(
            "service_since_earliest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="earliest instant it can have begun; null: not known",
        ),
        sa.Column(
            "service_since_latest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="latest instant it can have begun; null: not known",
        ),
        sa.Column("service_fact_id", sa.Text(), nullable=True, comment="the fact it rests on"),
        sa.Column("service_facts", sa.Integer(), nullable=True, comment="how many facts in a row say so"),
        sa.Column(
            "custody_status",
            sa.Text(),
            nullable=True,
            comment="unknown, detained, remanded, house_arrest, bailed, released, extradited, imprisoned, sentence_served",
        ),
        sa.Column(
            "custody_since_earliest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="earliest instant it can have begun; null: not known",
        ),
        sa.Column(
            "custody_since_latest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="latest instant it can have begun; null: not known",
        ),
        sa.Column("custody_fact_id", sa.Text(), nullable=True, comment="the fact it rests on"),
        sa.Column("custody_facts", sa.Integer(), nullable=True, comment="how many facts in a row say so"),
        sa.Column("wanted_status", sa.Text(), nullable=True, comment="national, international; null: not wanted"),
        sa.Column(
            "wanted_since_earliest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="earliest instant it can have begun; null: not known",
        ),
        sa.Column(
            "wanted_since_latest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="latest instant it can have begun; null: not known",
        ),
        sa.Column("wanted_fact_id", sa.Text(), nullable=True, comment="the fact it rests on"),
        sa.Column("wanted_facts", sa.Integer(), nullable=True, comment="how many facts in a row say so"),
        sa.Column(
            "stage_status",
            sa.Text(),
            nullable=True,
            comment="furthest stage of an open case, else the last end of one; null: no case",
        ),
        sa.Column(
            "stage_since_earliest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="earliest instant it can have begun; null: not known",
        ),
        sa.Column(
            "stage_since_latest",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="latest instant it can have begun; null: not known",
        ),
        sa.Column("stage_fact_id", sa.Text(), nullable=True, comment="the fact it rests on"),
        sa.Column("stage_facts", sa.Integer(), nullable=True, comment="how many facts in a row say so"),
        sa.Column("open_cases", sa.Integer(), nullable=False, comment="number of cases that are open"),
        sa.Column(
            "presumption",
            sa.Text(),
            nullable=False,
            comment="presumed_innocent, convicted_not_final, convicted or cleared",
        ),
        sa.Column(
            "anomalies",
            sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
            nullable=False,
            comment="[{code, fact_id}, ...]: what does not follow or is flagged",
        ),
        sa.Column("position_partition", sa.Integer(), nullable=False, comment="partition of the last fact folded in"),
        sa.Column(
            "position_offset",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="offset of the last fact folded in",
        ),
        sa.Column(
            "due",
            sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite"),
            nullable=True,
            comment="next instant at which time alone could change an answer",
        ),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_subjects")),
        comment="The current status of each person.",
    )
    with op.batch_alter_table("subjects", schema=None) as batch_op:
        batch_op.create_index("ix_subjects_due", ["position_partition", "due"], unique=False)


def downgrade() -> None:
    """Drop every table, with all data."""
    with op.batch_alter_table("subjects", schema=None) as batch_op:
        batch_op.drop_index("ix_subjects_due")

    op.drop_table("subjects")
    with op.batch_alter_table("rebuild_subjects", schema=None) as batch_op:
        batch_op.drop_index("ix_rebuild_subjects_due")

    op.drop_table("rebuild_subjects")
    op.drop_table("rebuild_partitions")
    op.drop_table("rebuild_names")
    op.drop_table("rebuild_cases")
    with op.batch_alter_table("rebuild_alerts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rebuild_alerts_subject_id"))
        batch_op.drop_index(batch_op.f("ix_rebuild_alerts_state"))

    op.drop_table("rebuild_alerts")
    op.drop_table("rebuild_alert_changes")
    op.drop_table("partitions")
    op.drop_table("outbox")
    op.drop_table("names")
    op.drop_table("log")
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_ledger_troubled",
            sqlite_where=sa.text("outcome in ('parked', 'conflict')"),
            postgresql_where=sa.text("outcome in ('parked', 'conflict')"),
        )
        batch_op.drop_index(
            "ix_ledger_subject_id",
            sqlite_where=sa.text("outcome = 'applied'"),
            postgresql_where=sa.text("outcome = 'applied'"),
        )
        batch_op.drop_index(
            "ix_ledger_fact_id",
            sqlite_where=sa.text("outcome = 'applied'"),
            postgresql_where=sa.text("outcome = 'applied'"),
        )
        batch_op.drop_index(
            "ix_ledger_afterwards",
            sqlite_where=sa.text("entry in ('replay', 'dismissal')"),
            postgresql_where=sa.text("entry in ('replay', 'dismissal')"),
        )

    op.drop_table("ledger")
    op.drop_table("cases")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alerts_subject_id"))
        batch_op.drop_index(batch_op.f("ix_alerts_state"))

    op.drop_table("alerts")
    op.drop_table("alert_changes")
