"""Alembic runs this file for every command; the connection comes from `chassis.migrate`."""

from typing import Any

import structlog
from alembic import context

log = structlog.get_logger()


def log_step(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:  # noqa: ARG001  (Alembic names them)
    """Writes a line for each revision that was applied or taken back."""
    log.info("migrated_up" if step.is_upgrade else "migrated_down", revision=step.up_revision_id)


context.configure(
    connection=context.config.attributes["connection"], transaction_per_migration=True, on_version_apply=log_step
)
with context.begin_transaction():
    context.run_migrations()
