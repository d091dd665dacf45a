"""The models of prices."""

from typing import Annotated

from pydantic import Field

from chassis.models import Body, DecimalString, Text

Sku = Annotated[Text, Field(min_length=1, max_length=40, examples=["LAMP"])]


class Price(Body):
    """The price of a SKU."""

    sku: Sku
    price: Annotated[DecimalString, Field(ge=0, max_digits=12, decimal_places=2, examples=["19.99"])]
