"""create order_events"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE order_events (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            order_id bigint NOT NULL REFERENCES orders (id),
            status text NOT NULL,
            attempts bigint NOT NULL DEFAULT 0,
            due_at timestamptz DEFAULT now()
        )
        """
    )
    op.execute("CREATE INDEX order_events_order_id_idx ON order_events (order_id)")
    op.execute("CREATE INDEX order_events_due_at_idx ON order_events (due_at) WHERE due_at IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP TABLE order_events")
