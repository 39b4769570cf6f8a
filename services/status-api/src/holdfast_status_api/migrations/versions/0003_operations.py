"""What operators do with runs: list, rerun, bound, terminate, purge, and many at once."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    ALTER TABLE status.requests
        ADD COLUMN deadline    timestamptz,
        -- When the deadline was enforced, or found to be of no consequence any more.
        ADD COLUMN deadline_met_at timestamptz,
        ADD COLUMN rerun_of    text,
        ADD COLUMN rerun_event bigint,
        ADD COLUMN origin      text NOT NULL DEFAULT 'api' CHECK (origin IN ('api', 'engine'))
    """,
    """
    CREATE INDEX requests_with_a_deadline ON status.requests (deadline)
        WHERE deadline IS NOT NULL AND deadline_met_at IS NULL
    """,
    """
    ALTER TABLE status.runs
        -- When a process asked the engine; none asks while another one does.
        ADD COLUMN asked_at  timestamptz,
        -- When the run's next timer is due, as of its last change.
        ADD COLUMN wakes_at  timestamptz,
        ADD COLUMN purged_at timestamptz
    """,
    "CREATE INDEX runs_listed ON status.runs (accepted_at DESC, instance_id DESC)",
    """
    CREATE INDEX runs_listed_by_workflow
        ON status.runs (workflow, accepted_at DESC, instance_id DESC)
    """,
    """
    CREATE INDEX runs_listed_by_state ON status.runs (state, accepted_at DESC, instance_id DESC)
    """,
    "CREATE INDEX runs_to_purge ON status.runs (finished_at) WHERE terminal AND purged_at IS NULL",
    """
    CREATE TABLE status.commands (
        seq             bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        command_id      text PRIMARY KEY,
        instance_id     text NOT NULL REFERENCES status.requests,
        action          text NOT NULL CHECK (action IN ('terminate', 'purge')),
        accepted_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
        delivered_at    timestamptz,
        attempts        integer NOT NULL DEFAULT 0,
        next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        claimed_by      text,
        last_error      text,
        UNIQUE (instance_id, action)
    )
    """,
    """
    CREATE INDEX commands_to_deliver ON status.commands (next_attempt_at)
        WHERE delivered_at IS NULL
    """,
    """
    CREATE TABLE status.bulk_tokens (
        digest     text PRIMARY KEY,
        action     text NOT NULL,
        filters    text NOT NULL,
        as_of      timestamptz NOT NULL DEFAULT clock_timestamp(),
        expires_at timestamptz NOT NULL,
        used_at    timestamptz
    )
    """,
    "GRANT SELECT, INSERT, UPDATE ON status.commands TO holdfast_status",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON status.bulk_tokens TO holdfast_status",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE status.bulk_tokens, status.commands")
    for index in ("runs_listed", "runs_listed_by_workflow", "runs_listed_by_state"):
        op.execute(f"DROP INDEX status.{index}")
    op.execute(
        "ALTER TABLE status.runs DROP COLUMN asked_at, DROP COLUMN wakes_at, DROP COLUMN purged_at"
    )
    op.execute(
        "ALTER TABLE status.requests DROP COLUMN deadline, DROP COLUMN deadline_met_at,"
        " DROP COLUMN rerun_of, DROP COLUMN rerun_event, DROP COLUMN origin"
    )
