"""Import rules: the app imports only the front of the chassis, and imports inside the chassis follow one order."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from chassis.project import ROOT

CHASSIS = sorted((ROOT / "chassis").rglob("*.py"))
NOT_IN_THE_IMAGE = {"development", "testing"}
SERVING = [file for file in CHASSIS if not NOT_IN_THE_IMAGE & set(file.parts)]
PACKAGES = {"models", "pagination"}  # whose `__init__` belongs to the front
FRONT = {file.stem for file in (ROOT / "chassis").glob("*.py")} | PACKAGES
KIT = "testing"  # a package whose `__init__` belongs to the front; tests import it
# Groups of modules, called rooms. A room may import itself and those before it, except that http imports no migrations.
ORDER = ["types", "telemetry", "resources", "postgres", "migrations", "http", "background", "application", "server"]
ORDER += ["command_line", "development", KIT]
ROOMS = {
    **dict.fromkeys(["chassis", "compatibility", "concurrency", "resources"], "types"),
    **dict.fromkeys(FRONT - {"application", "command_line"}, "types"),
    "observability": "telemetry",
    **{room: room for room in ORDER[1:]},
}


def imports_of(file: Path) -> Iterator[str]:
    """Yield the modules that a file imports, anywhere in it, including modules imported by name from a package."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (
                f"{node.module}.{alias.name}" for alias in node.names if is_module(f"{node.module}.{alias.name}")
            )


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """Return the room of a module of the chassis."""
    return ROOMS[[*module.split("."), "chassis"][1]]


@pytest.mark.parametrize("file", CHASSIS, ids=name_of)
def test_the_chassis_knows_no_service(file: Path) -> None:
    assert not {name.partition(".")[0] for name in imports_of(file)} & {"app", "tests", "migrations"}


@pytest.mark.parametrize("file", CHASSIS, ids=name_of)
def test_imports_run_one_way(file: Path) -> None:
    room = room_of(name_of(file))
    before = set(ORDER[: ORDER.index(room) + 1]) - ({"migrations"} if room == "http" else set())
    assert {name for name in imports_of(file) if name.startswith("chassis.") and room_of(name) not in before} == set()


def test_no_imports_form_a_cycle() -> None:
    graph = {name_of(file): {*imports_of(file)} - {name_of(file)} for file in SERVING}
    TopologicalSorter(graph).prepare()


def test_the_front_is_small_and_each_module_shows_its_use() -> None:
    assert len(FRONT) <= 14
    for file in (ROOT / "chassis").glob("*.py"):
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), file


@pytest.mark.parametrize(
    "file",
    [
        *ROOT.glob("app/**/*.py"),
        *ROOT.glob("tests/app/**/*.py"),
        *ROOT.glob("*.py"),
        *ROOT.glob("chassis/**/*.py.mako"),
    ],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_a_service_imports_only_the_front(file: Path) -> None:
    """Covers the templates of `make resource`. guniconfig.py may also import `server` and `telemetry`."""
    allowed = FRONT | ({"server", "telemetry"} if file.name == "guniconfig.py" else set())
    allowed |= {KIT} if "tests" in file.parts or "tests" in file.name else set()
    text = file.read_text(encoding="utf-8")
    imported = re.findall(r"^\s*(?:from|import) chassis\.(\w+(?:\.\w+)?)", text, re.MULTILINE)
    imported += [
        name.strip()
        for names in re.findall(r"^from chassis import (.+)", text, re.MULTILINE)
        for name in names.split(",")
    ]
    assert {name for name in imported if name.partition(".")[0] not in allowed} == set()
    assert not [name for name in imported if name.partition(".")[0] in PACKAGES and "." in name]


def test_only_two_modules_use_private_names_of_aiohttp() -> None:
    """Private: `_name` of an object that is not `self`, and imported names that start with an underscore."""
    private = re.compile(
        r"from aiohttp[\w.]* import [^\n]*\b_\w+|\b(?:request|response|resp|server|web|message)\._[a-z]\w*"
    )
    users = {file.name for file in SERVING if private.search(file.read_text(encoding="utf-8"))}
    assert users == {"aiohttp_internals.py", "connection.py"}
