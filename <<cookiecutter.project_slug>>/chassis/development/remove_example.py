"""`make remove-example`: removes the example resource from a service that has not been deployed yet."""

import re
import shutil
import sys
from collections.abc import Iterator

from chassis.development.formatting import format_files
from chassis.development.resource import routes
from chassis.development.resource.names import Names
from chassis.migrations.revisions import SERVICE
from chassis.project import ROOT

_ITEMS = Names("item")
_FOLDER = ROOT / "app" / _ITEMS.many
_MIGRATION = SERVICE.versions / "0001_create_items.py"
_TESTS = ROOT / "tests" / "app" / "test_items.py"
_VALUES = ROOT / "deploy" / "values.yaml"
_README = ROOT / "README.md"
_MODULES = re.compile(r"\bapp\.items\b|\btest_items\b|\bfrom app import items\b")
_TABLE = re.compile(r"\b(?:REFERENCES|TABLE|ON|INTO|UPDATE|FROM|JOIN)\s+items\b", re.IGNORECASE)


def main() -> None:
    """Remove the items from app, migrations, tests, the chart's values and the README; on an error, change nothing."""
    if not (_FOLDER.is_dir() and _MIGRATION.is_file()):
        sys.exit(f"The example is already removed: no {_FOLDER.relative_to(ROOT)} with {_MIGRATION.relative_to(ROOT)}.")
    try:
        changed = routes.without_routes_of(_ITEMS, routes.FILE.read_text("utf-8"))
    except routes.RoutesError as error:
        sys.exit(f"Nothing was removed. {error}")
    if needed := [*_needed(changed)]:
        sys.exit("\n".join(["Nothing was removed, because the service needs the items. Please change first:", *needed]))
    routes.FILE.write_text(changed, "utf-8")
    shutil.rmtree(_FOLDER)
    for file in (_TESTS, _MIGRATION):
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


def _needed(routes_after: str) -> Iterator[str]:
    """Yield messages for the files that would not work without the example.

    Args:
        routes_after: the text of app/routes.py without the example's routes.
    """
    for file in sorted([*(ROOT / "app").rglob("*.py"), *(ROOT / "tests" / "app").rglob("*.py")]):
        text = routes_after if file == routes.FILE else file.read_text("utf-8")
        if _FOLDER not in file.parents and file != _TESTS and _MODULES.search(text):
            yield f"  {file.relative_to(ROOT)} imports them"
    for file in sorted(SERVICE.versions.glob("*.py")):
        if file != _MIGRATION and _TABLE.search(file.read_text("utf-8")):
            yield f"  {file.relative_to(ROOT)} needs the table items"


if __name__ == "__main__":
    main()
