"""${title}"""

from alembic import op

revision = "${revision}"
down_revision = ${f'"{down_revision}"' if down_revision else None}


def upgrade() -> None:
% for field in added:
    op.execute(${statement(f"ALTER TABLE {names.many} ADD COLUMN {field.column}")})
% for constraint, definition in field.later_constraints(names.many):
    op.execute(${statement(f"ALTER TABLE {names.many} ADD CONSTRAINT {constraint} {definition} NOT VALID")})
% endfor
% endfor


def downgrade() -> None:
% for field in reversed(added):
    op.execute("ALTER TABLE ${names.many} DROP COLUMN ${field.name}")
% endfor
