"""Bases of the models in a service's contract."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class Body(BaseModel):
    """A JSON object. Types are taken as they are ("1" is no number) and unknown fields are refused, so that a client's
    typing mistake is an answer, not a lost value."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Query(BaseModel):
    """The parameters after the question mark; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""A string without NUL, which PostgreSQL cannot store."""

Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
"""A primary key of PostgreSQL's type bigint."""
