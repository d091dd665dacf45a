"""What the service has already: tables, resources, models and tests."""

import ast
import inspect
import re
import shlex
from collections.abc import Iterator, Mapping

from chassis.contract import PATH_PARAMETERS
from chassis.development.resource.names import Names
from chassis.development.resource.resource import Other
from chassis.migrations.revisions import HISTORIES, SERVICE
from chassis.project import ROOT
from chassis.service import find_service

_CREATE_TABLE = r"CREATE\s+(?:UNLOGGED\s+)?TABLE"
_TABLE = re.compile(
    rf"""{_CREATE_TABLE}\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:"?\w+"?\.)?"?(\w+)(.*?)(?={_CREATE_TABLE}|\Z)""",
    re.DOTALL | re.IGNORECASE,
)
_ARGUMENT = re.compile(r"""\b([A-Z]+)=((?:"[^"]*"|'[^']*'|\w)+)""")
_INDEX = re.compile(r"\bINDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?(\w+)\s+ON\s+([^()]*\([^\"]*?\))", re.IGNORECASE)
_KEY = re.compile(r"""\bid"?\s+(?:(uuid)|bigint|bigserial|int8|serial8)\b""", re.IGNORECASE)


def creators() -> Mapping[str, str]:
    """Return the file, relative to the service, that creates each table."""
    return {
        table: str(file.relative_to(ROOT))
        for history in HISTORIES
        for file in sorted(history.versions.glob("*.py"))
        for table, _ in _TABLE.findall(file.read_text(encoding="utf-8"))
    }


def keys() -> dict[str, str]:
    """Return the type of the key of each table of the service, `bigint` or `uuid`; an empty string for another key."""
    found = {}
    for file in sorted(SERVICE.versions.glob("*.py")):
        for table, rest in _TABLE.findall(file.read_text(encoding="utf-8")):
            key = _KEY.search(rest)
            found[table] = "" if not key else "uuid" if key[1] else "bigint"
    return found


def indexes() -> dict[str, str]:
    """Return what each index is on, such as `items (name, id)`, by its name."""
    return {
        name: " ".join(on.split())
        for file in sorted(SERVICE.versions.glob("*.py"))
        for name, on in _INDEX.findall(file.read_text(encoding="utf-8"))
    }


def models() -> Mapping[str, str]:
    """Return the file, relative to the service, that has each class of `app`."""
    return {
        node.name: str(file.relative_to(ROOT))
        for file in sorted((ROOT / "app").rglob("*.py"))
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }


def other_of(table: str, key: str) -> Other | None:
    """Return the resource whose rows are in a table; None if no route reads one of its rows.

    Imports the service.

    Args:
        table: its name.
        key: the type of its key.
    """
    routes = find_service("app").routes
    of_one = re.compile(rf"/v1/(?:.*/)?{table.replace('_', '-')}/{{(\w+)_id}}")
    for route in routes:
        if route.method == "GET" and (found := of_one.fullmatch(route.path)):
            return Other(
                names=Names(found[1], table),
                path=route.path,
                module=route.handler.__module__,
                read=route.handler.__name__,
                takes=frozenset(inspect.signature(route.handler).parameters),
                key=key,
                deleted=any(each.method == "DELETE" and each.path == route.path for each in routes),
                nested=len(PATH_PARAMETERS.findall(route.path)) > 1,
            )
    return None


def makes_rows(table: str) -> bool:
    """Return True if the tests of a resource have a function `create(client)`, which makes a row."""
    file = ROOT / "tests" / "app" / f"test_{table}.py"
    nodes = ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else []
    return any(isinstance(node, ast.AsyncFunctionDef) and node.name == "create" for node in nodes)


def files_of(names: Names) -> Iterator[str]:
    """Yield the files that are in the way of a resource."""
    for path in (f"app/{names.many}", f"app/{names.many}.py", f"tests/app/test_{names.many}.py"):
        if (ROOT / path).exists():
            yield path


def arguments_of(one: str) -> dict[str, str]:
    """Return the arguments that a resource was made of, from the docstring of its models; none if it has none.

    Args:
        one: the singular of the resource.
    """
    for file in sorted((ROOT / "app").glob("*/models.py")):
        docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        found = {name: " ".join(shlex.split(value)[0].split()) for name, value in _ARGUMENT.findall(docstring)}
        if found.get("NAME") == one and found.get("FIELDS"):
            return found
    return {}


def fields_of(names: Names) -> list[str]:
    """Return the fields of a resource that clients set."""
    file = ROOT / "app" / names.many / "models.py"
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == f"{names.model}Fields":
            return [
                each.target.id
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            ]
    return []
