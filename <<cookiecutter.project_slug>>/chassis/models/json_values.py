"""JSON values without a model of their own, for columns of PostgreSQL's types json and jsonb."""

import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import pydantic
from pydantic import BeforeValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

_MOST_ERRORS = 101  # one more than a response lists
_NOT_NULL = {"type": ["object", "array", "string", "number", "boolean"]}


def _storable(value: object) -> object:
    if value is None:
        raise ValueError("Should be a JSON value other than null")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        text = ""
    if not text or "\\u0000" in text:  # what is escaped may be NUL, or a backslash
        if errors := list(islice(_errors(value), _MOST_ERRORS)):
            raise ValidationError.from_exception_data("Json", errors)
        if not text:
            raise ValueError("Should have shorter numbers and fewer levels")
    return value


def _errors(whole: object) -> Iterator[InitErrorDetails]:
    """Find what PostgreSQL cannot store in a value."""
    left: list[tuple[tuple[int | str, ...], object]] = [((), whole)]
    while left:
        place, value = left.pop()
        rule = ""
        if isinstance(value, dict):
            names = [name for name in value if _is_storable(name)]
            if len(names) < len(value):
                rule = "Should have names without NUL characters and lone surrogates, which PostgreSQL cannot store"
            left += [((*place, name), value[name]) for name in reversed(names)]
        elif isinstance(value, list):
            left += [((*place, index), each) for index, each in reversed([*enumerate(value)])]
        elif isinstance(value, str) and not _is_storable(value):
            rule = "Should have no NUL characters and lone surrogates, which PostgreSQL cannot store"
        elif isinstance(value, float) and not math.isfinite(value):
            rule = "Should be a finite number of double precision"
        if rule:
            yield InitErrorDetails(type=PydanticCustomError("json_value", rule), loc=place, input=None)


def _is_storable(text: object) -> bool:
    try:
        return isinstance(text, str) and b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


Json = Annotated[Any, BeforeValidator(_storable), WithJsonSchema(_NOT_NULL)]
"""Any JSON value that PostgreSQL can store, but null; a field that may be null is `Json | None`.

Pass it to a statement as text: `json.dumps(fields.metadata)`.
"""

StoredJson = pydantic.Json[Any]
"""A value of a column of the type json or jsonb in a `Row`, which asyncpg returns as text."""
