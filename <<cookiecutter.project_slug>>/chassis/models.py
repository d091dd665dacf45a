"""Base classes and field types of a service's models.

A model is a subclass of `Body`, `Row` or `Query` with annotated fields:

    class ItemFields(Body):
        name: Annotated[Text, Field(min_length=1, max_length=200)]
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Annotated, Self

from asyncpg import Record
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


class Body(BaseModel):
    """The base class of request bodies: strict types ("1" is not a number), and unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Row(BaseModel):
    """The base class of database rows."""

    @classmethod
    def from_row(cls, row: Record) -> Self:
        """Convert a row of the database.

        Args:
            row: has a column for each field; further columns are ignored.

        Raises:
            pydantic.ValidationError: a column is missing, or its value does not fit the field.
        """
        return cls.__pydantic_validator__.validate_python(dict(row.items()))  # type: ignore[no-any-return]

    @classmethod
    def from_rows(cls, rows: Iterable[Record]) -> list[Self]:
        """Convert rows of the database, as `from_row` does."""
        validate = cls.__pydantic_validator__.validate_python
        # Faster than dict(row); see docs/decisions/0011 of the template.
        return [validate(dict(row.items())) for row in rows]


class Query(BaseModel):
    """The base class of query strings; unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""A string without the NUL character, which PostgreSQL cannot store."""

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

WholeNumber = Annotated[int, Field(ge=1 - 2**53, le=2**53 - 1), WHOLE_NUMBER]
"""A whole number that every JSON parser reads exactly."""

Number = Annotated[float, Field(allow_inf_nan=False)]
"""A finite number with PostgreSQL's double precision. For money, use a `WholeNumber` of cents."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(rf"{_DATE.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]+)?(Z|[+-][0-9]{{2}}:[0-9]{{2}})")


def _date(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value if _DATE.fullmatch(value) else "")
    except ValueError:
        raise ValueError("Should be a date such as 2026-12-31") from None


def _timestamp(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value if _TIME.fullmatch(value) else "").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("Should be a time with its offset from UTC, such as 2026-12-31T23:59:59Z") from None


Date = Annotated[date, BeforeValidator(_date)]
"""A date in the format of RFC 3339. pydantic by itself also accepts a string of digits, as seconds since 1970."""

Timestamp = Annotated[datetime, BeforeValidator(_timestamp)]
"""A time in the format of RFC 3339, converted to UTC."""
