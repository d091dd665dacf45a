"""A cursor is opaque, and only what this service made is one."""

import pytest
from pydantic import ValidationError

from chassis.pagination import Page, PageQuery, encode_cursor


def test_a_cursor_comes_back_as_the_key_it_was_made_of() -> None:
    assert PageQuery.model_validate({"cursor": encode_cursor(2**63 - 1)}).cursor == 2**63 - 1


@pytest.mark.parametrize(
    "cursor",
    ["", "1", "=", "YWZ0ZXI6", "YWZ0ZXI6MQ==", "YWZ0ZXI6MQA", "é", encode_cursor(2**63), encode_cursor(-1)],
)
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(ValidationError, match="Not a cursor of this list"):
        PageQuery.model_validate({"cursor": cursor})


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", ""])
def test_a_limit_outside_1_to_100_is_an_error(limit: str) -> None:
    with pytest.raises(ValidationError):
        PageQuery.model_validate({"limit": limit})


def test_one_row_more_than_the_limit_means_a_next_page() -> None:
    page = Page[int].cut([1, 2, 3], limit=2, key=lambda row: row)
    assert (page.items, page.next_cursor) == ([1, 2], encode_cursor(2))
    assert Page[int].cut([1, 2], limit=2, key=lambda row: row).next_cursor is None
