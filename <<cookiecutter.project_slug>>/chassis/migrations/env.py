"""Alembic's environment: renders revisions as SQL, which `chassis.migrations.run` executes."""

from alembic import context

context.configure(
    dialect_name="postgresql",
    dialect_opts={"paramstyle": "named"},  # the default doubles every % in the SQL
    transaction_per_migration=True,
    version_table=context.config.attributes["version_table"],
)
with context.begin_transaction():
    context.run_migrations()
