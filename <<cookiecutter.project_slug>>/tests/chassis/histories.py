"""Histories of migrations for tests."""

from pathlib import Path

from chassis.migrations.revisions import History


def write_history(folder: Path, *upgrades: str) -> History:
    """A history in a folder, with a revision for each of these texts: what its `upgrade` does, in Python."""
    for number, upgrade in enumerate(upgrades, 1):
        parent = f"{number - 1:04}" if number > 1 else None
        body = upgrade.replace("\n", "\n    ")
        (folder / f"{number:04}_test.py").write_text(
            f'"""test"""\nfrom alembic import op\nrevision = "{number:04}"\ndown_revision = {parent!r}\n'
            f"def upgrade() -> None:\n    {body}\n"
            "def downgrade() -> None: ...\n",
            encoding="utf-8",
        )
    return History(folder, "test_version")
