"""Resume certificates of the chaos suite, for the console to show: the newest few."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE status.certificates (
        seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        -- Of what it says: the same one handed in again is the same one.
        certificate_id text NOT NULL UNIQUE,
        verdict        text NOT NULL CHECK (verdict IN ('pass', 'fail')),
        seed           bigint NOT NULL,
        target         text NOT NULL,
        started_at     timestamptz NOT NULL,
        finished_at    timestamptz NOT NULL,
        faults         integer NOT NULL,
        runs           integer NOT NULL,
        document       text NOT NULL,
        page           text NOT NULL,
        stored_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
        stored_by      text NOT NULL
    )
    """,
    # No UPDATE: a certificate is kept as it was handed in, or it goes.
    "GRANT SELECT, INSERT, DELETE ON status.certificates TO holdfast_status",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE status.certificates")
