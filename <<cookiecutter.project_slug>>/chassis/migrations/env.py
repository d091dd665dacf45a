"""Alembic runs this file to turn revisions into SQL, which `chassis.migrate` runs."""

from alembic import context

context.configure(
    dialect_name="postgresql",
    dialect_opts={"paramstyle": "named"},  # the default doubles every % in the SQL
    transaction_per_migration=True,
    version_table=context.config.attributes["version_table"],
)
with context.begin_transaction():
    context.run_migrations()
