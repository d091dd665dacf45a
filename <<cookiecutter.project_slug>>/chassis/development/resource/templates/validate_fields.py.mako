"""${title}"""

from alembic import op

revision = "${revision}"
down_revision = ${f'"{down_revision}"' if down_revision else None}


def upgrade() -> None:
% for field in added:
% for constraint, _ in field.later_constraints(names.many):
    op.execute("ALTER TABLE ${names.many} VALIDATE CONSTRAINT ${constraint}")
% endfor
% endfor


def downgrade() -> None:
    pass  # the revision before removes the columns
