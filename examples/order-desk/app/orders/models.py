"""The models of orders.

`make field` adds fields to this resource, which was made of:

    NAME=order WITHOUT="put delete" FIELDS="customer:ref(customers) tags:list(str) metadata:json"
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from chassis.conditional import Versioned
from chassis.models import Body, DecimalString, Id, Json, StoredJson, Text
from chassis.pagination import PageQuery

OrderStatus = Literal["draft", "placing", "placed", "cancelled"]


class OrderFields(Body):
    """The fields of an order that clients set."""

    customer_id: Id
    tags: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=200)]], Field(max_length=100, examples=[["One"]])
    ]
    metadata: Annotated[Json, Field(examples=[{"a": [1, None]}])]


class Order(Versioned):
    """An order as it is stored; times are in UTC."""

    id: Id
    customer_id: int
    tags: list[str]
    metadata: StoredJson
    status: str
    total: DecimalString
    placed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class OrderQuery(PageQuery):
    """The filters and the order of the list of orders."""

    status: list[OrderStatus] = Field(default=[], max_length=20, description="only with one of these values")
    sort: Annotated[
        Literal["id", "-id", "placed_at", "-placed_at"],
        Field(description="what the list is sorted by; a minus is descending"),
    ] = "id"
