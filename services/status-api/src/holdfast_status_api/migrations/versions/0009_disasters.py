"""What a repair needs: a word that the scheduler keeps, and a command that can come again."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE status.scheduler_memory (
        single      boolean PRIMARY KEY DEFAULT true CHECK (single),
        number      bigint NOT NULL,
        word        text NOT NULL,
        -- What the scheduler had before; it may not have heard the new word.
        word_before text,
        told_at     timestamptz,
        forgot_at   timestamptz,
        loss        text CHECK (loss IN ('scheduler_lost', 'scheduler_older', 'database_older'))
    )
    """,
    "GRANT SELECT, INSERT, UPDATE ON status.scheduler_memory TO holdfast_status",
    "ALTER TABLE status.commands DROP CONSTRAINT commands_action_check",
    """
    ALTER TABLE status.commands ADD CONSTRAINT commands_action_check
        CHECK (action IN ('terminate', 'purge', 'repair'))
    """,
    # A run ends once, and is forgotten once; it may be repaired as often as it has to be.
    "ALTER TABLE status.commands DROP CONSTRAINT commands_instance_id_action_key",
    """
    CREATE UNIQUE INDEX commands_once ON status.commands (instance_id, action)
        WHERE action <> 'repair' OR delivered_at IS NULL
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DELETE FROM status.commands WHERE action = 'repair'")
    op.execute("DROP INDEX status.commands_once")
    op.execute(
        "ALTER TABLE status.commands ADD CONSTRAINT commands_instance_id_action_key"
        " UNIQUE (instance_id, action)"
    )
    op.execute("ALTER TABLE status.commands DROP CONSTRAINT commands_action_check")
    op.execute(
        "ALTER TABLE status.commands ADD CONSTRAINT commands_action_check"
        " CHECK (action IN ('terminate', 'purge'))"
    )
    op.execute("DROP TABLE status.scheduler_memory")
