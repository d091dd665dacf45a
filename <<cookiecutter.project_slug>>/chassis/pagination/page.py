"""The query string of a list, and one page of it."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from types import UnionType
from typing import Annotated, Any, Generic, Self, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import FieldError, InvalidRequestError
from chassis.models import WHOLE_NUMBER, Query
from chassis.pagination.position import Kind, Position, decode, encode, kind_of
from chassis.pagination.stored_rows import ListOfRows, StoredRows

_CHECKSUM_BYTES = 6
_PLACE = {"limit", "cursor"}  # which rows of the list a page has


class PageQuery(Query):
    """The query string of a list. Subclass it for each list, with its filters and orders as further fields.

    Attributes:
        limit: the most rows of a page. Redeclare it for other bounds, or for another default.
        cursor: where the page starts: `next_cursor` of the page before; empty for the first page.
    """

    __module__ = "chassis.pagination"  # is part of the cursors, as in release 0.2

    limit: Annotated[int, Field(ge=1, le=100, description="rows a page"), WHOLE_NUMBER] = 20
    cursor: Annotated[str, Field(description="where the page starts, from the link of the page before")] = ""

    def position(self, *types: type | UnionType) -> Position:
        """Return the position after which the page starts.

        Args:
            types: the types of the sort columns: `int` (a bigint), `str`, `bool`, `float`, `Decimal`, `date`,
                `datetime` or `UUID`, and `datetime | None` for a column that may be null.

        Returns:
            The values of the sort columns of the last row of the page before; empty on the first page.

        Raises:
            InvalidRequestError: the cursor is not one of this list with the same filters and order.
        """
        return position_of(self, [kind_of(each) for each in types]) if self.cursor else ()

    def cursor_after(self, position: Position) -> str:
        """Encode a position as the cursor of the page that starts after it."""
        text = encode(position)
        checksum = self._scope()
        checksum.update(text)
        return b64encode(checksum.digest() + text, b"-_").decode().rstrip("=")

    def _scope(self) -> blake2b:
        """Return the hash of the list, its filters and its order. The caller adds the position.

        It has no secret: it detects cursors of another list, not forged ones.
        """
        model, unfiltered = type(self), self.model_fields_set <= _PLACE
        if unfiltered and model in _UNFILTERED:
            return _UNFILTERED[model].copy()
        asked = self.model_dump_json(exclude=_PLACE, exclude_defaults=True)
        scope = blake2b(f"{model.__module__}.{model.__qualname__} {asked}".encode(), digest_size=_CHECKSUM_BYTES)
        if unfiltered:
            _UNFILTERED[model] = scope.copy()
        return scope


_UNFILTERED: dict[type[PageQuery], blake2b] = {}
"""The scopes without filters: writing one as JSON is half of the work of a cursor."""


def position_of(query: PageQuery, kinds: Sequence[Kind]) -> Position:
    """Return the position after which the page of a query starts; raises as `PageQuery.position` does."""
    if not query.cursor:
        return ()
    try:
        content = b64decode(query.cursor + "=" * (-len(query.cursor) % 4), altchars=b"-_", validate=True)
        position = decode(content[_CHECKSUM_BYTES:], kinds)
    except ValueError:
        raise foreign_cursor() from None
    if query.cursor != query.cursor_after(position):
        raise foreign_cursor()
    return position


def foreign_cursor() -> InvalidRequestError:
    """Return the error for a cursor that the list has not made."""
    rule = "Not a cursor of this list with these filters; follow a page's links, or leave it out to start again"
    return InvalidRequestError([FieldError("parameter", "cursor", rule)])


Row = TypeVar("Row")


class Page(BaseModel, Generic[Row]):
    """One page of a list; `next_cursor` is None on the last page."""

    model_config = ConfigDict(frozen=True)

    items: Annotated[list[Row], ListOfRows()]
    """The rows."""

    next_cursor: str | None
    """The cursor of the next page; None on the last page."""

    @classmethod
    def cut(cls, rows: Sequence[Row], query: PageQuery, position: Callable[[Row], Sequence[Any]]) -> Self:
        """Make a page of up to `query.limit` rows; if there is one row more, the page has a next page.

        Args:
            rows: the rows after `query.position()`, selected with LIMIT `query.limit + 1`.
            query: the query string.
            position: returns the position of a row: the values of its sort columns.
        """
        shown = list(rows[: query.limit])
        more = len(rows) > query.limit
        return cls(items=shown, next_cursor=query.cursor_after(tuple(position(shown[-1]))) if more else None)


class _SentPage(msgspec.Struct):
    items: list[msgspec.Struct]
    next_cursor: str | None


def page_json(model: type[Page[Any]], serialize: Callable[[Any], bytes]) -> Callable[[Page[Any]], bytes]:
    """Return a function that encodes pages: stored rows of the model with msgspec, and all others with `serialize`."""
    encode_page = msgspec.json.Encoder().encode

    def to_json(page: Page[Any]) -> bytes:
        items = page.items
        if isinstance(items, StoredRows):
            if type(page) is model and (sent := items.sent()) is not None:
                return encode_page(_SentPage(sent, page.next_cursor))
            items.make()  # here, as pydantic would wrap an error in one of its own
        return serialize(page)

    return to_json
