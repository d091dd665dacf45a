"""create idempotency_claims"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Unlogged: a claim is written without waiting for the disk. A crash of PostgreSQL removes all claims, and a request
    # whose claim is gone does nothing.
    op.execute(
        """
        CREATE UNLOGGED TABLE idempotency_claims (
            id bytea PRIMARY KEY,
            owner bytea NOT NULL,
            expires_at timestamptz NOT NULL
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE idempotency_claims")
