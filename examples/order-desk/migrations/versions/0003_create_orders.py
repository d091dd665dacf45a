"""create orders"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE orders (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            customer_id bigint NOT NULL REFERENCES customers (id),
            tags text[] NOT NULL CHECK (cardinality(tags) <= 100 AND array_position(tags, NULL) IS NULL),
            metadata jsonb NOT NULL,
            status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'placing', 'placed', 'cancelled')),
            total numeric(20, 2) NOT NULL DEFAULT 0,
            placed_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            version bigint NOT NULL DEFAULT 1
        )
        """
    )
    op.execute("CREATE INDEX orders_customer_id_idx ON orders (customer_id)")
    op.execute("CREATE INDEX orders_status_id_idx ON orders (status, id)")
    op.execute("CREATE INDEX orders_placed_at_id_idx ON orders (placed_at, id)")


def downgrade() -> None:
    op.execute("DROP TABLE orders")
