"""Where the pictures are, and what of their making is not kept."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
SCRATCH = ROOT / "build" / "pictures"


def program(*names: str, package: str) -> str:
    """A program by one of its names, on PATH or in build/tools.

    Raises:
        SystemExit: it is not there.
    """
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path=ROOT / "build" / "tools"):
            return found
    sys.exit(f"{names[0]} is not on PATH, nor in build/tools: Debian's package {package} has it.")
