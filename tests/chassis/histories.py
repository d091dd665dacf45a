"""Histories of migrations for tests."""

from pathlib import Path

from chassis.migrations.revisions import History


def write_history(folder: Path, *upgrades: str) -> History:
    """Write a history to a folder: one revision for each text, which is the Python code of its `upgrade`."""
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
