"""Copies of the service that tests may change."""

import shutil
from pathlib import Path

from chassis.project import ROOT


def copy_of_service(folder: Path) -> Path:
    """Copy the service without its tests, and return the folder of the copy."""
    return shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "chart", "tests", "build", "docs"))


def replace(file: Path, text: str) -> None:
    """Write a file atomically, so that it counts as one change."""
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.rename(file)
