"""create items"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE items (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
            description text NOT NULL CHECK (char_length(description) <= 2000),
            price_cents bigint NOT NULL CHECK (price_cents >= 0),
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            version bigint NOT NULL DEFAULT 1
        )
        """
    )
    op.execute("CREATE INDEX items_name ON items (name, id)")
    op.execute("CREATE INDEX items_price_cents ON items (price_cents, id)")
    op.execute("CREATE INDEX items_name_price_cents ON items (name, price_cents, id)")


def downgrade() -> None:
    op.execute("DROP TABLE items")
