"""Bases of the models in a service's contract."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Body(BaseModel):
    """A JSON object. Types are taken as they are ("1" is no number) and unknown fields are refused, so that a client's
    typing mistake is an answer, not a lost value."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Query(BaseModel):
    """The parameters after the question mark; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("String should not contain NUL (U+0000), which PostgreSQL cannot store")
    return value


Text = Annotated[str, AfterValidator(_without_nul), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]
"""A string that PostgreSQL can store."""

Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
"""A primary key of PostgreSQL's type bigint."""
