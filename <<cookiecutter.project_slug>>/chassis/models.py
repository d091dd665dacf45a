"""Bases of the models in a service's contract."""

import re
from collections.abc import Iterable
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
