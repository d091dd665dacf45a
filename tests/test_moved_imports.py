"""Imports from the chassis stay compatible: each public name of each module of an earlier release can be imported."""

import ast
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.environments import python_for
from harness.releases import releases
from harness.repository import REPOSITORY, SERVICE
from tests.answers import QUESTIONS

PROGRAM = """
import importlib, json, sys, warnings
warnings.simplefilter("error")
missing = []
for module, names in json.load(sys.stdin).items():
    try:
        found = importlib.import_module(module)
        missing += [f"{module}.{name}" for name in names if not hasattr(found, name)]
    except ImportError as error:
        missing.append(f"{module}: {error}")
print(json.dumps(missing))
"""


def public_names(module: str) -> Iterator[str]:
    """Yield the top-level names of a module, except type variables, the logger, and names with a leading underscore."""
    for node in ast.parse(module).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            called = node.value.func if isinstance(node.value, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in {"TypeVar", "ParamSpec"}:
                continue
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        else:
            continue
        yield from (name for name in names if not name.startswith("_") and name != "log")


def names_of_package(module: str) -> list[str]:
    """Return the names in `__all__` of a package; none if it has no such list."""
    for node in ast.parse(module).body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def modules_of(commit: str) -> dict[str, list[str]]:
    """Return the public names of each module that services may import, by module name.

    Up to 0.2, this is each module of the chassis; later it is the front: the modules at the top, and the packages that
    have a list of names.
    """
    archive = subprocess.run(["git", "archive", commit, f"{SERVICE}/chassis"], cwd=REPOSITORY, check=True, stdout=-1)
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        for member in files.getmembers():
            path = Path(member.name).relative_to(SERVICE)
            content = files.extractfile(member) if member.isfile() else None
            if content and len(path.parts) == 2 and path.suffix == ".py" and path.stem != "__init__":
                found[f"chassis.{path.stem}"] = list(public_names(content.read().decode()))
            elif content and len(path.parts) == 3 and path.name == "__init__.py":
                found[f"chassis.{path.parts[1]}"] = names_of_package(content.read().decode())
    return {module: names for module, names in found.items() if names}


@pytest.mark.parametrize(
    "commit",
    [commit for version, commit in releases().items() if version != QUESTIONS["_version"]],
    ids=[version for version in releases() if version != QUESTIONS["_version"]],
)
def test_every_public_name_of_a_release_can_be_imported(service: Path, commit: str) -> None:
    names = {name: found for name, found in modules_of(commit).items() if name != "chassis.gunicorn"}
    assert "Database" in names["chassis.database"]
    done = subprocess.run(
        [str(python_for(service)), "-c", PROGRAM],
        cwd=service,
        input=json.dumps(names),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
