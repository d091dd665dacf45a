"""Brings a change of what was generated into files that may have changed since."""

import difflib
import subprocess
import tempfile
from pathlib import Path

_LABELS = ("now", "before", "after")


def merge(current: str, before: str, after: str) -> str | None:
    """Return the current text with the change from `before` to `after`; None if both change the same lines."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / label for label in _LABELS]
        for file, text in zip(files, (current, before, after), strict=True):
            file.write_text(text, encoding="utf-8")
        merged = subprocess.run(
            ["git", "merge-file", "--stdout", *files], capture_output=True, text=True, encoding="utf-8", check=False
        )
    if merged.returncode > 127 or merged.returncode < 0:
        raise OSError(f"git merge-file failed: {merged.stderr.strip()}")
    return merged.stdout if merged.returncode == 0 else None


def change(before: str, after: str, file: str) -> str:
    """Return the change from `before` to `after`, for people."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), file, file, n=2, lineterm="")
    return "\n".join(lines)
