"""Which worker processes are there, so that it can be said that none is.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WORKERS = """
CREATE TABLE work.workers (
    pod text PRIMARY KEY,
    connected boolean NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE work.workers IS
    'What each worker process said of itself last: whether activities can reach it.';
GRANT SELECT, INSERT, UPDATE, DELETE ON work.workers TO holdfast_worker;
CREATE VIEW ledger.workers AS SELECT * FROM work.workers;
GRANT SELECT ON ledger.workers TO holdfast_status;
"""


def upgrade() -> None:
    op.execute(WORKERS)


def downgrade() -> None:
    op.execute("DROP VIEW ledger.workers")
    op.execute("DROP TABLE work.workers")
