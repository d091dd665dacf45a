"""Encodes rows of the database as JSON by their model, without making instances of it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from itertools import starmap
from operator import itemgetter
from typing import Annotated, Any, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec
from asyncpg import Record

from chassis.models.base import Row
from chassis.models.keys import Uuid
from chassis.models.numbers import WHOLE_NUMBER
from chassis.models.text import WITHOUT_NUL
from chassis.models.times import Date, Timestamp, in_utc_if_infinite

_Schema: TypeAlias = Mapping[str, Any]

# pydantic and msgspec write these types in the same way. Times without an offset are left to pydantic.
_TYPES: dict[str, Any] = {
    "bool": bool,
    "date": date,
    "datetime": Annotated[datetime, msgspec.Meta(tz=True)],
    "int": int,
    "str": str,
    "uuid": UUID,
}
_BOUNDS = {"ge", "gt", "le", "lt", "min_length", "max_length"}
_WITHOUT_EFFECT = {"type", "metadata", "microseconds_precision"}
# They change text of clients, and no value of the field's own type.
_OF_CLIENTS = {WHOLE_NUMBER.func, *(each.func for hint in (Date, Timestamp, Uuid) for each in get_args(hint)[1:])}
_PLAIN_CONFIG = {"title", "frozen", "from_attributes"}
_RENAMING = {"serialization_alias", "validation_alias", "serialization_exclude_if"}
_FEWEST_FIELDS = 2  # an itemgetter of one column returns no tuple


class _UnlikeError(Exception):
    """A part of a schema that msgspec would not treat as pydantic does."""


class RowEncoder:
    """Encodes rows by the fields of their model.

    Args:
        fields: the type of each field that is sent, by name.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self._names = tuple(fields)
        rows: Any = list[tuple[tuple(fields.values())]]  # type: ignore[misc]
        # msgspec examines the types of a struct once, and other types at each call.
        self._rows = msgspec.defstruct("Rows", [("rows", rows)], array_like=True)
        self._sent = msgspec.defstruct("Sent", self._names, gc=False)
        self._values: dict[tuple[str, ...], Callable[[Record], tuple[Any, ...]]] = {}
        self._of_model = itemgetter(*self._names)

    def rows(self, records: Sequence[Record]) -> list[msgspec.Struct]:
        """Return what msgspec encodes as the model's instances would be.

        Args:
            records: have a column for each field; further columns are ignored.

        Raises:
            KeyError: a column is missing.
            msgspec.ValidationError: a value does not fit its field.
        """
        if not records:
            return []
        values = self._values_of(tuple(records[0].keys()))
        [rows] = msgspec.structs.astuple(msgspec.convert([[values(each) for each in records]], self._rows))
        return list(starmap(self._sent, rows))

    def sent(self, instance: Row) -> msgspec.Struct:
        """Return what msgspec encodes as an instance of the model would be."""
        return self._sent(*self._of_model(instance.__dict__))

    def _values_of(self, columns: tuple[str, ...]) -> Callable[[Record], tuple[Any, ...]]:
        values = self._values.get(columns)
        if values is None:
            place = {name: number for number, name in enumerate(columns)}
            values = self._values[columns] = itemgetter(*(place[name] for name in self._names))
        return values


def row_encoder(model: type[Row]) -> RowEncoder | None:
    """Return the encoder of a model's rows; None if the model has types, validators or serializers of its own."""
    if model.from_rows.__func__ is not Row.from_rows.__func__ or model.from_row.__func__ is not Row.from_row.__func__:  # type: ignore[attr-defined]
        return None
    try:
        fields = _fields(model.__pydantic_core_schema__)
    except _UnlikeError:
        return None
    return RowEncoder(fields) if len(fields) >= _FEWEST_FIELDS else None


def row_json(model: type[Row], serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Return a function that encodes instances of a model with msgspec, and all else with `serialize`."""
    encoder = row_encoder(model)
    if encoder is None:
        return serialize
    sent, encode = encoder.sent, msgspec.json.Encoder().encode

    def to_json(result: Any) -> bytes:
        if type(result) is model:
            try:
                return encode(sent(result))
            except (KeyError, TypeError, ValueError):  # a handler has changed a value to one of another type
                pass
        return serialize(result)

    return to_json


def _fields(schema: _Schema) -> dict[str, Any]:
    if (
        schema["type"] != "model"
        or schema["schema"]["type"] != "model-fields"
        or schema.keys() & {"serialization", "post_init"}
        or schema.get("custom_init")
        or schema.get("config", {}).keys() - _PLAIN_CONFIG
        or schema["schema"].get("computed_fields")
    ):
        raise _UnlikeError
    fields = {}
    for name, field in schema["schema"]["fields"].items():
        if field.keys() & _RENAMING:
            raise _UnlikeError
        if not field.get("serialization_exclude"):
            fields[name] = _type_of(field["schema"])
    return fields


def _type_of(schema: _Schema) -> Any:
    """Return the type of a field for msgspec, with its bounds.

    Raises:
        _UnlikeError: pydantic treats the field in a way that msgspec does not.
    """
    kind = schema["type"]
    if "serialization" in schema:
        raise _UnlikeError
    if kind == "nullable":
        return _type_of(schema["schema"]) | None
    if kind == "default":
        return _type_of(schema["schema"])
    if kind == "function-before" and schema["function"]["function"] in _OF_CLIENTS:
        return _type_of(schema["schema"])
    if kind == "json-or-python" and schema["python_schema"].get("function", {}).get("function") is in_utc_if_infinite:
        return _type_of(schema["json_schema"])
    if kind == "literal" and all(type(each) in {int, str} for each in schema["expected"]):
        return Literal[tuple(schema["expected"])]
    bounds = {key: value for key, value in schema.items() if key in _BOUNDS}
    unknown = schema.keys() - bounds.keys() - _WITHOUT_EFFECT
    if schema.get("pattern") == WITHOUT_NUL:  # PostgreSQL has no text with NUL
        unknown -= {"pattern"}
    if kind not in _TYPES or unknown:
        raise _UnlikeError
    return Annotated[_TYPES[kind], msgspec.Meta(**bounds)] if bounds else _TYPES[kind]
