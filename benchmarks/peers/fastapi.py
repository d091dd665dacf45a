"""FastAPI as in its documentation, with an asyncpg pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from pydantic import BaseModel, Field

from benchmarks.peers import statements


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
    async with statements.create_pool() as app.state.pool:
        yield


async def connection(request: Request) -> AsyncIterator[Any]:
    async with request.app.state.pool.acquire() as connection:
        yield connection


Connection = Annotated[Any, Depends(connection)]
app = FastAPI(lifespan=lifespan)


@app.post("/v1/items", status_code=201)
async def create_item(body: ItemFields, connection: Connection) -> Item:
    return Item(**await connection.fetchrow(statements.CREATE, body.name, body.description, body.price_cents))


@app.get("/v1/items")
async def list_items(connection: Connection, limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: int = 0) -> Page:
    rows = await connection.fetch(statements.LIST, cursor, limit + 1)
    items = [Item(**row) for row in rows[:limit]]
    return Page(items=items, next_cursor=str(items[-1].id) if len(rows) > limit else None)


@app.get("/v1/items/{item_id}")
async def read_item(item_id: int, connection: Connection) -> Item:
    row = await connection.fetchrow(statements.READ, item_id)
    if row is None:
        raise HTTPException(404)
    return Item(**row)


@app.put("/v1/items/{item_id}")
async def replace_item(item_id: int, body: ItemFields, connection: Connection) -> Item:
    row = await connection.fetchrow(statements.REPLACE, item_id, body.name, body.description, body.price_cents)
    if row is None:
        raise HTTPException(404)
    return Item(**row)
