"""${title}"""

from alembic import op

revision = "${revision}"
down_revision = ${f'"{down_revision}"' if down_revision else None}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # A failed run leaves an invalid index behind.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ${name}")
        op.execute(${statement(f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {name} ON {on}", 12)})


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ${name}")
