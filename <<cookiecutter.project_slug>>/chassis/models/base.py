"""The base classes of models."""

from collections.abc import Iterable
from typing import Any, Self

from asyncpg import Record
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from chassis.models.numbers import without_rule_for_clients
from chassis.models.text import with_own_rules
from chassis.models.times import with_infinity


class _Sent(BaseModel):
    """What clients send."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return with_own_rules(handler(source))


class Body(_Sent):
    """The base class of request bodies: strict types ("1" is not a number), and unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Row(BaseModel):
    """The base class of database rows."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return with_infinity(without_rule_for_clients(handler(source)))

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


class Query(_Sent):
    """The base class of query strings; unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
