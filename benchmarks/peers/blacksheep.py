"""BlackSheep as in its documentation, with pydantic for bodies and an asyncpg pool; its JSON, or orjson."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import asyncpg
from blacksheep import Application, Content, FromJSON, Response, get, json, not_found, post, put
from blacksheep.settings.json import json_settings
from pydantic import BaseModel, Field

from benchmarks.peers import statements


class ItemFields(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=2000)] = ""
    price_cents: Annotated[int, Field(ge=0, lt=2**53)]


def plain() -> Application:
    return application(json)


def fast() -> Application:
    """Decode and encode with orjson."""
    import orjson  # only where it is used, as it takes memory

    def to_bytes(data: Any, status: int = 200) -> Response:
        """Encode to bytes: BlackSheep's own `json` takes text from orjson, and encodes it again."""
        return Response(status, None, Content(b"application/json", orjson.dumps(data)))

    json_settings.use(loads=orjson.loads)
    return application(to_bytes)


def application(json: Callable[..., Response]) -> Application:
    app = Application()

    @app.lifespan
    async def pool(app: Application) -> AsyncIterator[None]:
        async with statements.create_pool() as pool:
            app.services.register(asyncpg.Pool, instance=pool)
            yield

    @post("/v1/items")
    async def create_item(data: FromJSON[ItemFields], pool: asyncpg.Pool) -> Response:
        fields = data.value
        async with pool.acquire() as connection:
            row = await connection.fetchrow(statements.CREATE, fields.name, fields.description, fields.price_cents)
        return json(dict(row), status=201)

    @get("/v1/items")
    async def list_items(pool: asyncpg.Pool, limit: int = 20, cursor: int = 0) -> Response:
        async with pool.acquire() as connection:
            rows = await connection.fetch(statements.LIST, cursor, limit + 1)
        next_cursor = str(rows[limit - 1]["id"]) if len(rows) > limit else None
        return json({"items": [dict(row) for row in rows[:limit]], "next_cursor": next_cursor})

    @get("/v1/items/{int:item_id}")
    async def read_item(item_id: int, pool: asyncpg.Pool) -> Response:
        async with pool.acquire() as connection:
            row = await connection.fetchrow(statements.READ, item_id)
        return json(dict(row)) if row else not_found()

    @put("/v1/items/{int:item_id}")
    async def replace_item(item_id: int, data: FromJSON[ItemFields], pool: asyncpg.Pool) -> Response:
        fields = data.value
        async with pool.acquire() as connection:
            row = await connection.fetchrow(
                statements.REPLACE, item_id, fields.name, fields.description, fields.price_cents
            )
        return json(dict(row)) if row else not_found()

    return app
