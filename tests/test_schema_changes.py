"""The guides on schema changes, release for release: the code before each works on the schema after it."""

import re
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.guides.pages import blocks, statements
from tests.guides.writing import without
from tests.services import run
from tests.test_how_to import HOW_TO, SCENARIOS, python

__all__ = ["python"]  # a fixture

REVISION = '''"""{name}"""

from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''
SERVICE = '''"""What this service is made of."""

from app.items.backfill import backfill_items
from app.routes import ROUTES
from app.settings import Settings
from chassis.service import Service

SERVICE = Service(settings=Settings, routes=ROUTES, commands=[backfill_items])
'''
BACK = ["DROP TRIGGER copy_description ON items", "DROP FUNCTION copy_description"]
VALIDATE = [
    "ALTER TABLE items VALIDATE CONSTRAINT items_details_check",
    "ALTER TABLE items ALTER COLUMN details SET NOT NULL",
]
CONTRACT = [
    "DROP TRIGGER copy_description ON items",
    "-- squawk-ignore ban-drop-function\n        DROP FUNCTION copy_description",
    "-- squawk-ignore ban-drop-column\n        ALTER TABLE items DROP COLUMN description",
]
# The statements of the second release.
SWITCH = {
    'name, description, price_cents, created_at, updated_at, version"': "name, details AS description, price_cents, "
    'created_at, updated_at, version"',
    "INTO items (name, description,": "INTO items (name, details,",
    "description = $4": "details = $4",
    "SET (name, description, price_cents)": "SET (name, details, price_cents)",
    '"(SELECT name, description, price_cents FROM': "\"(SELECT name, coalesce($3::jsonb ->> 'description', details), "
    'price_cents "\n        "FROM',
}
NO_OTHERS, OTHERS = "OF_OTHER_RELEASES: set[str] = set()", 'OF_OTHER_RELEASES = {"details"}'
NAME, OTHER_NAME = "SELECT column_name,", "SELECT replace(column_name, 'details', 'description') AS column_name,"


def write_revision(service: Path, name: str, upgrade: list[str], downgrade: list[str]) -> None:
    folder = service / "migrations" / "versions"
    number = len(list(folder.glob("*.py"))) + 1
    calls = [
        "\n".join(f'    op.execute(\n        """\n        {each}\n        """\n    )' for each in some)
        for some in (upgrade, downgrade)
    ]
    numbers = {"revision": f"{number:04}", "before": f"{number - 1:04}"}
    text = REVISION.format(name=name, upgrade=calls[0], downgrade=calls[1], **numbers)
    (folder / f"{number:04}_{name}.py").write_text(text, "utf-8")


def replace(path: Path, changes: Mapping[str, str]) -> None:
    text = path.read_text("utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


def test_a_column_is_renamed_and_an_enum_grows_while_old_pods_run(
    new_service: Callable[..., Path], tools: Path, python: str
) -> None:
    service = new_service()
    call = partial(run, service, tools)
    tests = service / "tests" / "app"

    def commit(release: str) -> None:
        call("git", "add", "--all")
        call("git", "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "--quiet", f"--message={release}")
        call("git", "tag", release)

    def check(before: str) -> None:
        """Run tests of this release, the tests of the release before on this schema, and the checks of migrations."""
        call(python, "-m", "pytest", "-q", "--tb=short", "tests/app")
        told = call(python, "-m", "chassis.development.rolling_upgrade", before)
        assert f"The code of {before} works on the present schema." in told
        call(python, "-m", "chassis.development.lint_migrations")

    call("git", "init", "--quiet")
    call(python, "-m", "chassis.development.resource", NAME="order", FIELDS="status:enum(draft,placed)=draft:filter")
    (tests / "test_orders.py").unlink()
    of_items = tests / "test_items.py"
    text = of_items.read_text("utf-8")
    shorter = without(text, set(re.findall(r"def (test_\w+)", text)) - {"test_the_model_has_the_columns_of_the_table"})
    of_items.write_text(shorter, "utf-8")
    shutil.copy2(SCENARIOS / "releases.py", tests / "test_releases.py")
    commit("before")

    # One release makes the enum larger, and adds the column.
    page = (HOW_TO / "grow-an-enum.md").read_text("utf-8")
    for number, statement in enumerate(statements(page)):
        write_revision(service, f"enum_{number}", [statement], ["SELECT 1"])
    [(file, literal)] = blocks(page)
    replace(service / file, {'OrderStatus = Literal["draft", "placed"]\n': literal})
    page = (HOW_TO / "rename-a-column.md").read_text("utf-8")
    *expand, check_all = statements(page)
    write_revision(service, "expand", expand, [*BACK, "ALTER TABLE items DROP COLUMN details"])
    [(file, backfill)] = blocks(page)
    imports = "from chassis.database import Database\n\n\n"
    (service / file.partition(";")[0]).write_text(f'"""Copies a column."""\n\n{imports}{backfill}', "utf-8")
    (service / "app" / "service.py").write_text(SERVICE, "utf-8")
    replace(of_items, {NO_OTHERS: OTHERS})
    shutil.copy2(SCENARIOS / "renames.py", tests / "test_renames.py")
    check("before")
    (tests / "test_renames.py").unlink()  # of this release alone
    commit("expand")

    # The next one reads and writes the new column.
    assert "SELECT id, name, details AS description" in page
    assert "coalesce($3::jsonb ->> 'description', details)" in page
    replace(service / "app" / "items" / "queries.py", SWITCH)
    write_revision(service, "switch", [check_all], ["SELECT 1"])
    write_revision(service, "validate", VALIDATE, ["SELECT 1"])
    check("expand")
    commit("switch")

    # The last one takes the old column away.
    assert OTHER_NAME.removeprefix("SELECT ").removesuffix(",") in page
    replace(of_items, {OTHERS: NO_OTHERS, NAME: OTHER_NAME})
    write_revision(service, "contract", CONTRACT, ["SELECT 1"])
    check("switch")
