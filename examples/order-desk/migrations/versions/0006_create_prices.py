"""create prices"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("CREATE TABLE prices (sku text PRIMARY KEY, price numeric(12, 2) NOT NULL)")


def downgrade() -> None:
    op.execute("DROP TABLE prices")
