"""Adds a resource's routes to app/routes.py, and removes them."""

import ast
import re

from chassis.development.resource.names import Names
from chassis.development.resource.resource import Resource
from chassis.project import ROOT

FILE = ROOT / "app" / "routes.py"
_COMMA = re.compile(r"(?:\s|(?>#.*))*,")  # after comments


class RoutesError(Exception):
    """The file cannot be edited by this command; the message says what to do."""


def check(text: str) -> None:
    """Raise a RoutesError if there is no list named ROUTES."""
    _list(text)


def with_routes_of(resource: Resource, text: str) -> str:
    """Return the file's text with a resource's routes appended to the list, unformatted.

    Raises:
        RoutesError: there is no list named ROUTES.
    """
    text = _with_comma(text)
    lines = text.splitlines()
    end, bracket = _end(_list(text), lines)
    routes = _routes(resource)
    before, after = lines[end][: bracket - 1], lines[end][bracket - 1 :]
    lines[end : end + 1] = [*([before] if before else []), *(f"    {route}," for route in routes), after]
    imports = [f"from app.{resource.names.many} import handlers as {resource.names.many}"]
    if "import NotFoundError" not in text:
        imports.append("from chassis.errors import NotFoundError")
    return "\n".join([*_with_imports(lines, imports), ""])


def _routes(resource: Resource) -> list[str]:
    """Return the routes of a resource, as Python source."""
    many, one, path = resource.names.many, resource.names.one, resource.collection
    read, write, missing = (
        f'scopes=("{resource.names.path}:read",)',
        f'scopes=("{resource.names.path}:write",)',
        "raises=(NotFoundError,)",
    )
    of_list = f", {missing}" if resource.parent else ""
    item = f"{path}/{{{one}_id}}"
    routes = {
        "post": f'Route("POST", "{path}", {many}.create_{one}, status=201, location="{path}/{{id}}", {write}{of_list})',
        "list": f'Route("GET", "{path}", {many}.list_{many}, {read}{of_list})',
        "get": f'Route("GET", "{item}", {many}.read_{one}, {read}, {missing})',
        "put": f'Route("PUT", "{item}", {many}.replace_{one}, {write}, {missing})',
        "patch": f'Route("PATCH", "{item}", {many}.patch_{one}, {write}, {missing})',
        "delete": f'Route("DELETE", "{item}", {many}.delete_{one}, {write}, {missing})',
    }
    return [route for operation, route in routes.items() if operation not in resource.without]


def without_routes_of(names: Names, text: str) -> str:
    """Return the file's text without a resource's import and routes, unformatted.

    Raises:
        RoutesError: there is no list named ROUTES, other code uses the resource, or no route would be left.
    """
    _list(text)
    lines: list[str | None] = list(text.splitlines())
    for node in ast.walk(ast.parse(text)):
        handlers = isinstance(node, ast.ImportFrom) and node.module == f"app.{names.many}"
        route = isinstance(node, ast.Call) and any(
            isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == names.many
            for each in [*node.args, *(keyword.value for keyword in node.keywords)]
        )
        if isinstance(node, ast.ImportFrom | ast.Call) and (handlers or route):
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = None
    left = "\n".join([*(line for line in lines if line is not None), ""])
    used = {node.id for node in ast.walk(ast.parse(left)) if isinstance(node, ast.Name)}
    if names.many in used:
        raise RoutesError(f"app/routes.py uses {names.many} outside of its routes: remove that first.")
    if "Route" not in {
        getattr(node.func, "id", "") for node in ast.walk(ast.parse(left)) if isinstance(node, ast.Call)
    }:
        raise RoutesError(f'All routes are those of {names.many}. First add your own: make resource NAME=… FIELDS="…"')
    return left


def _list(text: str) -> ast.List:
    """Return the list of routes."""
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise RoutesError(f"app/routes.py, line {error.lineno}: {error.msg}") from error
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(each, ast.Name) and each.id == "ROUTES" for each in targets):
            value = getattr(node, "value", None)
            if isinstance(value, ast.List):
                return value
    raise RoutesError("app/routes.py has no list named ROUTES: edit the routes by hand.")


def _end(node: ast.expr, lines: list[str]) -> tuple[int, int]:
    """Return the line of the last character of an expression and the column after it, both zero-based."""
    line = (node.end_lineno or node.lineno) - 1
    return line, len(lines[line].encode()[: node.end_col_offset].decode())


def _with_comma(text: str) -> str:
    """Return the file's text with a comma after the last route."""
    routes, lines = _list(text), text.splitlines()
    if not routes.elts:
        return text
    line, column = _end(routes.elts[-1], lines)
    if not _COMMA.match("\n".join([lines[line][column:], *lines[line + 1 :]])):
        lines[line] = f"{lines[line][:column]},{lines[line][column:]}"
    return "\n".join([*lines, ""])


def _with_imports(lines: list[str], imports: list[str]) -> list[str]:
    """Insert imports after the last one; ruff sorts them."""
    last = max(
        (node.end_lineno or 0 for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.ImportFrom)),
        default=1,
    )
    return [*lines[:last], *imports, *lines[last:]]
