"""Turns the revisions into SQL, with Alembic: in development, and once more when the image is built.

The image holds the SQL; Alembic, which is larger than all that serves, stays out of it.
"""

import json
import sys
from typing import TextIO, cast

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from chassis.errors import MigrationError
from chassis.project import ROOT
from chassis.schema import HISTORIES, RENDERED, History, Step

_COMMENT = "-- Running "  # how Alembic begins each revision


def render(history: History) -> list[Step]:
    """The SQL of a history's revisions, the oldest first; BEGIN and COMMIT are in it.

    Raises:
        MigrationError: a revision has no SQL yet.
    """
    steps = []
    parent = "base"
    for script in reversed([*ScriptDirectory.from_config(alembic_config(history)).walk_revisions()]):
        upgrade, downgrade = _Statements(), _Statements()
        command.upgrade(alembic_config(history, upgrade), f"{parent}:{script.revision}", sql=True)
        command.downgrade(alembic_config(history, downgrade), f"{script.revision}:{parent}", sql=True)
        if not all([*map(_says_something, [*upgrade, *downgrade])]):
            raise MigrationError(f"The migration {script.revision} has no SQL yet: write it, for both directions.")
        if parent == "base":  # where Alembic makes the version table, which may be there, and empty
            upgrade.insert(1, f"DROP TABLE IF EXISTS {history.table};\n\n")  # after BEGIN
        steps.append(Step(script.revision, script.doc, [*upgrade], [*downgrade]))
        parent = script.revision
    return steps


def alembic_config(history: History, output: "_Statements | None" = None) -> Config:
    """Alembic's configuration: where the migrations are. There is no alembic.ini to keep in step."""
    config = Config(output_buffer=cast(TextIO, output), attributes={"version_table": history.table})
    config.set_main_option("path_separator", "newline")
    config.set_main_option("script_location", str(ROOT / "chassis" / "migrations").replace("%", "%%"))
    config.set_main_option("version_locations", str(history.versions).replace("%", "%%"))
    return config


class _Statements(list[str]):
    """Takes the place of the file that Alembic writes to: one statement a call."""

    def write(self, text: str) -> None:
        if not text.startswith(_COMMENT):
            self.append(text)

    def flush(self) -> None:
        """Nothing is kept back."""


def _says_something(statement: str) -> bool:
    return bool(statement.strip(" ;\n"))


def main() -> None:
    """Writes the SQL of all revisions for the image."""
    try:
        rendered = {history.table: render(history) for history in HISTORIES}
    except MigrationError as error:
        sys.exit(str(error))
    RENDERED.write_text(json.dumps(rendered), encoding="utf-8")


if __name__ == "__main__":
    main()
