"""Base classes and field types of a service's models.

A model is a subclass of `Body`, `Row` or `Query` with annotated fields:

    class ItemFields(Body):
        name: Annotated[Text, Field(min_length=1, max_length=200)]
"""

from chassis.models.base import Body, Query, Row
from chassis.models.decimals import DecimalString
from chassis.models.json_values import Json, StoredJson
from chassis.models.keys import Uuid, new_uuid
from chassis.models.numbers import WHOLE_NUMBER, Id, Integer, Number, WholeNumber
from chassis.models.patch import Patch
from chassis.models.text import Text
from chassis.models.times import Date, Timestamp

__all__ = [
    "WHOLE_NUMBER",
    "Body",
    "Date",
    "DecimalString",
    "Id",
    "Integer",
    "Json",
    "Number",
    "Patch",
    "Query",
    "Row",
    "StoredJson",
    "Text",
    "Timestamp",
    "Uuid",
    "WholeNumber",
    "new_uuid",
]
