"""The types of fields: annotations, columns, and values for tests."""

import re
from collections.abc import Callable, Mapping

from chassis.development.resource.types.base import FieldTypeError, Type
from chassis.development.resource.types.numbers import bool_type, decimal_type, float_type, whole_number_type
from chassis.development.resource.types.others import json_type, list_type, ref_type, uuid_type
from chassis.development.resource.types.text import enum_type, long_text_type, text_type
from chassis.development.resource.types.times import date_type, datetime_type

_MAKERS: Mapping[str, Callable[[list[str]], Type]] = {
    "str": text_type,
    "text": long_text_type,
    "int": whole_number_type("Integer", -(2**31), 2**31 - 1),
    "bigint": whole_number_type("WholeNumber", 1 - 2**53, 2**53 - 1),
    "decimal": decimal_type,
    "float": float_type,
    "bool": bool_type,
    "date": date_type,
    "datetime": datetime_type,
    "uuid": uuid_type,
    "json": json_type,
    "enum": enum_type,
    "ref": ref_type,
}
NAMES = (*_MAKERS, "list")
"""The names of all types."""

_NOT_IN_LISTS = {"json", "list", "ref", "text"}


def make_type(written: str) -> Type:
    """Make a type of what is written in a field, such as `decimal(12,2)`.

    Raises:
        FieldTypeError: there is no such type, or its arguments break their rule.
    """
    found = re.fullmatch(r"(\w*)(?:\((.*)\))?", written, re.DOTALL)
    if not found or found[1] not in NAMES:
        raise FieldTypeError(f"needs a type after the colon, one of {', '.join(NAMES)}")
    name, arguments = found[1], split(found[2] or "")
    if found[2] is not None and not arguments:
        raise FieldTypeError("has empty parentheses; remove them")
    if name != "list":
        return _MAKERS[name](arguments)
    if len(arguments) != 1:
        raise FieldTypeError("should have one type in parentheses, as in list(str)")
    of = arguments[0].partition("(")[0]
    if of in _NOT_IN_LISTS:
        raise FieldTypeError(f"cannot be a list of {of}; use json, or a table of its own that refers to this one")
    return list_type(make_type(arguments[0]))


def split(written: str) -> list[str]:
    """Split at commas and spaces that are in no parentheses and no quotes."""
    pieces, depth, in_quotes = [""], 0, False
    for character in written:
        in_quotes ^= character == '"'
        if not in_quotes:
            depth += (character == "(") - (character == ")")
        if not in_quotes and depth <= 0 and (character == "," or character.isspace()):
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece for piece in pieces if piece]
