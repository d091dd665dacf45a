"""Keyset pagination: a page starts after the last row of the previous page, so inserts and deletes shift no rows.

A `Listing` has the SQL of a list. It is declared once, with the conditions of its filters:

    _ITEMS = Listing(Item, "SELECT id, name FROM items", key="id", filters={"name": "name = ANY ($)"})

    async def select_items(database: Database, query: ItemQuery) -> Page[Item]:
        return await _ITEMS.page(database, query)

The query model has a field for each filter, and `sort` for the orders:

    class ItemQuery(PageQuery):
        name: list[Text] = []
        sort: Literal["id", "-id", "name", "-name"] = "id"

A handler that writes its SQL itself selects one row more than the page has, and cuts the page:

    async def list_items(query: ItemQuery, database: Database) -> Page[Item]:
        [after] = query.position(int) or [0]
        rows = await database.fetch("SELECT * FROM items WHERE id > $1 ORDER BY id LIMIT $2", after, query.limit + 1)
        return Page[Item].cut(Item.from_rows(rows), query, position=lambda item: [item.id])
"""

from chassis.pagination.listing import Listing
from chassis.pagination.page import Page, PageQuery
from chassis.pagination.page import Row as Row  # a type variable, importable since release 0.1
from chassis.pagination.position import Position

__all__ = ["Listing", "Page", "PageQuery", "Position"]
