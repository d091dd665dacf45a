"""Keyset pages: each page starts after the last row of the one before, so rows that come and go move nothing."""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import InvalidRequestError, Mistake
from chassis.models import WHOLE_NUMBER, Query

_CHECKSUM_BYTES = 6

Position = tuple[str | int, ...]
"""The values by which a list is sorted, of one row: strings and whole numbers, the last of them unique."""


class PageQuery(Query):
    """The parameters of a list. Each list has a class of its own, with its filters and orders as further fields.

    Attributes:
        limit: rows a page, 1 to 100.
        cursor: where the page starts, from the link of the page before; empty for the first page.
    """

    limit: Annotated[int, Field(ge=1, le=100, description="rows a page"), WHOLE_NUMBER] = 20
    cursor: Annotated[str, Field(description="where the page starts, from the link of the page before")] = ""

    def position(self, *types: type) -> Position:
        """The position after which the page starts; empty on the first page.

        Args:
            types: of its values, `int` (a bigint) or `str`.

        Raises:
            InvalidRequestError: the cursor was not made by this list with the same filters in the same order.
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
            raise InvalidRequestError([Mistake("parameter", "cursor", rule)])
        return position

    def cursor_after(self, position: Position) -> str:
        """The opaque text that stands for a position in this list."""
        text = json.dumps(position, separators=(",", ":")).encode()
        # Not a secret: it keeps a cursor from being read by a list that it was not made for.
        asked = self.model_dump_json(exclude={"limit", "cursor"}, exclude_defaults=True)
        scope = f"{type(self).__module__}.{type(self).__qualname__} {asked}"
        checksum = blake2b(scope.encode() + text, digest_size=_CHECKSUM_BYTES).digest()
        return urlsafe_b64encode(checksum + text).decode().rstrip("=")


Row = TypeVar("Row")


class Page(BaseModel, Generic[Row]):
    """One page of a list.

    Attributes:
        items: the rows, in the list's order.
        next_cursor: the cursor of the next page; None on the last one.
    """

    model_config = ConfigDict(frozen=True)

    items: list[Row]
    next_cursor: str | None

    @classmethod
    def cut(cls, rows: Sequence[Row], query: PageQuery, position: Callable[[Row], Sequence[Any]]) -> Self:
        """Makes a page of up to `query.limit` rows; one row more than that, and there is a next page.

        Args:
            rows: the rows after `query.position()`, one more than the limit where there are so many.
            query: what the client asked for.
            position: the position of a row.
        """
        shown = list(rows[: query.limit])
        more = len(rows) > query.limit
        return cls(items=shown, next_cursor=query.cursor_after(tuple(position(shown[-1]))) if more else None)
