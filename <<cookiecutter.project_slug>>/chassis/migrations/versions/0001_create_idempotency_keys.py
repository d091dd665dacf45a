"""create idempotency_keys"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE idempotency_keys (
            id bytea PRIMARY KEY,
            fingerprint bytea NOT NULL,
            -- squawk-ignore prefer-bigint-over-smallint
            status smallint NOT NULL,
            headers text NOT NULL,
            body bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at)")


def downgrade() -> None:
    op.execute("DROP TABLE idempotency_keys")
