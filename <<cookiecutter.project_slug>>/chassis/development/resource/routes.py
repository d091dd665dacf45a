"""Writes a resource's routes into the contents page, app/routes.py, which its team edits by hand otherwise."""

import ast

from chassis.development.resource.names import Names
from chassis.project import ROOT

FILE = ROOT / "app" / "routes.py"


class RoutesError(Exception):
    """The file is not as this command knows it; the message says what to do instead."""


def with_routes_of(names: Names, text: str) -> str:
    """The file's text with a resource's routes at the end of the list, unformatted.

    Raises:
        RoutesError: there is no list of the name ROUTES.
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
    """The file's text without the import of a resource and without its routes, unformatted.

    Raises:
        RoutesError: there is no list of the name ROUTES, more than routes speaks of the resource, or no route is left.
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
        raise RoutesError(f"app/routes.py says more of {names.many} than routes: take that out by hand first.")
    if "Route" not in {
        getattr(node.func, "id", "") for node in ast.walk(ast.parse(left)) if isinstance(node, ast.Call)
    }:
        raise RoutesError(f'Nothing but {names.many} has a route. Begin with your own: make resource NAME=… FIELDS="…"')
    return left


def _end_of_list(text: str) -> tuple[int, int]:
    """Line and column of the list's closing bracket, from 0."""
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
    raise RoutesError("app/routes.py has no list that is called ROUTES: write the routes where they belong by hand.")


def _with_imports(lines: list[str], imports: list[str]) -> list[str]:
    """After the last import; sorting them is ruff's."""
    last = max(
        (node.end_lineno or 0 for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.ImportFrom)),
        default=1,
    )
    return [*lines[:last], *imports, *lines[last:]]
