"""A part of `make lint`: squawk finds migrations that block the service or break old pods during an upgrade."""

import json
import subprocess
import sys
from os.path import relpath
from pathlib import Path

from alembic.script import ScriptDirectory

from chassis.errors import MigrationError
from chassis.migrations.render import alembic_config, render
from chassis.migrations.revisions import HISTORIES, History
from chassis.project import ROOT

_SQUAWK = Path(sys.executable).with_name("squawk")
_HELP = (
    "For safe alternatives see https://squawkhq.com/docs/rules; "
    "to allow a statement see docs/chassis/explanation/migrations.md#linting."
)


def lint(history: History) -> list[str]:
    """Return squawk's findings for the upgrades of a history, each with the file, the rule and the statement.

    Raises:
        MigrationError: a revision has no SQL yet.
    """
    scripts = ScriptDirectory.from_config(alembic_config(history))
    found = []
    for step in render(history):
        # Without the statements for the version table, which Alembic generates.
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
    """Exit with the findings as the message, if there are any."""
    try:
        found = [each for history in HISTORIES for each in lint(history)]
    except MigrationError as error:
        sys.exit(str(error))
    if found:
        sys.exit("\n".join([*found, _HELP]))
    print("No blocking migrations found.")


if __name__ == "__main__":
    main()
