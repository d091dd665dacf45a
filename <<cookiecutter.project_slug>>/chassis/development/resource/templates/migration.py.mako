"""create ${names.several}"""

from alembic import op

revision = "${revision}"
down_revision = ${f'"{down_revision}"' if down_revision else None}


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE ${names.many} (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
% for field in fields:
            ${field.name} ${field.type.column.format(name=field.name)},
% endfor
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            version bigint NOT NULL DEFAULT 1
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE ${names.many}")
