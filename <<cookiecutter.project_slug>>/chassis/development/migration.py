"""`make migration NAME="add a column"`: creates an empty migration."""

import sys

from alembic import command

from chassis.migrations.render import alembic_config
from chassis.migrations.revisions import SERVICE, read_revisions


def main() -> None:
    """Create a revision with the next number."""
    name = " ".join(sys.argv[1:]).strip()
    if not name:
        sys.exit('Describe the migration: make migration NAME="add invoices.colour"')
    head = read_revisions(SERVICE.versions).head
    command.revision(alembic_config(SERVICE), message=name, rev_id=f"{int(head or 0) + 1:04}")


if __name__ == "__main__":
    main()
