"""create lines"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE lines (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            order_id bigint NOT NULL REFERENCES orders (id),
            sku text NOT NULL CHECK (char_length(sku) BETWEEN 1 AND 40),
            quantity bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
            price numeric(12, 2) NOT NULL CHECK (price >= 0),
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            version bigint NOT NULL DEFAULT 1
        )
        """
    )
    op.execute("CREATE INDEX lines_order_id_id_idx ON lines (order_id, id)")


def downgrade() -> None:
    op.execute("DROP TABLE lines")
