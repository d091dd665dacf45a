"""`uvicorn benchmarks.peers.fastapi.app:app --no-access-log`"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from pydantic import BaseModel, Field

COLUMNS = "id, name, description, price_cents, created_at, updated_at"


class ItemFields(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=2000)] = ""
    price_cents: Annotated[int, Field(ge=0, lt=2**53)]


class Item(ItemFields):
    id: int
    created_at: datetime
    updated_at: datetime


class Page(BaseModel):
    items: list[Item]
    next_cursor: str | None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    size = int(os.environ["DATABASE_POOL_SIZE"])
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=size, max_size=size) as app.state.pool:
        yield


async def connection(request: Request) -> AsyncIterator[Any]:
    async with request.app.state.pool.acquire() as connection:
        yield connection


Connection = Annotated[Any, Depends(connection)]
app = FastAPI(lifespan=lifespan)


@app.post("/v1/items", status_code=201)
async def create_item(body: ItemFields, connection: Connection) -> Item:
    query = f"INSERT INTO items (name, description, price_cents) VALUES ($1, $2, $3) RETURNING {COLUMNS}"
    return Item(**await connection.fetchrow(query, body.name, body.description, body.price_cents))


@app.get("/v1/items")
async def list_items(connection: Connection, limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: int = 0) -> Page:
    rows = await connection.fetch(f"SELECT {COLUMNS} FROM items WHERE id > $1 ORDER BY id LIMIT $2", cursor, limit + 1)
    items = [Item(**row) for row in rows[:limit]]
    return Page(items=items, next_cursor=str(items[-1].id) if len(rows) > limit else None)


@app.get("/v1/items/{item_id}")
async def read_item(item_id: int, connection: Connection) -> Item:
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM items WHERE id = $1", item_id)
    if row is None:
        raise HTTPException(404)
    return Item(**row)


@app.put("/v1/items/{item_id}")
async def replace_item(item_id: int, body: ItemFields, connection: Connection) -> Item:
    query = (
        "UPDATE items SET name = $2, description = $3, price_cents = $4, updated_at = now(), version = version + 1 "
        f"WHERE id = $1 RETURNING {COLUMNS}"
    )
    row = await connection.fetchrow(query, item_id, body.name, body.description, body.price_cents)
    if row is None:
        raise HTTPException(404)
    return Item(**row)
