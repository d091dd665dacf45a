"""create attachments"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE attachments (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            order_id bigint NOT NULL REFERENCES orders (id),
            name text NOT NULL,
            content bytea NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX attachments_order_id_id_idx ON attachments (order_id, id)")


def downgrade() -> None:
    op.execute("DROP TABLE attachments")
