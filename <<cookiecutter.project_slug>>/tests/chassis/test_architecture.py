"""The one rule between the packages: app imports chassis, never the other way."""

import ast
from pathlib import Path

import pytest

from chassis.project import ROOT

CHASSIS = sorted((ROOT / "chassis").rglob("*.py"))


def imported_by(file: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("file", CHASSIS, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_chassis_knows_no_service(file: Path) -> None:
    assert not imported_by(file) & {"app", "tests", "migrations"}


def test_development_is_not_needed_to_serve() -> None:
    serving = [file for file in CHASSIS if "development" not in file.parts]
    for file in serving:
        assert "chassis.development" not in file.read_text(encoding="utf-8")
