"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Describe the change of the schema."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Describe the reverse change, and the data that is lost."""
    ${downgrades if downgrades else "pass"}
