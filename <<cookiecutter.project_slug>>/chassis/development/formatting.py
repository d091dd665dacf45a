"""What was written by a command is formatted as if by hand."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from chassis.project import ROOT


def format_files(files: Iterable[Path]) -> None:
    """Formats files as `make format` does."""
    for command in (["format"], ["check", "--fix", "--exit-zero"], ["format"]):  # lines that are long are broken before
        subprocess.run([sys.executable, "-m", "ruff", *command, "--quiet", *files], cwd=ROOT, check=True)
