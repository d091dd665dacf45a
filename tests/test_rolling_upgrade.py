"""`make rolling-upgrade` in a service detects a migration that breaks the code that is still running."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services import run

REVISION = '''"""test"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("{upgrade}")


def downgrade() -> None:
    op.execute("SELECT 1")
'''


def test_a_migration_that_expands_passes_and_one_that_contracts_is_refused(
    new_service: Callable[..., Path], tools: Path
) -> None:
    service = new_service()
    run(service, tools, "git", "init", "--quiet")
    run(service, tools, "git", "add", "--all")
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    run(service, tools, "git", *identity, "commit", "--quiet", "--message=The code that is running")
    revision = service / "migrations" / "versions" / "0002_test.py"

    revision.write_text(REVISION.format(upgrade="ALTER TABLE items ADD COLUMN colour text"), encoding="utf-8")
    said = run(service, tools, "make", "rolling-upgrade", "FROM=HEAD")
    assert "upgrade to 0002" in said
    assert "The code of HEAD works on the present schema." in said

    revision.write_text(REVISION.format(upgrade="ALTER TABLE items DROP COLUMN description"), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"description(.|\n)*The code of HEAD fails on the present schema"):
        run(service, tools, "make", "rolling-upgrade", "FROM=HEAD")


def test_the_commit_has_to_be_named(service: Path, tools: Path) -> None:
    with pytest.raises(AssertionError, match="make rolling-upgrade FROM=main"):
        run(service, tools, "make", "rolling-upgrade")
