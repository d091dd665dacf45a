"""Formats generated files."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from chassis.project import ROOT


def format_files(files: Iterable[Path]) -> None:
    """Format files as `make format` does."""
    for command in (["format"], ["check", "--fix", "--exit-zero"], ["format"]):  # break lines before checks
        subprocess.run([sys.executable, "-m", "ruff", *command, "--quiet", *files], cwd=ROOT, check=True)


def formatted(text: str, file: Path) -> str:
    """Return the text of a file as `format_files` would leave it."""
    for command in (["format"], ["check", "--fix-only"], ["format"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", file, "-"],
            cwd=ROOT,
            input=text,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        text = done.stdout
    return text


def write_formatted(texts: Mapping[Path, str]) -> None:
    """Write the text of each file as `format_files` would leave it. Nothing is written before all are formatted."""
    for file, text in {file: formatted(text, file) for file, text in texts.items()}.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
