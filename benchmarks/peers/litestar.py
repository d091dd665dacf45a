"""Litestar as in its documentation, on Granian, with msgspec structs and an asyncpg pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

from litestar import Litestar, get, post, put
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import Parameter
from msgspec import Meta, Struct

from benchmarks.peers import statements


class ItemFields(Struct, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    description: Annotated[str, Meta(max_length=2000)] = ""
    price_cents: Annotated[int, Meta(ge=0, lt=2**53)]


class Item(ItemFields, kw_only=True):
    id: int
    created_at: datetime
    updated_at: datetime


class Page(Struct):
    items: list[Item]
    next_cursor: str | None


@asynccontextmanager
async def pool(app: Litestar) -> AsyncIterator[None]:
    async with statements.create_pool() as app.state.pool:
        yield


@post("/v1/items")
async def create_item(data: ItemFields, state: State) -> Item:
    async with state.pool.acquire() as connection:
        return Item(**await connection.fetchrow(statements.CREATE, data.name, data.description, data.price_cents))


@get("/v1/items")
async def list_items(state: State, limit: Annotated[int, Parameter(ge=1, le=100)] = 20, cursor: int = 0) -> Page:
    async with state.pool.acquire() as connection:
        rows = await connection.fetch(statements.LIST, cursor, limit + 1)
    items = [Item(**row) for row in rows[:limit]]
    return Page(items, next_cursor=str(items[-1].id) if len(rows) > limit else None)


@get("/v1/items/{item_id:int}")
async def read_item(item_id: int, state: State) -> Item:
    async with state.pool.acquire() as connection:
        row = await connection.fetchrow(statements.READ, item_id)
    if row is None:
        raise NotFoundException
    return Item(**row)


@put("/v1/items/{item_id:int}")
async def replace_item(item_id: int, data: ItemFields, state: State) -> Item:
    async with state.pool.acquire() as connection:
        row = await connection.fetchrow(statements.REPLACE, item_id, data.name, data.description, data.price_cents)
    if row is None:
        raise NotFoundException
    return Item(**row)


app = Litestar([create_item, list_items, read_item, replace_item], lifespan=[pool])
