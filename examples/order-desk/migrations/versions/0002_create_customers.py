"""create customers"""

from alembic import op

revision = "0002"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE customers (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            email text NOT NULL UNIQUE CHECK (char_length(email) BETWEEN 1 AND 320),
            name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            version bigint NOT NULL DEFAULT 1
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE customers")
