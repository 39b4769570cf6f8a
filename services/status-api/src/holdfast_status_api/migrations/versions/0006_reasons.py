"""Why operators did what they did, whose a dry run was, and what a deadline came to."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # What was said with the last suspension, resumption, cancellation or termination.
    "ALTER TABLE status.runs ADD COLUMN reason text",
    "ALTER TABLE status.audit ADD COLUMN reason text NOT NULL DEFAULT ''",
    # Of no subject: a token from before is nobody's. They live for ten minutes.
    "ALTER TABLE status.bulk_tokens ADD COLUMN subject text NOT NULL DEFAULT ''",
    # When a run that had its deadline had also ended, or was made to.
    "ALTER TABLE status.requests ADD COLUMN deadline_settled_at timestamptz",
    """
    CREATE INDEX requests_past_their_deadline ON status.requests (deadline_met_at)
        WHERE deadline_met_at IS NOT NULL AND deadline_settled_at IS NULL
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE status.requests DROP COLUMN deadline_settled_at")
    op.execute("ALTER TABLE status.bulk_tokens DROP COLUMN subject")
    op.execute("ALTER TABLE status.audit DROP COLUMN reason")
    op.execute("ALTER TABLE status.runs DROP COLUMN reason")
