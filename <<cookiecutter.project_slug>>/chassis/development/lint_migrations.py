"""A part of `make lint`: squawk reads the migrations and refuses what stops the service or breaks its old pods."""

import json
import subprocess
import sys
from os.path import relpath
from pathlib import Path

from alembic.script import ScriptDirectory

from chassis.errors import MigrationError
from chassis.migrations.render import alembic_config, render
from chassis.project import ROOT
from chassis.schema import HISTORIES, History

_SQUAWK = Path(sys.executable).with_name("squawk")
_WAY_OUT = (
    "https://squawkhq.com/docs/rules has a safe way for each; README.md, Migrations, how to let a statement pass."
)


def lint(history: History) -> list[str]:
    """What squawk says against the SQL of a history's upgrades: the revision's file, the rule, the statement.

    Raises:
        MigrationError: a revision has no SQL yet.
    """
    scripts = ScriptDirectory.from_config(alembic_config(history))
    found = []
    for step in render(history):
        # Without what Alembic keeps its revision in, which nobody here has written.
        sql = "".join(statement for statement in step.upgrade if history.table not in statement)
        done = subprocess.run(
            [_SQUAWK, "--reporter=json"], cwd=ROOT, input=sql, stdout=subprocess.PIPE, text=True, check=False
        )
        file = relpath(scripts.get_revision(step.revision).path, ROOT)
        for each in json.loads(done.stdout):
            statement = sql.split("\n")[each["line"]].strip()
            found.append(f"{file}: {each['rule_name']}: {statement}\n  {each['message']} {each['help'] or ''}".rstrip())
    return found


def main() -> None:
    """Exits with what was found."""
    try:
        found = [each for history in HISTORIES for each in lint(history)]
    except MigrationError as error:
        sys.exit(str(error))
    if found:
        sys.exit("\n".join([*found, _WAY_OUT]))
    print("The migrations stop nobody.")


if __name__ == "__main__":
    main()
