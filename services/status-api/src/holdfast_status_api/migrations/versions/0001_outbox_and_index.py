"""Requests, events and the run index."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE status.requests (
        instance_id     text PRIMARY KEY CHECK (instance_id ~ '^[A-Za-z0-9_-]{1,64}$'),
        workflow        text NOT NULL,
        input           json NOT NULL,
        idempotency_key text UNIQUE,
        payload_hash    text NOT NULL,
        accepted_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
        start_at        timestamptz,
        dispatched_at   timestamptz,
        attempts        integer NOT NULL DEFAULT 0,
        next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        claimed_by      text,
        last_error      text
    )
    """,
    """
    CREATE INDEX requests_to_dispatch ON status.requests (next_attempt_at)
        WHERE dispatched_at IS NULL
    """,
    """
    CREATE TABLE status.runs (
        instance_id   text PRIMARY KEY,
        workflow      text NOT NULL,
        state         text NOT NULL CHECK (state IN (
            'PENDING', 'RUNNING', 'SUSPENDED', 'COMPLETED', 'FAILED', 'TERMINATED', 'CANCELLED')),
        terminal      boolean NOT NULL GENERATED ALWAYS AS (
            state IN ('COMPLETED', 'FAILED', 'TERMINATED', 'CANCELLED')) STORED,
        output        json,
        custom_status json,
        failure       json,
        accepted_at   timestamptz NOT NULL,
        started_at    timestamptz,
        updated_at    timestamptz NOT NULL,
        finished_at   timestamptz,
        observed_at   timestamptz,
        next_look_at  timestamptz NOT NULL DEFAULT clock_timestamp() + interval '1 second'
    )
    """,
    "CREATE INDEX runs_to_look_at ON status.runs (next_look_at) WHERE NOT terminal",
    """
    CREATE TABLE status.events (
        seq             bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        event_id        text PRIMARY KEY,
        instance_id     text NOT NULL REFERENCES status.requests,
        name            text NOT NULL,
        data            jsonb NOT NULL,
        idempotency_key text,
        payload_hash    text NOT NULL,
        accepted_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
        delivered_at    timestamptz,
        expired_at      timestamptz,
        attempts        integer NOT NULL DEFAULT 0,
        next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        claimed_by      text,
        last_error      text,
        UNIQUE (instance_id, idempotency_key)
    )
    """,
    """
    CREATE INDEX events_to_deliver ON status.events (next_attempt_at)
        WHERE delivered_at IS NULL AND expired_at IS NULL
    """,
    "CREATE INDEX events_of_a_run ON status.events (instance_id, seq)",
    "GRANT USAGE ON SCHEMA status TO holdfast_status, holdfast_worker",
    """
    GRANT SELECT, INSERT, UPDATE ON status.requests, status.runs, status.events
        TO holdfast_status
    """,
    "GRANT SELECT ON status.alembic_version TO holdfast_status",
    # The deciding activity looks for an approval that was accepted before the deadline.
    "GRANT SELECT ON status.events TO holdfast_worker",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE status.events, status.runs, status.requests")
