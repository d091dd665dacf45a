"""`make remove-example`: takes the items out of a service that has not been deployed yet."""

import re
import shutil
import sys

from chassis.development.formatting import format_files
from chassis.development.resource import routes
from chassis.development.resource.names import Names
from chassis.project import ROOT
from chassis.schema import SERVICE

_ITEMS = Names("item")
_FOLDER = ROOT / "app" / _ITEMS.many
_MIGRATION = SERVICE.versions / "0001_create_items.py"
_VALUES = ROOT / "deploy" / "values.yaml"
_README = ROOT / "README.md"


def main() -> None:
    """Removes them from app, migrations, tests, the chart's values and the README; or nothing, and says why."""
    if not (_FOLDER.is_dir() and _MIGRATION.is_file()):
        sys.exit(f"The example is gone already: it is {_FOLDER.relative_to(ROOT)} with {_MIGRATION.relative_to(ROOT)}.")
    try:
        changed = routes.without_routes_of(_ITEMS, routes.FILE.read_text("utf-8"))
    except routes.RoutesError as error:
        sys.exit(f"Nothing was removed. {error}")
    routes.FILE.write_text(changed, "utf-8")
    shutil.rmtree(_FOLDER)
    for file in (ROOT / "tests" / "app" / "test_items.py", _MIGRATION):
        file.unlink(missing_ok=True)
    for file in SERVICE.versions.glob("*.py"):  # the next one is the first one now
        file.write_text(file.read_text("utf-8").replace('down_revision = "0001"', "down_revision = None"), "utf-8")
    _VALUES.write_text(
        re.sub(r"\n*test:\n  # .*\n  requests:\n(    - .*\n)*", "\n", _VALUES.read_text("utf-8")), "utf-8"
    )
    _README.write_text(re.sub(r"(?m)^curl .*/v1/items.*\n", "", _README.read_text("utf-8")), "utf-8")
    format_files([routes.FILE])
    print("The example is gone. A database that was migrated before still has it: begin with a new one.")
    print(
        "`helm test` sends its own two requests now; those of a resource go into `test.requests` in deploy/values.yaml."
    )


if __name__ == "__main__":
    main()
