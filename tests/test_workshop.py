"""The template's packages share code through `harness` only, and `harness` depends on none of them."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.repository import REPOSITORY

PACKAGES = {folder.parent.name for folder in REPOSITORY.glob("*/__init__.py")} | {"hooks"}
MAY_IMPORT: dict[str, set[str]] = {"harness": set(), "hooks": set(), "tests": PACKAGES}
OTHERS_MAY_IMPORT = {"harness"}
# `faults` run in a baked service's environment, `benchmarks` in their own, and tests of the chassis in a baked service.
# Each of them lacks some of these, so a module that all of them can import has only the standard library.
THIRD_PARTY = {
    "harness/baking.py": {"cookiecutter"},
    "harness/chart_values/drawing.py": {"hypothesis", "yaml"},
    "harness/cluster/release.py": {"yaml"},
    "harness/definitions.py": {"yaml"},
    "harness/postgres.py": {"asyncpg"},
    "harness/added/orders.py": {"aiohttp", "app", "chassis"},
    "harness/added/streams.py": {"aiohttp", "app", "chassis"},  # only services import these
}


def modules(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


def imported(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the top-level package of each import in a module."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name.partition(".")[0]) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, (
                f"{module}:{node.lineno}: name the package in full, as in from harness.git import git"
            )
            yield node.lineno, str(node.module).partition(".")[0]


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_a_package_imports_the_harness_and_no_other_package(package: str) -> None:
    refused = PACKAGES - MAY_IMPORT.get(package, OTHERS_MAY_IMPORT) - {package}
    mistakes = [
        f"{module.relative_to(REPOSITORY)}:{line} imports {name}"
        for module in modules(package)
        for line, name in imported(module)
        if name in refused
    ]
    assert not mistakes, (
        f"{'; '.join(mistakes)}. Move what both need to a module of harness/, and import it from there."
    )


def test_the_harness_runs_in_every_environment() -> None:
    found = {
        str(module.relative_to(REPOSITORY)): packages
        for module in modules("harness")
        if (packages := {name for _, name in imported(module)} - sys.stdlib_module_names - {"harness"})
    }
    assert found == THIRD_PARTY, (
        "Import a package of one environment in a module of its own, and add that module to THIRD_PARTY."
    )
