"""The W3C trace context of whoever commanded something, handed on with the command."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE status.commands ADD COLUMN traceparent text")


def downgrade() -> None:
    op.execute("ALTER TABLE status.commands DROP COLUMN traceparent")
