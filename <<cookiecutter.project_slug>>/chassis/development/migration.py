"""`make migration NAME="add a column"`: writes the next, empty migration."""

import sys

from alembic import command

from chassis.migrations.render import alembic_config
from chassis.schema import SERVICE, read_revisions


def main() -> None:
    """Names the new revision by the number that follows the newest one's."""
    name = " ".join(sys.argv[1:]).strip()
    if not name:
        sys.exit('Say what the migration does: make migration NAME="add invoices.colour"')
    head = read_revisions(SERVICE.versions).head
    command.revision(alembic_config(SERVICE), message=name, rev_id=f"{int(head or 0) + 1:04}")


if __name__ == "__main__":
    main()
