"""The folder of the pictures, and the folder for temporary files."""

import sys

from harness.programs import find
from harness.repository import BUILD, REPOSITORY

PICTURES = REPOSITORY / "docs" / "pictures"
SCRATCH = BUILD / "pictures"


def program(*names: str, package: str) -> str:
    """Return the path of a program, by one of its names.

    Raises:
        SystemExit: the program is not installed.
    """
    if found := find(*names):
        return found
    sys.exit(f"{names[0]} is not on PATH, nor in build/tools: Debian's package {package} has it.")
