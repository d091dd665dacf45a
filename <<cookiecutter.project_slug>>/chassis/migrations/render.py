"""Renders the revisions as SQL with Alembic, in development and at image build. The image has the SQL, not Alembic."""

import json
import sys
from os.path import relpath
from typing import TextIO, cast

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from chassis.errors import MigrationError
from chassis.migrations.revisions import HISTORIES, RENDERED, History, Step
from chassis.project import ROOT

_COMMENT = "-- Running "  # Alembic writes this before each revision


def render(history: History) -> list[Step]:
    """Return the SQL of a history's revisions, oldest first, with BEGIN and COMMIT.

    Raises:
        MigrationError: a revision has no SQL yet, or lacks a function.
    """
    steps = []
    parent = "base"
    for script in reversed([*ScriptDirectory.from_config(alembic_config(history)).walk_revisions()]):
        for function in ("upgrade", "downgrade"):
            if not hasattr(script.module, function):
                raise MigrationError(
                    f"The migration {script.revision} has no function {function}: write `def {function}() -> None:` in "
                    f"{relpath(script.path, ROOT)}, with the SQL of that direction, or `pass` if there is none."
                )
        upgrade, downgrade = _Statements(), _Statements()
        command.upgrade(alembic_config(history, upgrade), f"{parent}:{script.revision}", sql=True)
        command.downgrade(alembic_config(history, downgrade), f"{script.revision}:{parent}", sql=True)
        if not all([*map(_has_sql, [*upgrade, *downgrade])]):
            raise MigrationError(f"The migration {script.revision} has no SQL yet: write it, for both directions.")
        if parent == "base":  # Alembic creates the version table here, but an empty one may exist
            upgrade.insert(1, f"DROP TABLE IF EXISTS {history.table};\n\n")  # after BEGIN
        steps.append(Step(script.revision, script.doc, [*upgrade], [*downgrade]))
        parent = script.revision
    return steps


def alembic_config(history: History, output: "_Statements | None" = None) -> Config:
    """Return Alembic's configuration; there is no alembic.ini."""
    config = Config(output_buffer=cast(TextIO, output), attributes={"version_table": history.table})
    config.set_main_option("path_separator", "newline")
    config.set_main_option("script_location", str(ROOT / "chassis" / "migrations").replace("%", "%%"))
    config.set_main_option("version_locations", str(history.versions).replace("%", "%%"))
    return config


class _Statements(list[str]):
    """The output file of Alembic, which writes one statement per call."""

    def write(self, text: str) -> None:
        if not text.startswith(_COMMENT):
            self.append(text)

    def flush(self) -> None:
        """Do nothing: there is no buffer."""


def _has_sql(statement: str) -> bool:
    return bool(statement.strip(" ;\n"))


def main() -> None:
    """Write the SQL of all revisions to the file that the image contains."""
    try:
        rendered = {history.table: render(history) for history in HISTORIES}
    except MigrationError as error:
        sys.exit(str(error))
    RENDERED.write_text(json.dumps(rendered), encoding="utf-8")


if __name__ == "__main__":
    main()
