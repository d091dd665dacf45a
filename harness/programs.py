"""Finds programs that are installed on this machine."""

import shutil

from harness.repository import TOOLS


def find(*names: str) -> str | None:
    """Return the path of a program, by the first of its names that is in build/tools or on PATH."""
    return next((found for name in names if (found := shutil.which(name, path=TOOLS) or shutil.which(name))), None)
