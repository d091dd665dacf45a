"""Reads the fields of pydantic models: type, bounds, default, description."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.reference.source import assignments, class_of, constant, keywords

_MISSING = object()


@dataclass
class ModelField:
    """A field of a pydantic model.

    Attributes:
        name: its name.
        kind: the name of its type, without what annotates it: `int`, `Literal`, `tuple`.
        values: the allowed values of a `Literal`.
        options: the arguments of all `Field(…)`: `ge`, `le`, `description`, `examples`.
        default: its default, if `is_required` is False.
    """

    name: str
    kind: str = ""
    values: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    default: Any = _MISSING

    @property
    def is_required(self) -> bool:
        return self.default is _MISSING


def fields_of(tree: ast.Module, model: str) -> Iterator[ModelField]:
    """Yield the fields of a model, in their order."""
    names = assignments(tree.body)
    for node in class_of(tree, model).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found = ModelField(node.target.id)
            _add_type(found, node.annotation, names)
            if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "Field":
                found.options |= _options(node.value, names)
                found.default = found.options.pop("default", _MISSING)
            elif node.value:
                found.default = constant(node.value, names)
            yield found


def _add_type(found: ModelField, annotation: ast.expr, names: Mapping[str, ast.expr]) -> None:
    match annotation:
        case ast.Name() if annotation.id in names:
            _add_type(found, names[annotation.id], names)
        case ast.Subscript(value=ast.Name("Annotated"), slice=ast.Tuple(elts=[kind, *metadata])):
            _add_type(found, kind, names)
            for each in metadata:
                if isinstance(each, ast.Call) and ast.unparse(each.func) == "Field":
                    found.options |= _options(each, names)
        case ast.Subscript(value=ast.Name("Literal")):
            values = constant(annotation.slice, names)
            found.kind, found.values = "Literal", values if isinstance(values, tuple) else (values,)
        case ast.BinOp(op=ast.BitOr()):  # … | None
            _add_type(found, annotation.left, names)
        case ast.Subscript():
            found.kind = ast.unparse(annotation.value)
        case _:
            found.kind = ast.unparse(annotation)


def _options(call: ast.Call, names: Mapping[str, ast.expr]) -> dict[str, Any]:
    factories = {"default_factory", "json_schema_extra"}
    literal = ast.Call(call.func, call.args, [each for each in call.keywords if each.arg not in factories])
    found = keywords(literal, names)
    return found | ({"default": None} if any(each.arg == "default_factory" for each in call.keywords) else {})
