"""Add triggers that refuse to change, remove or replace a row of the ledger."""

from alembic import op

revision = "0002"
down_revision = "0001"

TRIGGERS = {
    "sqlite": [
        """
        CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger
        BEGIN SELECT RAISE(ABORT, 'the ledger is append only: rows are never updated'); END
        """,
        """
        CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger
        BEGIN SELECT RAISE(ABORT, 'the ledger is append only: rows are never deleted'); END
        """,
        # INSERT OR REPLACE deletes the row it replaces without firing the trigger above.
        """
        CREATE TRIGGER ledger_no_replace BEFORE INSERT ON ledger
        WHEN EXISTS (SELECT 1 FROM ledger WHERE partition = NEW.partition AND seq >= NEW.seq)
          OR (NEW.outcome = 'applied'
              AND EXISTS (SELECT 1 FROM ledger WHERE fact_id = NEW.fact_id AND outcome = 'applied'))
        BEGIN SELECT RAISE(ABORT, 'the ledger is append only: rows are never replaced'); END
        """,
    ],
    "postgresql": [
        """
        CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the ledger is append only: % refused', TG_OP; END $$
        """,
        """
        CREATE TRIGGER ledger_no_update_or_delete BEFORE UPDATE OR DELETE ON ledger
        FOR EACH ROW EXECUTE FUNCTION ledger_append_only()
        """,
        """
        CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
        """,
    ],
}


def upgrade() -> None:
    """Add the triggers of this kind of database."""
    for trigger in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(trigger)
