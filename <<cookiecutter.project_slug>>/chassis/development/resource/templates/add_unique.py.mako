"""${title}"""

from alembic import op

revision = "${revision}"
down_revision = ${f'"{down_revision}"' if down_revision else None}


def upgrade() -> None:
    op.execute("ALTER TABLE ${names.many} ADD CONSTRAINT ${name} UNIQUE USING INDEX ${name}")


def downgrade() -> None:
    op.execute("ALTER TABLE ${names.many} DROP CONSTRAINT ${name}")
