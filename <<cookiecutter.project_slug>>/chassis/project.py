"""What the service is called: read from pyproject.toml, the one place that says it."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Project:
    """The name, the version and the description in pyproject.toml."""

    name: str
    version: str
    description: str


@cache
def project() -> Project:
    """Reads the `[project]` table of the service's pyproject.toml, once a process."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Project(table["name"], table["version"], table["description"])
