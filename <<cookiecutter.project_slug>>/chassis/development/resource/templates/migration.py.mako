"""create ${names.several}"""

from alembic import op

revision = "${revision}"
down_revision = ${f'"{down_revision}"' if down_revision else None}


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE ${names.many} (
% if resource.key == "uuid":
            id uuid PRIMARY KEY,
% else:
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
% endif
% if resource.parent:
            ${resource.parent_id} ${resource.parent.key} NOT NULL REFERENCES ${resource.parent.names.many} (id),
% endif
% for field in fields:
            ${column(field)},
% endfor
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            version bigint NOT NULL DEFAULT 1
        )
        """
    )
% for index in resource.indexes:
    op.execute("CREATE ${index.kind} ${index.name} ON ${index.on}")
% endfor


def downgrade() -> None:
    op.execute("DROP TABLE ${names.many}")
