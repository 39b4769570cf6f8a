"""Lifecycle events of runs, who is told of them, and how far each delivery came."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE status.webhooks (
        webhook_id text PRIMARY KEY,
        url        text NOT NULL,
        types      text[] NOT NULL,
        -- In clear: it signs, so a digest would not do.
        secret     text NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    """
    CREATE TABLE status.lifecycle (
        seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        event_id    text PRIMARY KEY,
        instance_id text NOT NULL,
        type        text NOT NULL,
        data        jsonb NOT NULL,
        occurred_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "CREATE INDEX lifecycle_to_forget ON status.lifecycle (recorded_at)",
    # No foreign key to the webhook: that one goes at this moment must not undo a run's change.
    """
    CREATE TABLE status.deliveries (
        webhook_id      text NOT NULL,
        event_id        text NOT NULL REFERENCES status.lifecycle,
        instance_id     text NOT NULL,
        seq             bigint NOT NULL,
        created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
        delivered_at    timestamptz,
        dead_at         timestamptz,
        attempts        integer NOT NULL DEFAULT 0,
        next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        claimed_by      text,
        last_error      text,
        PRIMARY KEY (webhook_id, event_id)
    )
    """,
    """
    CREATE INDEX deliveries_to_make ON status.deliveries (webhook_id, next_attempt_at)
        WHERE delivered_at IS NULL AND dead_at IS NULL
    """,
    """
    CREATE INDEX deliveries_in_order ON status.deliveries (webhook_id, instance_id, seq)
        WHERE delivered_at IS NULL AND dead_at IS NULL
    """,
    """
    CREATE INDEX deliveries_dead ON status.deliveries (webhook_id, seq) WHERE dead_at IS NOT NULL
    """,
    "CREATE INDEX deliveries_of_an_event ON status.deliveries (event_id)",
    # One row for a run and a transition, whoever notes it and how often.
    """
    CREATE FUNCTION status.note_transition(
        run status.runs, what text, at timestamptz, detail jsonb, id_suffix text
    ) RETURNS void LANGUAGE sql AS $$
        WITH noted AS (
            INSERT INTO status.lifecycle (event_id, instance_id, type, data, occurred_at)
            VALUES (
                run.instance_id || '.' || what || id_suffix,
                run.instance_id,
                'dev.holdfast.run.' || what,
                jsonb_build_object(
                    'instance_id', run.instance_id,
                    'workflow', run.workflow,
                    'state', run.state,
                    'accepted_at', run.accepted_at,
                    'started_at', run.started_at,
                    'finished_at', run.finished_at
                ) || detail,
                at
            )
            ON CONFLICT DO NOTHING
            RETURNING event_id, instance_id, seq, type
        )
        INSERT INTO status.deliveries (webhook_id, event_id, instance_id, seq)
        SELECT w.webhook_id, n.event_id, n.instance_id, n.seq
        FROM noted n JOIN status.webhooks w ON n.type = ANY (w.types)
    $$
    """,
    # A trigger and not the callers: no change of the index can forget it, and none doubles it.
    """
    CREATE FUNCTION status.note_lifecycle() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        waits_for text := substring(NEW.custom_status #>> '{}' FROM '^waiting for (.+)$');
    BEGIN
        IF NEW.state <> 'PENDING' AND NEW.started_at IS NOT NULL THEN
            PERFORM status.note_transition(NEW, 'started', NEW.started_at, '{}', '');
        END IF;
        IF NEW.state = 'RUNNING' AND waits_for IS NOT NULL THEN
            PERFORM status.note_transition(
                NEW, 'waiting', NEW.updated_at,
                jsonb_build_object('event', waits_for), '.' || waits_for
            );
        END IF;
        IF NEW.state IN ('COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED') THEN
            PERFORM status.note_transition(
                NEW, lower(NEW.state), coalesce(NEW.finished_at, NEW.updated_at),
                CASE WHEN NEW.failure IS NULL THEN '{}'::jsonb
                     ELSE jsonb_build_object('failure', NEW.failure) END,
                ''
            );
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER lifecycle_of_a_new_run AFTER INSERT ON status.runs
        FOR EACH ROW WHEN (NEW.state <> 'PENDING') EXECUTE FUNCTION status.note_lifecycle()
    """,
    # A run that has ended never changes, but what is kept of it may.
    """
    CREATE TRIGGER lifecycle_of_a_run AFTER UPDATE OF state, custom_status ON status.runs
        FOR EACH ROW WHEN (
            OLD.state NOT IN ('COMPLETED', 'FAILED', 'CANCELLED', 'TERMINATED')
            AND (OLD.state, OLD.custom_status::text)
                IS DISTINCT FROM (NEW.state, NEW.custom_status::text)
        ) EXECUTE FUNCTION status.note_lifecycle()
    """,
    # The W3C trace context of whoever asked, handed on with what was accepted.
    "ALTER TABLE status.requests ADD COLUMN traceparent text",
    "ALTER TABLE status.events ADD COLUMN traceparent text",
    "GRANT SELECT, INSERT, DELETE ON status.webhooks TO holdfast_status",
    "GRANT SELECT, INSERT, DELETE ON status.lifecycle TO holdfast_status",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON status.deliveries TO holdfast_status",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER lifecycle_of_a_run ON status.runs")
    op.execute("DROP TRIGGER lifecycle_of_a_new_run ON status.runs")
    op.execute("DROP FUNCTION status.note_lifecycle()")
    op.execute("DROP FUNCTION status.note_transition(status.runs, text, timestamptz, jsonb, text)")
    op.execute("DROP TABLE status.deliveries, status.lifecycle, status.webhooks")
    op.execute("ALTER TABLE status.requests DROP COLUMN traceparent")
    op.execute("ALTER TABLE status.events DROP COLUMN traceparent")
