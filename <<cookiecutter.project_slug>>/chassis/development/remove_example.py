"""`make remove-example`: removes the example resource from a service that has not been deployed yet."""

import re
import shutil
import sys

from chassis.development.formatting import format_files
from chassis.development.resource import routes
from chassis.development.resource.names import Names
from chassis.migrations.revisions import SERVICE
from chassis.project import ROOT

_ITEMS = Names("item")
_FOLDER = ROOT / "app" / _ITEMS.many
_MIGRATION = SERVICE.versions / "0001_create_items.py"
_VALUES = ROOT / "deploy" / "values.yaml"
_README = ROOT / "README.md"


def main() -> None:
    """Remove the items from app, migrations, tests, the chart's values and the README; on an error, change nothing."""
    if not (_FOLDER.is_dir() and _MIGRATION.is_file()):
        sys.exit(f"The example is already removed: no {_FOLDER.relative_to(ROOT)} with {_MIGRATION.relative_to(ROOT)}.")
    try:
        changed = routes.without_routes_of(_ITEMS, routes.FILE.read_text("utf-8"))
    except routes.RoutesError as error:
        sys.exit(f"Nothing was removed. {error}")
    routes.FILE.write_text(changed, "utf-8")
    shutil.rmtree(_FOLDER)
    for file in (ROOT / "tests" / "app" / "test_items.py", _MIGRATION):
        file.unlink(missing_ok=True)
    for file in SERVICE.versions.glob("*.py"):  # the second migration becomes the first
        file.write_text(file.read_text("utf-8").replace('down_revision = "0001"', "down_revision = None"), "utf-8")
    _VALUES.write_text(
        re.sub(r"\n*test:\n  # .*\n  requests:\n(    - .*\n)*", "\n", _VALUES.read_text("utf-8")), "utf-8"
    )
    _README.write_text(re.sub(r"(?m)^curl .*/v1/items.*\n", "", _README.read_text("utf-8")), "utf-8")
    format_files([routes.FILE])
    print("Removed the example. Databases that were migrated before still have its table: use a new database.")
    print("`helm test` now sends its default requests only; add yours to `test.requests` in deploy/values.yaml.")


if __name__ == "__main__":
    main()
