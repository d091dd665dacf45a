"""Bases of the models in a service's contract."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Annotated, Self

from asyncpg import Record
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


class Body(BaseModel):
    """A JSON object. Types are taken as they are ("1" is no number) and unknown fields are refused, so that a client's
    typing mistake is an answer, not a lost value."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Row(BaseModel):
    """What a row of the database says."""

    @classmethod
    def from_row(cls, row: Record) -> Self:
        """Of a row that has a column for each field.

        Raises:
            pydantic.ValidationError: a column is missing, or holds what its field does not allow.
        """
        return cls.__pydantic_validator__.validate_python(dict(row.items()))  # type: ignore[no-any-return]

    @classmethod
    def from_rows(cls, rows: Iterable[Record]) -> list[Self]:
        """Of several rows."""
        validate = cls.__pydantic_validator__.validate_python
        # dict(row) looks each column up by its name: twice the time.
        return [validate(dict(row.items())) for row in rows]


class Query(BaseModel):
    """The parameters after the question mark; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""A string without NUL, which PostgreSQL cannot store."""


_DIGITS = re.compile("-?(0|[1-9][0-9]*)", re.ASCII)


def _whole_number(value: object) -> object:
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("Should be a whole number in plain digits")
    # JSON knows one kind of number, and so does JSON Schema: 5.0 is an integer.
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE_NUMBER = BeforeValidator(_whole_number)
"""Makes an int one that can be written in one way only, so that each resource has one address: it stands last in
`Annotated[int, Field(ge=1), WHOLE_NUMBER]`, as the rules before it are told in the OpenAPI document."""

Id = Annotated[int, Field(ge=1, le=2**63 - 1), WHOLE_NUMBER]
"""A primary key of PostgreSQL's type bigint."""

WholeNumber = Annotated[int, Field(ge=1 - 2**53, le=2**53 - 1), WHOLE_NUMBER]
"""A whole number that every JSON client reads exactly."""

Number = Annotated[float, Field(allow_inf_nan=False)]
"""A number, as exact as PostgreSQL's double precision. Not for money: count its smallest unit in a `WholeNumber`."""

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
"""A date as RFC 3339 writes it; left alone, pydantic takes a string of digits for seconds since 1970."""

Timestamp = Annotated[datetime, BeforeValidator(_timestamp)]
"""A time as RFC 3339 writes it, kept in UTC."""
