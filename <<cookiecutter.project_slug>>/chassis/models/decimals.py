"""Decimal numbers that clients send, such as amounts of money."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainSerializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

# PostgreSQL has room for that many digits. For larger numbers, asyncpg would send 0.
_DIGITS = re.compile(r"-?(0|[1-9][0-9]{0,131071})(\.[0-9]{1,16383})?", re.ASCII)


def _decimal(value: object) -> object:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not _DIGITS.fullmatch(value):
        raise ValueError('Should be a decimal number in plain digits, as a string such as "-12.50"')
    return Decimal(value)


def _plain_digits(value: Decimal) -> str:
    return format(value, "f")  # str() writes an exponent for zero with many decimal places


class _Pattern:
    """Describes the digits that a field takes in its JSON schema, which has no word for them."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        described.pop("anyOf", None)  # pydantic's own: a number or a string
        digits, places = described.pop("max_digits", None), described.pop("decimal_places", None)
        whole, fraction = "[0-9]*", "[0-9]+"
        if digits is not None:
            whole = f"[0-9]{{0,{max(digits - (places or 0) - 1, 0)}}}"
            fraction = f"[0-9]{{1,{digits}}}"
        if places is not None:
            fraction = f"[0-9]{{1,{places}}}"
        after_point = rf"(\.{fraction})?" if places != 0 else ""
        return {**described, "type": "string", "pattern": f"^-?(0|[1-9]{whole}){after_point}$"}


DecimalString = Annotated[
    Decimal,
    Field(allow_inf_nan=True),  # of a row: a string of digits is neither
    BeforeValidator(_decimal),
    PlainSerializer(_plain_digits, return_type=str, when_used="json"),
    _Pattern(),
]
"""A number of PostgreSQL's type numeric: a string of digits in JSON, because JSON numbers lose digits, and a Decimal
in Python. For a column `numeric(12, 2)`:

    total: Annotated[DecimalString, Field(max_digits=12, decimal_places=2)]
"""
