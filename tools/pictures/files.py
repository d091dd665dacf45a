"""The folder of the pictures, and the folder for temporary files."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
SCRATCH = ROOT / "build" / "pictures"


def program(*names: str, package: str) -> str:
    """Return the path of a program, by one of its names, from PATH or build/tools.

    Raises:
        SystemExit: the program is not installed.
    """
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path=ROOT / "build" / "tools"):
            return found
    sys.exit(f"{names[0]} is not on PATH, nor in build/tools: Debian's package {package} has it.")
