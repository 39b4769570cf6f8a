"""What the console's users have instead of a token: codes for once, and sessions."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE status.console_keys (
        digest     text PRIMARY KEY,
        kind       text NOT NULL CHECK (kind IN ('code', 'session')),
        sealed     bytea NOT NULL,
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX console_keys_to_delete ON status.console_keys (expires_at)",
    "GRANT SELECT, INSERT, DELETE ON status.console_keys TO holdfast_status",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE status.console_keys")
