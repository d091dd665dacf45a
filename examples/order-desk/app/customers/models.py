"""The models of customers.

`make field` adds fields to this resource, which was made of:

    NAME=customer WITHOUT=put FIELDS="email:str(320):unique name:str(200)"
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from chassis.conditional import Versioned
from chassis.models import Body, Id, Text
from chassis.pagination import PageQuery


class CustomerFields(Body):
    """The fields of a customer that clients set."""

    email: Annotated[Text, Field(min_length=1, max_length=320, examples=["One"])]
    name: Annotated[Text, Field(min_length=1, max_length=200, examples=["One"])]


class Customer(Versioned):
    """A customer as it is stored; times are in UTC."""

    id: Id
    email: str
    name: str
    created_at: datetime
    updated_at: datetime


class CustomerQuery(PageQuery):
    """The filters and the order of the list of customers."""

    sort: Annotated[
        Literal["id", "-id"],
        Field(description="what the list is sorted by; a minus is descending"),
    ] = "id"
