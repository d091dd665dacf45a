"""Adds a resource's routes to app/routes.py, and removes them."""

import ast

from chassis.development.resource.names import Names
from chassis.project import ROOT

FILE = ROOT / "app" / "routes.py"


class RoutesError(Exception):
    """The file cannot be edited by this command; the message says what to do."""


def with_routes_of(names: Names, text: str) -> str:
    """Return the file's text with a resource's routes appended to the list, unformatted.

    Raises:
        RoutesError: there is no list named ROUTES.
    """
    lines = text.splitlines()
    end, bracket = _end_of_list(text)
    many, one, path = names.many, names.one, names.path
    read, write, missing = f'scopes=("{path}:read",)', f'scopes=("{path}:write",)', "raises=(NotFoundError,)"
    item = f"/v1/{path}/{{{one}_id}}"
    routes = [
        f'Route("POST", "/v1/{path}", {many}.create_{one}, status=201, location="/v1/{path}/{{id}}", {write})',
        f'Route("GET", "/v1/{path}", {many}.list_{many}, {read})',
        f'Route("GET", "{item}", {many}.read_{one}, {read}, {missing})',
        f'Route("PUT", "{item}", {many}.replace_{one}, {write}, {missing})',
        f'Route("DELETE", "{item}", {many}.delete_{one}, {write}, {missing})',
    ]
    before, after = lines[end][:bracket], lines[end][bracket:]
    lines[end : end + 1] = [*([before] if before else []), *(f"    {route}," for route in routes), after]
    imports = [f"from app.{many} import handlers as {many}"]
    if "import NotFoundError" not in text:
        imports.append("from chassis.errors import NotFoundError")
    return "\n".join([*_with_imports(lines, imports), ""])


def without_routes_of(names: Names, text: str) -> str:
    """Return the file's text without a resource's import and routes, unformatted.

    Raises:
        RoutesError: there is no list named ROUTES, other code uses the resource, or no route would be left.
    """
    _end_of_list(text)
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


def _end_of_list(text: str) -> tuple[int, int]:
    """Return the line and the column of the list's closing bracket, both zero-based."""
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise RoutesError(f"app/routes.py, line {error.lineno}: {error.msg}") from error
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(each, ast.Name) and each.id == "ROUTES" for each in targets):
            value = getattr(node, "value", None)
            if isinstance(value, ast.List) and value.end_lineno and value.end_col_offset:
                before = text.splitlines()[value.end_lineno - 1].encode()[: value.end_col_offset - 1]
                return value.end_lineno - 1, len(before.decode())
    raise RoutesError("app/routes.py has no list named ROUTES: edit the routes by hand.")


def _with_imports(lines: list[str], imports: list[str]) -> list[str]:
    """Insert imports after the last one; ruff sorts them."""
    last = max(
        (node.end_lineno or 0 for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.ImportFrom)),
        default=1,
    )
    return [*lines[:last], *imports, *lines[last:]]
