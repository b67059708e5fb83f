"""Let an address have a notice more than once, since a person can send it again; it never waits twice."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

WAITING = sa.text("state in ('queued', 'held')")
TABLE = "The messages: one row for each notice, receiver and address, and one more each time it is sent again by hand."


def upgrade() -> None:
    """Replace the constraint by an index of the messages that wait."""
    with op.batch_alter_table("deliveries") as batch:
        batch.drop_constraint(op.f("uq_deliveries_notice"), type_="unique")
    columns = ["receiver", "address", "notice_id"]
    name = op.f("uq_deliveries_waiting_notice")
    op.create_index(name, "deliveries", columns, unique=True, sqlite_where=WAITING, postgresql_where=WAITING)
    if op.get_bind().dialect.name != "sqlite":
        op.execute(f"COMMENT ON TABLE deliveries IS '{TABLE}'")
