"""Release notes: `python -m tools.release_notes 0.2.0` prints the section of CHANGELOG.md for a version.

Fails unless all files name the same version, because a release cannot be withdrawn.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

from harness.repository import REPOSITORY


def notes(version: str, root: Path = REPOSITORY) -> str:
    """Return the changelog's section for a release, in Markdown.

    Raises:
        ValueError: the section is missing, or a file names another version; the message lists all mistakes.
    """
    chart = (root / "chart" / "Chart.yaml").read_text(encoding="utf-8")
    named = {
        "cookiecutter.json, _version": json.loads((root / "cookiecutter.json").read_text(encoding="utf-8"))["_version"],
        "pyproject.toml, version": tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"][
            "version"
        ],
        "chart/Chart.yaml, version": "".join(re.findall(r"^version: *(\S+)", chart, re.MULTILINE)),
    }
    readme = (root / "README.md").read_text(encoding="utf-8")
    named |= {f"README.md, --checkout {each}": each for each in re.findall(r"--checkout (\S+)", readme)}
    wrong = [f"{place} is {value}" for place, value in named.items() if value != version]
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(version)} \([^\n]*\)\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not section:
        wrong.append(f"CHANGELOG.md has no heading `## {version} (date)`")
    if wrong or not section:
        raise ValueError(f"This is not release {version}: {'; '.join(wrong)}.")
    return section[1].strip()


def main() -> None:
    """Print the notes of the given version."""
    [_, version] = sys.argv
    try:
        print(notes(version))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
