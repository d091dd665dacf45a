"""Formats generated files."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from ruff import find_ruff_bin  # type: ignore[import-untyped]

from chassis.project import ROOT


def format_files(files: Iterable[Path]) -> None:
    """Format files as `make format` does."""
    for command in (["format"], ["check", "--fix", "--exit-zero"], ["format"]):  # break lines before checks
        subprocess.run([find_ruff_bin(), *command, "--quiet", *files], cwd=ROOT, check=True)


def formatted(text: str, file: Path) -> str:
    """Return the text of a file as `format_files` would leave it."""
    for command in (["format"], ["check", "--fix-only"], ["format"]):
        done = subprocess.run(
            [find_ruff_bin(), *command, "--quiet", "--stdin-filename", file, "-"],
            cwd=ROOT,
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text
