"""Keyset pagination: a page starts after the last row of the previous page, so inserts and deletes shift no rows.

A handler selects one row more than the page has, and cuts the page:

    async def list_items(query: ItemQuery, database: Database) -> Page[Item]:
        [after] = query.position(int) or [0]
        rows = await database.fetch("SELECT * FROM items WHERE id > $1 ORDER BY id LIMIT $2", after, query.limit + 1)
        return Page[Item].cut(Item.from_rows(rows), query, position=lambda item: [item.id])
"""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import FieldError, InvalidRequestError
from chassis.models import WHOLE_NUMBER, Query

_CHECKSUM_BYTES = 6

Position = tuple[str | int, ...]
"""The values of a row's sort columns: strings and whole numbers, of which the last is unique."""


class PageQuery(Query):
    """The query string of a list. Subclass it for each list, with its filters and orders as further fields.

    Attributes:
        limit: the most rows of a page.
        cursor: where the page starts: `next_cursor` of the page before; empty for the first page.
    """

    limit: Annotated[int, Field(ge=1, le=100, description="rows a page"), WHOLE_NUMBER] = 20
    cursor: Annotated[str, Field(description="where the page starts, from the link of the page before")] = ""

    def position(self, *types: type) -> Position:
        """Return the position after which the page starts.

        Args:
            types: the types of the sort columns, `int` (a bigint) or `str`.

        Returns:
            The values of the sort columns of the last row of the page before; empty on the first page.

        Raises:
            InvalidRequestError: the cursor is not one of this list with the same filters and order.
        """
        if not self.cursor:
            return ()
        try:
            content = b64decode(self.cursor + "=" * (-len(self.cursor) % 4), altchars=b"-_", validate=True)
            position = tuple(json.loads(content[_CHECKSUM_BYTES:]))
        except (ValueError, TypeError, RecursionError):
            position = ()
        fits = tuple(map(type, position)) == types and all(abs(v) < 2**63 for v in position if isinstance(v, int))
        if not fits or self.cursor != self.cursor_after(position):
            rule = "Not a cursor of this list with these filters; follow a page's links, or leave it out to start again"
            raise InvalidRequestError([FieldError("parameter", "cursor", rule)])
        return position

    def cursor_after(self, position: Position) -> str:
        """Encode a position as the cursor of the page that starts after it."""
        text = json.dumps(position, separators=(",", ":")).encode()
        # A checksum without a secret: it detects cursors of another list, not forged ones.
        asked = self.model_dump_json(exclude={"limit", "cursor"}, exclude_defaults=True)
        scope = f"{type(self).__module__}.{type(self).__qualname__} {asked}"
        checksum = blake2b(scope.encode() + text, digest_size=_CHECKSUM_BYTES).digest()
        return urlsafe_b64encode(checksum + text).decode().rstrip("=")


Row = TypeVar("Row")


class Page(BaseModel, Generic[Row]):
    """One page of a list; `next_cursor` is None on the last page."""

    model_config = ConfigDict(frozen=True)

    items: list[Row]
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
