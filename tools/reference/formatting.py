"""Formats the code on the pages. The lint of a service checks the format of the code in Markdown, too."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory


def formatted(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the pages with formatted code, by their paths. Signatures, which are not complete Python, stay."""
    with TemporaryDirectory() as folder:
        for name, text in texts.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "ruff", "format", "--quiet", "--isolated", "--no-cache", "--line-length=120"]
        subprocess.run([*command, folder], check=True)
        return {name: Path(folder, name).read_text(encoding="utf-8") for name in texts}
