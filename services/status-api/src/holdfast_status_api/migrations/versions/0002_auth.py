"""Who requested a run, and the audit log of every mutation."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # No value: from before there were callers with names, or not started through the API.
    "ALTER TABLE status.requests ADD COLUMN requested_by text",
    """
    CREATE TABLE status.audit (
        seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at      timestamptz NOT NULL DEFAULT clock_timestamp(),
        subject text NOT NULL,
        role    text NOT NULL,
        action  text NOT NULL,
        target  text NOT NULL,
        status  integer NOT NULL,
        address text NOT NULL
    )
    """,
    # Neither UPDATE nor DELETE: the service cannot take back what it wrote.
    "GRANT SELECT, INSERT ON status.audit TO holdfast_status",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE status.audit")
    op.execute("ALTER TABLE status.requests DROP COLUMN requested_by")
