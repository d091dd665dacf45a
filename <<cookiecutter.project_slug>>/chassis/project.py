"""The service's name, title, version and description from pyproject.toml: `project().version`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The folder of the service, which holds `pyproject.toml`."""


@dataclass(frozen=True)
class Project:
    """The service as pyproject.toml describes it.

    Attributes:
        name: `project.name`.
        title: `tool.service.title`, its name for people.
        version: `project.version`.
        description: `project.description`.
    """

    name: str
    title: str
    version: str
    description: str


@cache
def project() -> Project:
    """Read the service's pyproject.toml, once per process."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table = content["project"]
    return Project(table["name"], content["tool"]["service"]["title"], table["version"], table["description"])
