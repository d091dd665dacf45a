"""Positions in a list, as exact text."""

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, Union, get_args, get_origin
from uuid import UUID

Position: TypeAlias = tuple[Any, ...]
"""The values of a row's sort columns, of which the last is unique."""

_IN_JSON = (bool, int, float, str)
_FROM_TEXT: dict[type, Callable[[str], Any]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    UUID: UUID,
    Decimal: Decimal,
}
_LARGEST = 2**63 - 1  # of a bigint


class Kind(NamedTuple):
    """The type of a sort column.

    Attributes:
        type: the Python type of its values, one of those that a cursor can hold.
        nullable: True if the column may be null.
    """

    type: type
    nullable: bool

    def has(self, value: object) -> bool:
        """Return True for a value of this type."""
        return self.nullable if value is None else isinstance(value, self.type)


def kind_of(annotation: Any) -> Kind:
    """Return the kind of the column that a field of a row stands for.

    Args:
        annotation: the type of the field, such as `int` or `datetime | None`.

    Raises:
        ValueError: a cursor cannot hold values of this type.
    """
    if get_origin(annotation) is Annotated:
        return kind_of(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        choices = [choice for choice in get_args(annotation) if choice is not NoneType]
        if len(choices) == 1:
            return kind_of(choices[0])._replace(nullable=True)
    if get_origin(annotation) is Literal:
        types = {type(value) for value in get_args(annotation)}
        annotation = types.pop() if len(types) == 1 else annotation
    for base in getattr(annotation, "__mro__", ()):
        if base in _IN_JSON or base in _FROM_TEXT:
            return Kind(base, nullable=False)
    known = ", ".join(each.__name__ for each in (*_IN_JSON, *_FROM_TEXT))
    raise ValueError(f"a cursor cannot hold {annotation}; sort by columns of these types: {known}")


def encode(position: Position) -> bytes:
    """Return a position as JSON. Whole numbers and strings are written as in release 0.2.

    Raises:
        TypeError: a value is of another type than `kind_of` knows.
    """
    if len(position) == 1 and type(position[0]) is int:  # most cursors, in a third of the time
        return b"[%d]" % position[0]
    return _encode(position).encode()


def decode(text: bytes, kinds: Sequence[Kind]) -> Position:
    """Return the position that a client sent.

    Raises:
        ValueError: the text is no position of these kinds.
    """
    try:
        values = json.loads(text)
        if not isinstance(values, list):
            raise ValueError("a position is a list")
        return tuple(_value(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (ArithmeticError, RecursionError) as error:
        raise ValueError("not a position") from error


def _text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"a cursor cannot hold a {type(value).__name__}")


_encode = json.JSONEncoder(separators=(",", ":"), default=_text).encode


def _value(value: Any, kind: Kind) -> Any:
    if value is None and kind.nullable:
        return None
    convert = _FROM_TEXT.get(kind.type)
    sent: type = type(value)
    if sent is not (str if convert else kind.type):
        raise ValueError("a value of another type")
    if sent is str and b"\x00" in value.encode():  # which raises a ValueError for lone surrogates
        raise ValueError("PostgreSQL has no text with NUL")
    if sent is int and not -_LARGEST <= value <= _LARGEST:
        raise ValueError("no bigint")
    return convert(value) if convert else value
