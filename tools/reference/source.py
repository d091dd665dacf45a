"""Reads the sources of the chassis, without importing them."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.reference.completeness import GenerationError

SERVICE = Path(__file__).parents[2] / "<<cookiecutter.project_slug>>"
CHASSIS = SERVICE / "chassis"


def module(name: str) -> ast.Module:
    """Parse a module, named by its path in `chassis/` without the suffix: `telemetry/metrics`."""
    return ast.parse((CHASSIS / f"{name}.py").read_text(encoding="utf-8"))


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield each module that runs in a service: its path in `chassis/`, and its syntax tree."""
    for path in sorted(CHASSIS.rglob("*.py")):
        if not {"development", "testing"} & {*path.relative_to(CHASSIS).parts}:
            yield str(path.relative_to(CHASSIS)), ast.parse(path.read_text(encoding="utf-8"))


def class_of(tree: ast.Module, name: str) -> ast.ClassDef:
    """Return the class with this name."""
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def assignments(body: list[ast.stmt]) -> dict[str, ast.expr]:
    """Return the values that a module or a class assigns to names."""
    found: dict[str, ast.expr] = {}
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = node.value
                elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    names = [each.id for each in target.elts if isinstance(each, ast.Name)]
                    found |= dict(zip(names, node.value.elts, strict=True))
    return found


def keywords(call: ast.Call, names: Mapping[str, ast.expr]) -> dict[str, Any]:
    """Return the keyword arguments of a call whose values are constants."""
    return {keyword.arg: constant(keyword.value, names) for keyword in call.keywords if keyword.arg}


def constant(node: ast.expr, names: Mapping[str, ast.expr]) -> Any:
    """Return the value of an expression of literals, of names of such expressions, and of arithmetic.

    Args:
        node: the expression.
        names: the expressions that names stand for.

    Raises:
        GenerationError: the expression is another one.
    """
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in names:
            return constant(names[node.id], names)
        case ast.Tuple():
            return tuple(constant(each, names) for each in node.elts)
        case ast.List():
            return [constant(each, names) for each in node.elts]
        case ast.Dict():
            keys = [constant(key, names) for key in node.keys if key]
            return dict(zip(keys, [constant(each, names) for each in node.values], strict=True))
        case ast.BinOp(op=ast.Pow()):
            return constant(node.left, names) ** constant(node.right, names)
        case ast.BinOp(op=ast.Mult()):
            return constant(node.left, names) * constant(node.right, names)
    raise GenerationError(f"Write this as a literal, the generator does not run the code: {ast.unparse(node)}")
