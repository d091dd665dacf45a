"""Formats generated files."""

import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
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
            encoding="utf-8",
            check=True,
        )
        text = done.stdout
    return text


def write_formatted(texts: Mapping[Path, str]) -> None:
    """Write the text of each file, and format it. After an error or an interruption, all files are as they were."""
    before = {file: file.read_bytes() if file.is_file() else None for file in texts}
    new_folders = {file.parent for file in texts if not file.parent.is_dir()}
    try:
        for file, text in texts.items():
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        format_files(texts)
    except BaseException:
        for file, content in before.items():
            if content is None:
                file.unlink(missing_ok=True)
            else:
                file.write_bytes(content)
        for folder in new_folders:
            with suppress(OSError):
                folder.rmdir()
        raise
