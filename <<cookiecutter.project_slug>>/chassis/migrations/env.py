"""Alembic runs this file to turn revisions into SQL, which `chassis.migrate` runs."""

from alembic import context

context.configure(
    dialect_name="postgresql",
    transaction_per_migration=True,
    version_table=context.config.attributes["version_table"],
)
with context.begin_transaction():
    context.run_migrations()
