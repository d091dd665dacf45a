"""Numbers that clients send."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_core import CoreSchema, core_schema

from chassis.models.schema import replaced

_DIGITS = re.compile("-?(0|[1-9][0-9]*)", re.ASCII)


def _whole_number(value: object) -> object:
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("Should be a whole number in plain digits")
    # In JSON Schema, 5.0 is an integer.
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE_NUMBER = BeforeValidator(_whole_number)
"""Validator of an int that refuses `007` and `+7`, so that each resource has one URL.

Put it after `Field(…)`, whose constraints the OpenAPI document would lack otherwise:
`Annotated[int, Field(ge=1), WHOLE_NUMBER]`.
"""

Id = Annotated[int, Field(ge=1, le=2**63 - 1), WHOLE_NUMBER]
"""A primary key of PostgreSQL's type bigint."""

Integer = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), WHOLE_NUMBER]
"""A whole number of PostgreSQL's type integer."""

WholeNumber = Annotated[int, Field(ge=1 - 2**53, le=2**53 - 1), WHOLE_NUMBER]
"""A whole number that every JSON parser reads exactly."""

Number = Annotated[float, Field(allow_inf_nan=False)]
"""A finite number with PostgreSQL's double precision. For money, use a `WholeNumber` of cents or a `DecimalString`."""


def without_rule_for_clients(schema: CoreSchema) -> CoreSchema:
    """Return the schema of a row, whose whole numbers come from the database and not from clients."""
    return replaced(schema, "function-before", _unless_whole_number)  # type: ignore[no-any-return]


def _unless_whole_number(schema: core_schema.BeforeValidatorFunctionSchema) -> CoreSchema:
    if schema["function"]["function"] is not _whole_number or "serialization" in schema or schema.get("metadata"):
        return schema
    return schema["schema"]
