"""`uvicorn benchmarks.peers.blacksheep_fast.app:app --no-access-log`"""

import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

import asyncpg
import orjson
from blacksheep import Application, Content, FromJSON, Response, get, not_found, post, put
from blacksheep.settings.json import json_settings
from pydantic import BaseModel, Field

COLUMNS = "id, name, description, price_cents, created_at, updated_at"


class ItemFields(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=2000)] = ""
    price_cents: Annotated[int, Field(ge=0, lt=2**53)]


def json(data: Any, status: int = 200) -> Response:
    """Encode to bytes: BlackSheep's own `json` takes text from orjson, and encodes it again."""
    return Response(status, None, Content(b"application/json", orjson.dumps(data)))


json_settings.use(loads=orjson.loads)
app = Application()


@app.lifespan
async def pool(app: Application) -> AsyncIterator[None]:
    size = int(os.environ["DATABASE_POOL_SIZE"])
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=size, max_size=size) as pool:
        app.services.register(asyncpg.Pool, instance=pool)
        yield


@post("/v1/items")
async def create_item(data: FromJSON[ItemFields], pool: asyncpg.Pool) -> Response:
    query = f"INSERT INTO items (name, description, price_cents) VALUES ($1, $2, $3) RETURNING {COLUMNS}"
    fields = data.value
    async with pool.acquire() as connection:
        row = await connection.fetchrow(query, fields.name, fields.description, fields.price_cents)
    return json(dict(row), status=201)


@get("/v1/items")
async def list_items(pool: asyncpg.Pool, limit: int = 20, cursor: int = 0) -> Response:
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            f"SELECT {COLUMNS} FROM items WHERE id > $1 ORDER BY id LIMIT $2", cursor, limit + 1
        )
    next_cursor = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return json({"items": [dict(row) for row in rows[:limit]], "next_cursor": next_cursor})


@get("/v1/items/{int:item_id}")
async def read_item(item_id: int, pool: asyncpg.Pool) -> Response:
    async with pool.acquire() as connection:
        row = await connection.fetchrow(f"SELECT {COLUMNS} FROM items WHERE id = $1", item_id)
    return json(dict(row)) if row else not_found()


@put("/v1/items/{int:item_id}")
async def replace_item(item_id: int, data: FromJSON[ItemFields], pool: asyncpg.Pool) -> Response:
    query = (
        "UPDATE items SET name = $2, description = $3, price_cents = $4, updated_at = now(), version = version + 1 "
        f"WHERE id = $1 RETURNING {COLUMNS}"
    )
    fields = data.value
    async with pool.acquire() as connection:
        row = await connection.fetchrow(query, item_id, fields.name, fields.description, fields.price_cents)
    return json(dict(row)) if row else not_found()
