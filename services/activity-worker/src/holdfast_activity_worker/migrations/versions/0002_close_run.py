"""Let the status API close a run that an operator terminates.

The ledger stays the worker's: the API's role gets one function that closes a run, and no table.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The name of the lock is that of holdfast_contracts.agreements.run_lock: effects of the run, and
# of its children, hold it shared until they are committed. So whoever gets it alone knows that
# none is under way, and whoever comes later sees the row.
CLOSE_RUN = """
CREATE FUNCTION work.close_run(run text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own text := run || '|0|terminate|0';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('run:' || run, 0));
    INSERT INTO work.closed_runs (instance, key) VALUES (run, own) ON CONFLICT DO NOTHING;
    RETURN EXISTS (SELECT FROM work.closed_runs c WHERE c.instance = run AND c.key = own);
END
$$;
COMMENT ON FUNCTION work.close_run(text) IS
    'Close a run that is terminated; false if it had ended by itself before.';
REVOKE ALL ON FUNCTION work.close_run(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION work.close_run(text) TO holdfast_status;
"""


def upgrade() -> None:
    op.execute(CLOSE_RUN)


def downgrade() -> None:
    op.execute("DROP FUNCTION work.close_run(text)")
