"""Keyset pages: each page starts after the last row of the one before, so rows that come and go move nothing."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from chassis.models import Query

_PREFIX = "after:"


def encode_cursor(key: int) -> str:
    """The opaque text that stands for the position after a row's key."""
    return urlsafe_b64encode(f"{_PREFIX}{key}".encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> int:
    try:
        text = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        key = int(text.removeprefix(_PREFIX))
    except ValueError:
        key = -1
    if key < 0 or encode_cursor(key) != cursor or key >= 2**63:
        raise ValueError("Not a cursor of this list; follow the links of a page, or leave it out to start again")
    return key


class PageQuery(Query):
    """The parameters of a list.

    Attributes:
        limit: rows a page, 1 to 100.
        cursor: the key after which the page starts, from the link of the page before; 0 for the first page.
    """

    limit: Annotated[int, Field(ge=1, le=100, description="rows a page")] = 20
    cursor: Annotated[
        int,
        BeforeValidator(_decode_cursor),
        WithJsonSchema({"type": "string", "description": "where the page starts, from the link of the page before"}),
    ] = Field(default_factory=lambda: 0)


Row = TypeVar("Row")


class Page(BaseModel, Generic[Row]):
    """One page of a list.

    Attributes:
        items: the rows, in the order of their keys.
        next_cursor: the cursor of the next page; None on the last one.
    """

    model_config = ConfigDict(frozen=True)

    items: list[Row]
    next_cursor: str | None

    @classmethod
    def cut(cls, rows: Sequence[Row], limit: int, key: Callable[[Row], int]) -> Self:
        """Makes a page of up to `limit` rows; one row more than that, and there is a next page."""
        shown = list(rows[:limit])
        return cls(items=shown, next_cursor=encode_cursor(key(shown[-1])) if len(rows) > limit else None)
