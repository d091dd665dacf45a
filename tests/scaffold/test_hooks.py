"""The hooks run on the user's machine: they import only the standard library, and their results are reproducible."""

import ast
import sys
from pathlib import Path

import pytest

from harness.repository import REPOSITORY

HOOKS = sorted((REPOSITORY / "hooks").glob("*.py"))
IMPURE = {"datetime", "http", "locale", "os", "random", "secrets", "socket", "subprocess", "time", "urllib", "uuid"}


def imports(hook: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(hook.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.name)
def test_hooks_use_the_standard_library_and_only_its_pure_part(hook: Path) -> None:
    assert imports(hook) <= sys.stdlib_module_names - IMPURE


def test_both_hooks_are_there() -> None:
    assert [hook.stem for hook in HOOKS] == ["post_gen_project", "pre_gen_project"]
