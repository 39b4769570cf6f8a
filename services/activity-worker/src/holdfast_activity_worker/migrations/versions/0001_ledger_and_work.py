"""Make the ledger, the tables that activities work on, and the grants.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LEDGER = """
CREATE TABLE work.effects (
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    key text PRIMARY KEY,
    instance text NOT NULL,
    runner text NOT NULL,
    epoch integer NOT NULL,
    step text NOT NULL,
    idx integer NOT NULL,
    kind text NOT NULL DEFAULT 'effect' CHECK (kind IN ('effect', 'cancelled')),
    payload_hash text NOT NULL,
    result jsonb,
    attempt_id bigint,
    pod text NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE work.effects IS
    'One row for each effect, committed with it. kind cancelled: the step may not happen any more.';
CREATE INDEX effects_instance ON work.effects (instance, seq);

CREATE TABLE work.attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    instance text NOT NULL,
    runner text NOT NULL,
    step text NOT NULL,
    pod text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX attempts_instance ON work.attempts (instance, id);

CREATE TABLE work.outcomes (
    attempt_id bigint PRIMARY KEY,
    outcome text NOT NULL CHECK (outcome IN ('committed', 'repeated', 'failed', 'refused')),
    error_type text,
    error text,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE work.outcomes IS 'An attempt without an outcome was interrupted, or still runs.';

CREATE TABLE work.divergences (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    stored_hash text NOT NULL,
    offered_hash text NOT NULL,
    offered jsonb NOT NULL,
    pod text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE work.closed_runs (
    instance text PRIMARY KEY,
    key text NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE work.consumed_events (
    event_id text PRIMARY KEY,
    instance text NOT NULL,
    key text NOT NULL,
    consumed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX consumed_events_instance ON work.consumed_events (instance);

CREATE TABLE work.decisions (
    instance text PRIMARY KEY,
    verdict text NOT NULL,
    by text NOT NULL,
    comment text NOT NULL,
    event_id text,
    key text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

WORK = """
CREATE TABLE work.chain_errors (
    key text PRIMARY KEY,
    instance text NOT NULL,
    error text NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE work.batches (
    batch_id text PRIMARY KEY,
    legs integer NOT NULL CHECK (legs > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE work.batch_legs (
    batch_id text NOT NULL REFERENCES work.batches,
    idx integer NOT NULL,
    origin text NOT NULL,
    destination text NOT NULL,
    distance_km double precision,
    PRIMARY KEY (batch_id, idx)
);
CREATE TABLE work.batch_results (
    batch_id text NOT NULL REFERENCES work.batches,
    instance text NOT NULL,
    count integer NOT NULL,
    total_km double precision NOT NULL,
    PRIMARY KEY (batch_id, instance)
);
CREATE TABLE work.sample_legs (
    idx integer PRIMARY KEY,
    origin text NOT NULL,
    destination text NOT NULL
);

CREATE TABLE work.inventory (
    kind text NOT NULL CHECK (kind IN ('flight', 'hotel', 'car')),
    item text NOT NULL,
    capacity integer NOT NULL,
    available integer NOT NULL,
    PRIMARY KEY (kind, item),
    CHECK (available BETWEEN 0 AND capacity)
);
CREATE TABLE work.bookings (
    booking_id text PRIMARY KEY,
    kind text NOT NULL,
    item text NOT NULL,
    instance text NOT NULL,
    traveller text NOT NULL,
    state text NOT NULL DEFAULT 'booked' CHECK (state IN ('booked', 'cancelled')),
    booked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cancelled_at timestamptz,
    FOREIGN KEY (kind, item) REFERENCES work.inventory
);

CREATE TABLE work.orders (
    instance text PRIMARY KEY,
    verdict text NOT NULL,
    by text NOT NULL,
    amount double precision NOT NULL,
    body jsonb NOT NULL,
    key text NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE work.notifications (
    id text PRIMARY KEY,
    instance text NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text
);
CREATE INDEX notifications_due ON work.notifications (next_attempt_at) WHERE delivered_at IS NULL;
"""

VIEWS = """
CREATE VIEW ledger.effects AS SELECT * FROM work.effects;
CREATE VIEW ledger.attempts AS
    SELECT a.id, a.key, a.instance, a.runner, a.step, a.pod, a.started_at,
           o.outcome, o.error_type, o.error, o.finished_at
    FROM work.attempts a LEFT JOIN work.outcomes o ON o.attempt_id = a.id;
CREATE VIEW ledger.decisions AS SELECT * FROM work.decisions;
CREATE VIEW ledger.closed_runs AS SELECT * FROM work.closed_runs;
CREATE VIEW ledger.consumed_events AS SELECT * FROM work.consumed_events;
"""

# The ledger is insert-only for the service that writes it. A row lock would need UPDATE, too:
# that is why attempts take turns by advisory locks.
GRANTS = """
GRANT USAGE ON SCHEMA work TO holdfast_worker, holdfast_status;
GRANT SELECT, INSERT ON
    work.effects, work.attempts, work.outcomes, work.divergences, work.closed_runs,
    work.consumed_events, work.decisions,
    work.chain_errors, work.batches, work.batch_legs, work.batch_results, work.orders,
    work.bookings, work.notifications
    TO holdfast_worker;
GRANT SELECT ON work.sample_legs, work.inventory TO holdfast_worker;
GRANT UPDATE (distance_km) ON work.batch_legs TO holdfast_worker;
GRANT UPDATE (available) ON work.inventory TO holdfast_worker;
GRANT UPDATE (state, cancelled_at) ON work.bookings TO holdfast_worker;
GRANT UPDATE (delivered_at, attempts, next_attempt_at, last_error)
    ON work.notifications TO holdfast_worker;
GRANT SELECT ON work.alembic_version TO holdfast_worker;

GRANT SELECT, INSERT ON work.batches, work.batch_legs TO holdfast_status;
GRANT USAGE ON SCHEMA ledger TO holdfast_status;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO holdfast_status;
"""


def upgrade() -> None:
    for script in (LEDGER, WORK, VIEWS, GRANTS):
        op.execute(script)


def downgrade() -> None:
    for view in ("effects", "attempts", "decisions", "closed_runs", "consumed_events"):
        op.execute(f"DROP VIEW ledger.{view}")
    for table in (
        *("notifications", "orders", "bookings", "inventory", "sample_legs", "batch_results"),
        *("batch_legs", "batches", "chain_errors", "decisions", "consumed_events"),
        *("closed_runs", "divergences", "outcomes", "attempts", "effects"),
    ):
        op.execute(f"DROP TABLE work.{table}")
