"""The models of items."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from chassis.conditional import Versioned
from chassis.models import WHOLE_NUMBER, Body, Id, Text, WholeNumber
from chassis.pagination import PageQuery

# The largest whole number that every JSON parser reads exactly.
_MAX_CENTS = 2**53 - 1


class ItemFields(Body):
    """The fields of an item that clients set."""

    name: Annotated[Text, Field(min_length=1, max_length=200, examples=["Lamp"])]
    description: Annotated[Text, Field(max_length=2000, examples=["Bright"])] = ""
    price_cents: Annotated[int, Field(ge=0, le=_MAX_CENTS, examples=[1999]), WHOLE_NUMBER]


class Item(Versioned):
    """An item as it is stored; times are in UTC."""

    id: Id
    name: str
    description: str
    price_cents: int
    created_at: datetime
    updated_at: datetime


class ItemQuery(PageQuery):
    """The filters and the order of the list of items."""

    name: list[Annotated[Text, Field(max_length=200)]] = Field(
        default=[], max_length=20, description="only items of these names"
    )
    price_cents_gte: Annotated[WholeNumber | None, Field(description="only items of this price or more")] = None
    price_cents_lt: Annotated[WholeNumber | None, Field(description="only items of less than this price")] = None
    sort: Annotated[
        Literal["id", "-id", "price_cents", "-price_cents"],
        Field(description="what the list is sorted by; a minus is descending"),
    ] = "id"
