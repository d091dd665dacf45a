"""The rows of a page as they come from the database."""

from collections import UserList
from collections.abc import Iterable, Sequence
from typing import Any, Generic, NamedTuple, Self, TypeVar

import msgspec
from asyncpg import Record
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from chassis.models import Row
from chassis.models.row_encoder import RowEncoder

Model = TypeVar("Model", bound=Row)


class Stored(NamedTuple, Generic[Model]):
    """Rows of the database, their model and its encoder."""

    model: type[Model]
    records: Sequence[Record]
    encoder: RowEncoder


class StoredRows(UserList[Model]):
    """A list of models that are made when something reads them. Most handlers only pass the list on.

    Args:
        models: the models of a list that is not stored.
        stored: the rows of which the models are made.
    """

    def __init__(self, models: Iterable[Model] = (), *, stored: Stored[Model] | None = None) -> None:
        self._models, self._stored = list(models), stored

    @property
    def data(self) -> list[Model]:  # type: ignore[override]
        """The models; all methods of the list use this."""
        self.make()
        return self._models

    def make(self) -> None:
        """Make the models.

        Raises:
            pydantic.ValidationError: as of `Row.from_rows`.
        """
        if self._stored:
            self._models = self._stored.model.from_rows(self._stored.records)
            self._stored = None

    def __copy__(self) -> Self:
        return type(self)(self.data)

    def __reduce__(self) -> tuple[type[Self], tuple[list[Model]]]:
        return type(self), (self.data,)  # rows of the database cannot be copied or pickled

    def sent(self) -> list[msgspec.Struct] | None:
        """Return what msgspec encodes as the rows; None if pydantic has to, because of a value or of a reader."""
        if not self._stored:
            return None
        try:
            return self._stored.encoder.rows(self._stored.records)
        except (KeyError, msgspec.ValidationError):
            return None


class ListOfRows:
    """Annotates a field of a model that is a list, or stored rows: pydantic serializes both in the same way."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        serialization = core_schema.plain_serializer_function_ser_schema(_as_list, return_schema=schema)
        return {**schema, "serialization": serialization}


def _as_list(items: Any) -> Any:
    return items.data if isinstance(items, StoredRows) else items
