"""create background_leases"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE background_leases (
            name text PRIMARY KEY,
            holder text NOT NULL,
            expires_at timestamptz NOT NULL,
            last_run_at timestamptz
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE background_leases")
