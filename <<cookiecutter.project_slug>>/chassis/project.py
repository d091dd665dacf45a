"""What the service is called: read from pyproject.toml, the one place that says it."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Project:
    """The name, the title for people, the version and the description in pyproject.toml."""

    name: str
    title: str
    version: str
    description: str


@cache
def project() -> Project:
    """Reads the service's pyproject.toml, once a process."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table = content["project"]
    return Project(table["name"], content["tool"]["service"]["title"], table["version"], table["description"])
