"""Changes what pydantic makes of a model's annotations, the schema of its core."""

from collections.abc import Callable
from typing import Any

_NO_SCHEMAS = {"default", "metadata", "serialization"}


def replaced(schema: Any, kind: str, replacement: Callable[[Any], Any]) -> Any:
    """Return a core schema in which each schema of a kind is replaced, those in lists and unions included.

    The fields of another model in it stay as they are: that model has its own schema.

    Args:
        schema: the core schema of a model.
        kind: the type of the schemas to replace, such as `str`.
        replacement: makes the schema in the place of another one.
    """
    if isinstance(schema, list | tuple):
        return type(schema)(replaced(each, kind, replacement) for each in schema)
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == kind:
        return replacement(schema)
    return {key: value if key in _NO_SCHEMAS else replaced(value, kind, replacement) for key, value in schema.items()}
