"""A cursor is opaque, and a list accepts only its own cursors."""

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from chassis.errors import InvalidRequestError
from chassis.models import WHOLE_NUMBER
from chassis.pagination import Page, PageQuery, Position


class Numbers(PageQuery):
    """A list with a filter."""

    colour: str = ""


class Words(PageQuery):
    """Another list with the same fields."""

    colour: str = ""


CURSOR = Numbers().cursor_after((2**63 - 1, "é"))
# A client that knows the format can forge a cursor; its values still have to fit the list's order.
FORGED: list[Position] = [(1,), (1, "a", 1), ("a", "a"), (2**63, "a"), (True, "a"), (1, 2)]


def test_a_cursor_comes_back_as_the_position_it_was_made_of() -> None:
    assert Numbers(cursor=CURSOR, limit=3).position(int, str) == (2**63 - 1, "é")
    assert Numbers().position() == ()


@pytest.mark.parametrize(
    "query",
    [
        *(Numbers(cursor=cursor) for cursor in ("1", "=", "é", CURSOR + "=", CURSOR[:-1], "x" + CURSOR[1:])),
        Numbers(cursor=CURSOR[:10] + ("A" if CURSOR[10] != "A" else "B") + CURSOR[11:]),
        Numbers(cursor=urlsafe_b64encode(b"123456[").decode()),
        Numbers(cursor=urlsafe_b64encode(b"123456[]").decode()),
        Numbers(cursor=urlsafe_b64encode(b"123456" + b"[" * 5000).decode()),
        Numbers(cursor=CURSOR, colour="red"),
        Words(cursor=CURSOR),
        *(Numbers(cursor=Numbers().cursor_after(forged)) for forged in FORGED),
    ],
    ids=repr,
)
def test_a_tampered_cursor_and_one_of_another_list_are_refused(query: PageQuery) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        query.position(int, str)
    [mistake] = caught.value.mistakes
    assert (mistake.where, mistake.name) == ("parameter", "cursor")
    assert mistake.detail.startswith("Not a cursor of this list")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", ""])
def test_a_limit_outside_1_to_100_is_an_error(limit: str) -> None:
    with pytest.raises(ValidationError):
        PageQuery.model_validate({"limit": limit})


class Long(PageQuery):
    """A list with longer pages."""

    limit: Annotated[int, Field(ge=10, le=500), WHOLE_NUMBER] = 50


def test_a_list_has_its_own_limit() -> None:
    assert Long().limit == 50
    assert Long.model_validate({"limit": "500"}).limit == 500
    for limit in ("9", "501", "07"):
        with pytest.raises(ValidationError):
            Long.model_validate({"limit": limit})


@pytest.mark.parametrize(
    ("query", "position", "cursor"),
    [
        (Numbers(), (5,), "zf2z0z1dWzVd"),
        (Numbers(colour="red"), (2**63 - 1, "é"), "MHKjKwphWzkyMjMzNzIwMzY4NTQ3NzU4MDcsIlx1MDBlOSJd"),
        (PageQuery(), (7,), "5s-JSYTMWzdd"),
    ],
)
def test_cursors_are_those_of_release_0_2(query: PageQuery, position: Position, cursor: str) -> None:
    """In a rolling update, pods of both releases read them."""
    assert query.cursor_after(position) == cursor


def test_one_row_more_than_the_limit_means_a_next_page() -> None:
    query = Numbers(limit=2)
    page = Page[int].cut([1, 2, 3], query, position=lambda row: [row])
    assert page.items == [1, 2]
    assert page.next_cursor
    assert Numbers(cursor=page.next_cursor).position(int) == (2,)
    assert Page[int].cut([1, 2], query, position=lambda row: [row]).next_cursor is None


def test_a_cursor_is_made_as_by_earlier_releases() -> None:
    for query, asked in ((Numbers(limit=3), "{}"), (Numbers(), "{}"), (Numbers(colour="é"), '{"colour":"é"}')):
        scope = f"{type(query).__module__}.{type(query).__qualname__} {asked}"
        checksum = blake2b(scope.encode() + b"[5]", digest_size=6).digest()
        assert query.cursor_after((5,)) == urlsafe_b64encode(checksum + b"[5]").decode().rstrip("=")
