"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Say what the schema gains."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Say what is taken back, and what of the data is lost."""
    ${downgrades if downgrades else "pass"}
