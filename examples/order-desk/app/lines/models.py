"""The models of lines.

`make field` adds fields to this resource, which was made of:

    NAME=line PARENT=orders WITHOUT="put patch" FIELDS="sku:str(40) quantity:int price:decimal(12,2)"
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from chassis.conditional import Versioned
from chassis.models import Body, DecimalString, Id, Integer, Text
from chassis.pagination import PageQuery


class LineFields(Body):
    """The fields of a line that clients set."""

    sku: Annotated[Text, Field(min_length=1, max_length=40, examples=["One"])]
    quantity: Annotated[Integer, Field(ge=1, le=1000, examples=[1])]
    price: Annotated[DecimalString, Field(ge=0, max_digits=12, decimal_places=2, examples=["1.00"])]


class Line(Versioned):
    """A line as it is stored; times are in UTC."""

    id: Id
    order_id: Id
    sku: str
    quantity: int
    price: DecimalString
    created_at: datetime
    updated_at: datetime


class LineQuery(PageQuery):
    """The filters and the order of the list of lines."""

    sort: Annotated[
        Literal["id", "-id"],
        Field(description="what the list is sorted by; a minus is descending"),
    ] = "id"
