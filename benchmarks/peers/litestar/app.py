"""`granian --interface asgi benchmarks.peers.litestar.app:app`"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

import asyncpg
from litestar import Litestar, get, post, put
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import Parameter
from msgspec import Meta, Struct

COLUMNS = "id, name, description, price_cents, created_at, updated_at"


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
    size = int(os.environ["DATABASE_POOL_SIZE"])
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=size, max_size=size) as app.state.pool:
        yield


@post("/v1/items")
async def create_item(data: ItemFields, state: State) -> Item:
    query = f"INSERT INTO items (name, description, price_cents) VALUES ($1, $2, $3) RETURNING {COLUMNS}"
    async with state.pool.acquire() as connection:
        return Item(**await connection.fetchrow(query, data.name, data.description, data.price_cents))


@get("/v1/items")
async def list_items(state: State, limit: Annotated[int, Parameter(ge=1, le=100)] = 20, cursor: int = 0) -> Page:
    async with state.pool.acquire() as connection:
        rows = await connection.fetch(
            f"SELECT {COLUMNS} FROM items WHERE id > $1 ORDER BY id LIMIT $2", cursor, limit + 1
        )
    items = [Item(**row) for row in rows[:limit]]
    return Page(items, next_cursor=str(items[-1].id) if len(rows) > limit else None)


@get("/v1/items/{item_id:int}")
async def read_item(item_id: int, state: State) -> Item:
    async with state.pool.acquire() as connection:
        row = await connection.fetchrow(f"SELECT {COLUMNS} FROM items WHERE id = $1", item_id)
    if row is None:
        raise NotFoundException
    return Item(**row)


@put("/v1/items/{item_id:int}")
async def replace_item(item_id: int, data: ItemFields, state: State) -> Item:
    query = (
        "UPDATE items SET name = $2, description = $3, price_cents = $4, updated_at = now(), version = version + 1 "
        f"WHERE id = $1 RETURNING {COLUMNS}"
    )
    async with state.pool.acquire() as connection:
        row = await connection.fetchrow(query, item_id, data.name, data.description, data.price_cents)
    if row is None:
        raise NotFoundException
    return Item(**row)


app = Litestar([create_item, list_items, read_item, replace_item], lifespan=[pool])
