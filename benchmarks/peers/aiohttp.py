"""aiohttp as in its documentation, with an asyncpg pool."""

import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg
from aiohttp import web

from benchmarks.peers import statements

POOL = web.AppKey("pool", asyncpg.Pool)
routes = web.RouteTableDef()


def item(row: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a row to values that JSON can represent."""
    return {**row, "created_at": row["created_at"].isoformat(), "updated_at": row["updated_at"].isoformat()}


async def fields(request: web.Request) -> tuple[str, str, int]:
    """Return the validated values of the body."""
    try:
        body = await request.json()
        name, description, price_cents = body["name"], body.get("description", ""), body["price_cents"]
        valid = 1 <= len(name) <= 200 and len(description) <= 2000 and 0 <= price_cents < 2**53
        valid = valid and (type(name), type(description), type(price_cents)) == (str, str, int)
    except (ValueError, KeyError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise web.HTTPUnprocessableEntity
    return name, description, price_cents


@routes.post("/v1/items")
async def create_item(request: web.Request) -> web.Response:
    values = await fields(request)
    async with request.app[POOL].acquire() as connection:
        row = await connection.fetchrow(statements.CREATE, *values)
    return web.json_response(item(row), status=201)


@routes.get("/v1/items")
async def list_items(request: web.Request) -> web.Response:
    limit, cursor = int(request.query.get("limit", 20)), int(request.query.get("cursor", 0))
    async with request.app[POOL].acquire() as connection:
        rows = await connection.fetch(statements.LIST, cursor, limit + 1)
    next_cursor = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return web.json_response({"items": [item(row) for row in rows[:limit]], "next_cursor": next_cursor})


@routes.get(r"/v1/items/{item_id:\d+}")
async def read_item(request: web.Request) -> web.Response:
    async with request.app[POOL].acquire() as connection:
        row = await connection.fetchrow(statements.READ, int(request.match_info["item_id"]))
    if row is None:
        raise web.HTTPNotFound
    return web.json_response(item(row))


@routes.put(r"/v1/items/{item_id:\d+}")
async def replace_item(request: web.Request) -> web.Response:
    values = await fields(request)
    async with request.app[POOL].acquire() as connection:
        row = await connection.fetchrow(statements.REPLACE, int(request.match_info["item_id"]), *values)
    if row is None:
        raise web.HTTPNotFound
    return web.json_response(item(row))


async def pool(app: web.Application) -> AsyncIterator[None]:
    async with statements.create_pool() as app[POOL]:
        yield


app = web.Application()
app.cleanup_ctx.append(pool)
app.add_routes(routes)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None)
