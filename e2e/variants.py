"""Variants of a baked service, by the tag of their image. Some of them are broken."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.cluster.images import unchanged

NEXT_VERSION = "0.2.0"
"""The version in the OpenAPI document of image 2. Image 1 has the template's version."""


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


VARIANTS: Mapping[str, Callable[[Path], None]] = {
    "1": unchanged,
    "2": _next_version,
    "crashing": _crash,
    "unmigratable": _fail_to_migrate,
}
